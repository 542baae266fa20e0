"""Partial absorption: how much of a word's letter others carry, by the absorption fraction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.case import name_latents
from absorption.chapters.absorption.count import Counted
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.partial import degree_table, partial_words


@dataclass(frozen=True)
class Degrees(Findings):
    """Words absorbed not at all, in part and wholly, and those in part one by one."""

    shares: pd.DataFrame
    partial: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Shares of the words, by degree."""
        return {"degrees": self.shares}


def count_degrees(basis: Basis, counted: Counted, settings: AbsorptionSettings) -> Degrees:
    """Sort the words of the chapter's own SAE by degree of absorption."""
    shares = degree_table(
        counted.words,
        basis.letters,
        valid=basis.valid,
        null=counted.null,
        seed=settings.seed,
        stems=basis.mine.words.stems,
    )
    return Degrees(shares, name_latents(basis.mine, partial_words(basis.subject, counted.words)))

"""Is it the letter that absorbing latents carry to the answer? One direction at a time is taken out of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.absorption.basis import Basis
from absorption.chapters.findings import Findings, claim
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.control import (
    FILTER_OUT,
    MEANS_OUT,
    RANDOM_OUT,
    WRONG_OUT,
    control_of,
    control_share,
    control_table,
)
from absorption.probes.words import REFERENCE

REFERENCE_OUT = "the reference codes' probe (weights)"
IN_TEXT = {
    "control_means": MEANS_OUT,
    "control_filter": FILTER_OUT,
    "control_reference": REFERENCE_OUT,
    "control_wrong": WRONG_OUT,
    "control_random": RANDOM_OUT,
}
"""Directions of which the text tells what is left, by the number's name."""


@dataclass(frozen=True)
class Control(Findings):
    """What is left of the absorbing latents' effects without each direction."""

    table: pd.DataFrame
    """As ``definitions.control_table`` gives it, on a sample of the absorbed words."""
    left: Estimate
    """Share of the effect that is left without the pattern of the letter's probe, on all absorbed words."""
    n_absorbed: int

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Share left, by direction."""
        return {"control": self.table}

    def claims(self) -> pd.DataFrame:
        """That nothing is left without the letter."""
        return claim("case-ablate", self.left, part="control", note=f"{self.n_absorbed} words")

    def numbers(self) -> Mapping[str, Any]:
        """Shares left."""
        shares = {name: control_of(self.table, direction) for name, direction in IN_TEXT.items()}
        return {"control": str(self.left)} | shares


def take_the_letter_out(basis: Basis, absorbed: pd.DataFrame, settings: AbsorptionSettings) -> Control:
    """Remove the absorbing latents again, without one direction: that of the claim on all words, all others on some.

    Args:
        basis: the chapter's own SAE on its words.
        absorbed: from ``definitions.absorbed_words``.
        settings: the chapter's.
    """
    published = {REFERENCE_OUT: basis.mine.words.probed.under(REFERENCE).probes.directions}
    some = absorbed.sample(min(settings.control_words, len(absorbed)), random_state=settings.seed)
    table = control_table(basis.engine, basis.evidence, some, others=published, seed=settings.seed)
    return Control(table, control_share(absorbed, seed=settings.seed), len(absorbed))

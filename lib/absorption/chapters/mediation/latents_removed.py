"""Chapter 6: the letter's latents removed one after the other, and what it costs to compute effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jaxtyping import Int
from torch import Tensor

from absorption.ablation.bench import cost_table, race
from absorption.ablation.effects import stored_effects
from absorption.chapters.findings import Findings
from absorption.chapters.mediation.parts_removed import Mediated, Studied
from absorption.chapters.settings import MediationSettings
from absorption.mediation.curve import curve_shares, removal_curve
from absorption.one_sae.words import thin


@dataclass(frozen=True)
class Removed(Findings):
    """Every latent's exact effect on some words, and the effect of removing the first n in several orders."""

    words: Int[Tensor, " word"]
    exact: pd.DataFrame
    curve: pd.DataFrame

    @property
    def n_words(self) -> int:
        """Words with any latent on."""
        return self.exact["word"].nunique()

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The curve; the effects are kept in the cache."""
        return {"removal-curve": self.curve}


def remove_in_order(studied: Studied, mediated: Mediated, settings: MediationSettings) -> Removed:
    """Remove latents one after the other from some of the words chosen before."""
    some = thin(mediated.words, settings.effect_words)
    exact = stored_effects(studied.engine, studied.mine.acts.csr, some, progress=False)
    curve = removal_curve(studied.engine, studied.evidence, exact, seed=settings.seed)
    return Removed(some, exact, curve_shares(curve, seed=settings.seed))


@dataclass(frozen=True)
class Costs(Findings):
    """Seconds a word of each way to compute effects, and labels that differ between two of them."""

    table: pd.DataFrame
    differing: int

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row a way."""
        return {"costs": self.table}

    def numbers(self) -> Mapping[str, Any]:
        """Labels of the engine's short way that differ from those of all effects."""
        return {"differing": self.differing}


def time_the_ways(studied: Studied, removed: Removed, settings: MediationSettings) -> Costs:
    """Compute effects of the same words in every way, in turn; the slower ways on a part of them."""
    contest = studied.mine.contest(settings.selection, thin(removed.words, settings.race_words))
    found = race(
        studied.engine,
        contest,
        n_gradient=max(2, settings.race_words // 3),
        n_whole=max(1, settings.race_words // 12),
    )
    return Costs(cost_table(found), int(found["ablation.labels_differing"]))

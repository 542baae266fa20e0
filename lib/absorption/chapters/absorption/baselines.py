"""The other baseline: effects on the right letter against the best of the wrong ones, in place of their mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.ablation.baselines import effects_by_baseline, same_strongest
from absorption.base.statistics import Estimate
from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.roles import words_of
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings


@dataclass(frozen=True)
class Baselines(Findings):
    """Effects of the active latents of some absorbed words under both metrics."""

    effects: pd.DataFrame
    same: Estimate | None
    """Share of the words whose strongest latent is the same; None without words."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Effects under both metrics."""
        return {"effects-by-baseline": self.effects}

    def numbers(self) -> Mapping[str, Any]:
        """How often both name the same latent."""
        return {"same_strongest": str(self.same or "not measured, no word was absorbed")}


def other_baseline(basis: Basis, absorbed: pd.DataFrame, settings: AbsorptionSettings) -> Baselines:
    """Effects on the first absorbed words under both metrics.

    Args:
        basis: the chapter's own SAE on its words.
        absorbed: from ``definitions.absorbed_words``.
        settings: the chapter's.
    """
    asked = words_of(absorbed, settings.baseline_words)
    effects = effects_by_baseline(basis.engine, basis.mine.acts.csr, asked)
    return Baselines(effects, same_strongest(effects, seed=settings.seed) if len(effects) else None)

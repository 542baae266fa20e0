"""The mean rates as one threshold at a time moves, each beside its null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.panels import join_panels, rates_by_jump, sensitivity
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings

MOVED = {
    "min_lead": [0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0],
    "min_cosine": [0.0, 0.0125, 0.025, 0.05, 0.1],
    "min_share": [0.2, 0.3, 0.4, 0.5, 0.6],
}
"""Values tried, by threshold; leads in logits."""
JUMPS = [0.01, 0.03, 0.05]
"""Rises of F1 that make a main latent."""
THRESHOLD_TITLES = {
    "min_lead": "least lead (logits)",
    "f1_jump": "F1 jump that makes a main latent",
    "min_cosine": "least cosine with the probe",
    "min_share": "least share of the projection",
}
"""What the figure calls each threshold, in its order."""


@dataclass(frozen=True)
class Sensitivity(Findings):
    """Mean rates by threshold and setting."""

    panel: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The rates."""
        return {"sensitivity": self.panel}


def move_thresholds(basis: Basis, effects: pd.DataFrame, settings: AbsorptionSettings) -> Sensitivity:
    """Judge the words again at each setting; the default lead is the relative one.

    Args:
        basis: the chapter's own SAE on its words.
        effects: all effects of the candidates that were ablated.
        settings: the chapter's.
    """
    panel = sensitivity(
        basis.evidence,
        effects,
        replace(basis.thresholds, min_lead=basis.lead),
        MOVED,
        letters=basis.letters,
        valid=basis.valid,
        stems=basis.mine.words.stems,
        seed=settings.seed,
    )
    by_jump = rates_by_jump(
        basis.engine,
        basis.mine,
        basis.thresholds,
        JUMPS,
        basis.letters,
        mean_metric=basis.scale.value,
        seed=settings.seed,
    )
    return Sensitivity(join_panels(panel, by_jump))

"""Chapter 13: single latents inserted while the model runs, next-token loss beside the squared error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.settings import StitchingSettings
from absorption.chapters.stitching.measured import Measured
from absorption.stitching import single_losses
from absorption.stitching.single_losses import BY_CHANCE, CORRELATION, LOWER_LOSS, SAME_SIGN


@dataclass(frozen=True)
class LossByLatent(Findings):
    """One row an inserted latent."""

    table: pd.DataFrame

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """Whether loss and squared error change alike."""
        return single_losses.agreement(self.table)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every latent, and the agreement."""
        return {"stitching-single-losses": self.table, "stitching-agreement": self.agreement}

    def numbers(self) -> Mapping[str, Any]:
        """Agreement over all latents, and what either kind does to the loss."""
        return {
            "n_single": len(self.table), "n_single_length": single_losses.LENGTH,
            "same_sign": self._of("all", SAME_SIGN, "{:.0%}"), "same_by_chance": self._of("all", BY_CHANCE, "{:.0%}"),
            "rank_correlation": self._of("all", CORRELATION, "{:+.2f}"),
            "novel_lower_loss": self._of("novel", LOWER_LOSS, "{:.0%}"),
            "similar_lower_loss": self._of("similar", LOWER_LOSS, "{:.0%}"),
        }  # fmt: skip

    def _of(self, kind: str, quantity: str, form: str) -> str:
        rows = self.agreement[(self.agreement["kind"] == kind) & (self.agreement["quantity"] == quantity)]
        if rows.empty:
            return "(none drawn)"
        value, low, high = (form.format(rows[name].item()) for name in ("value", "low", "high"))
        return f"{value} [{low}, {high}]"


def insert_into_the_model(measured: Measured, settings: StitchingSettings) -> LossByLatent:
    """Insert a sample of single latents of each neighbouring pair, in windows from the end of the text."""
    windows = measured.windows[-settings.single_windows :]
    how = {"n": settings.single_latents, "seed": settings.seed}
    return LossByLatent(single_losses.insert_each(measured.model, measured.plan.neighbours, windows, **how))

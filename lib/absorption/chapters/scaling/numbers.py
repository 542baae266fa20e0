"""Chapter 15: the stored numbers of the grid, and cross-entropy recovered by size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from absorption.chapters.findings import Findings, claim
from absorption.chapters.settings import ScalingSettings
from absorption.scaling import points
from absorption.scaling.measure import ERROR, VARIANCE
from absorption.scaling.stored import Grid, read_grid
from absorption.training.recipe import GRID, HALF_THE_TOKENS, at_size

SHOWN = ["sae", "d_sae", "k", "value", "low", "high", "recovered", "never_on"]


@dataclass(frozen=True)
class Numbers(Findings):
    """The measured SAEs of the grid."""

    grid: Grid
    points: pd.DataFrame
    """Columns as in ``scaling.points.points_table``."""
    settings: ScalingSettings

    @property
    def shown(self) -> pd.DataFrame:
        """The columns that a reader sees."""
        return self.points[SHOWN].rename(columns={"value": "unexplained"})

    @property
    def quality(self) -> pd.DataFrame:
        """What the figure of cross-entropy recovered draws: ``d_sae, k, value, low, high``."""
        renamed = {"recovered": "value", "recovered_low": "low", "recovered_high": "high"}
        return self.points.drop(columns=["value", "low", "high"]).rename(columns=renamed)

    @cached_property
    def halved(self) -> pd.DataFrame:
        """Error with half the tokens over error with all of them, minus 1: ``d_sae, k, value, low, high``."""
        rows = []
        for recipe in HALF_THE_TOKENS:
            pair = recipe.sae_id, at_size(recipe.d_sae, recipe.k).sae_id
            if set(pair) <= set(self.grid.stamps):
                rows.append((recipe.d_sae, int(recipe.k), *_ratio(self.grid, *pair, self.settings)))
        return pd.DataFrame(rows, columns=["d_sae", "k", "value", "low", "high"])

    @property
    def seeds(self) -> pd.DataFrame:
        """Error of another seed over that of the first at one size, minus 1: ``d_sae, k, value, low, high``."""
        known = self.grid.recipes
        rows = [
            (recipe.d_sae, int(recipe.k), *_ratio(self.grid, sae, first, self.settings))
            for sae, recipe in known.items()
            if recipe.seed and (first := at_size(recipe.d_sae, recipe.k).sae_id) in known
        ]
        return pd.DataFrame(rows, columns=["d_sae", "k", "value", "low", "high"])

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row an SAE, and the pairs that differ in tokens."""
        return {"grid-points": self.points, "grid-half-the-tokens": self.halved}

    def claims(self) -> pd.DataFrame:
        """Whether downstream loss improves with width."""
        how = {"n_resamples": self.settings.n_resamples, "seed": self.settings.seed}
        slopes = points.doubling_n(self.points, points.recovered(self.grid, list(self.points["sae"]), **how))
        note = f"{len(self.points)} SAEs; interval over windows of text"
        return claim("quality-size", points.estimate(slopes), part="recovered", note=note)

    def numbers(self) -> Mapping[str, Any]:
        """How many there are, what is missing, how flat the error is, and the slope of what is recovered."""
        slope = self.claims().iloc[0]
        missing = self.grid.missing
        return {
            "n_points": len(self.points), "n_grid": len(GRID), "n_missing": len(missing),
            "missing": ", ".join(_sizes(missing)) or "none",
            "grid_tokens": f"{self.grid.text['tokens']:,}",
            "slope_recovered": f"{slope['value']:.4f} [{slope['low']:.4f}, {slope['high']:.4f}]",
            "halved": _list(self.halved) or "not measured: the SAEs on half the tokens are not among the stored ones",
            "seed_noise": _list(self.seeds, 2) or "(not measured)",
        }  # fmt: skip


def read_numbers(settings: ScalingSettings) -> Numbers:
    """The stored numbers, checked against recipes and cards.

    Raises:
        StoredGridError: they are missing, or of other SAEs.
    """
    grid = read_grid(settings.grid_folder)
    table = points.points_table(grid, n_resamples=settings.n_resamples, seed=settings.seed)
    return Numbers(grid, table, settings)


def _ratio(grid: Grid, sae: str, other: str, settings: ScalingSettings) -> tuple[float, float, float]:
    counts = points.draws(len(grid.text_values(VARIANCE)), settings.n_resamples, settings.seed)
    mine, its = (counts @ grid.values(name, ERROR) for name in (sae, other))
    found = points.estimate(np.asarray(mine / its - 1))
    return found.value, found.low, found.high


def _sizes(names: list[str]) -> list[str]:
    """``16,384 at L0 6``, from ``topk-16384-l0-6-layer-6``."""
    sizes = {recipe.sae_id: f"{recipe.d_sae:,} at k {recipe.k:g}" for recipe in GRID}
    return [sizes[name] for name in names]


def _list(changes: pd.DataFrame, digits: int = 1) -> str:
    return ", ".join(
        f"{row['value']:+.{digits}%} [{row['low']:+.{digits}%}, {row['high']:+.{digits}%}] "
        f"at {row['d_sae']:,} latents"
        for row in changes.to_dict("records")
    )

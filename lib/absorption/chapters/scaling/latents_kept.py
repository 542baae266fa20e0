"""Chapter 15: other numbers of latents kept at test time, of TopK and of Multi-TopK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.scaling.numbers import Numbers
from absorption.scaling import points
from absorption.scaling.measure import KEPT_ERROR
from absorption.scaling.points import Samples
from absorption.training.recipe import MULTI_TOPK, at_size

TOPK = at_size(MULTI_TOPK.d_sae)
K, MORE = int(MULTI_TOPK.k), MULTI_TOPK.also_k
NOT_MEASURED = Estimate(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class LatentsKept(Findings):
    """Variance left unexplained by number of latents kept."""

    table: pd.DataFrame
    """``sae, kept, value, low, high``; ``trained`` in place of an SAE: each point an SAE at its own k."""
    samples: Mapping[str, Mapping[int, Samples]]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every number."""
        return {"latents-kept": self.table}

    def claims(self) -> pd.DataFrame:
        """Multi-TopK at 4k beside itself at k, and beside TopK at 4k."""
        multi = self.samples.get(_name(MULTI_TOPK.sae_id))
        topk = self.samples.get(_name(TOPK.sae_id))
        grows = points.estimate(multi[MORE] / multi[K] - 1) if multi else NOT_MEASURED
        beside = points.estimate(multi[MORE] / topk[MORE] - 1) if multi and topk else NOT_MEASURED
        note = "one training run each; interval over text"
        parts = [
            claim("progressive-code", grows, part="grows", note=note),
            claim("progressive-code", beside, part="beside-topk", note=note),
        ]
        return pd.concat(parts, ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """The changes, and what TopK's own best number is."""
        told = self.claims().set_index("part")
        topk = self.samples[_name(TOPK.sae_id)]
        multi = self.samples.get(_name(MULTI_TOPK.sae_id))
        best = min(topk, key=lambda kept: topk[kept][0])
        at_k = points.estimate(multi[K] / topk[K] - 1) if multi else NOT_MEASURED
        return {
            "kept_k": K, "kept_more": MORE, "kept_width": f"{TOPK.d_sae:,}", "topk_best": best,
            "topk_more": _change(points.estimate(topk[MORE] / topk[K] - 1)),
            "multi_more": _change(_of(told, "grows")), "multi_beside": _change(_of(told, "beside-topk")),
            "multi_at_k": _change(at_k),
        }  # fmt: skip


def keep_other_numbers(numbers: Numbers) -> LatentsKept:
    """Read the errors of the two SAEs at every number of latents, and those of SAEs trained at each."""
    grid, settings = numbers.grid, numbers.settings
    how = {"n_resamples": settings.n_resamples, "seed": settings.seed}
    samples = {
        _name(sae): {
            kept: points.unexplained(grid, [sae], kept=kept, **how)[:, 0]
            for kept in grid.kept(sae, KEPT_ERROR)
        }
        for sae in (TOPK.sae_id, MULTI_TOPK.sae_id)
        if sae in grid.stamps
    }
    rows = [
        (sae, kept, *_values(points.estimate(found)))
        for sae, of in samples.items()
        for kept, found in of.items()
    ]
    trained = [
        (
            "TopK trained at each",
            int(recipe.k),
            *_values(points.estimate(_own(grid, sae, int(recipe.k), how))),
        )
        for sae, recipe in grid.points.items()
        if recipe.d_sae == TOPK.d_sae
    ]
    return LatentsKept(
        pd.DataFrame([*rows, *trained], columns=["sae", "kept", "value", "low", "high"]), samples
    )


def _own(grid: Any, sae: str, k: int, how: dict[str, int]) -> np.ndarray:
    return points.unexplained(grid, [sae], kept=k, **how)[:, 0]


def _name(sae: str) -> str:
    return {TOPK.sae_id: f"TopK trained at {K}", MULTI_TOPK.sae_id: f"Multi-TopK trained at {K} and {MORE}"}[
        sae
    ]


def _of(told: pd.DataFrame, part: str) -> Estimate:
    row: Any = told.loc[part]
    return Estimate(row["value"], row["low"], row["high"])


def _values(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _change(estimate: Estimate) -> str:
    if np.isnan(estimate.value):
        return "(not measured)"
    return f"{estimate.value:+.1%} [{estimate.low:+.1%}, {estimate.high:+.1%}]"

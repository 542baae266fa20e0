"""Chapter 15: dead latents with and without the two remedies, over training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.scaling.stored import Grid
from absorption.training.recipe import BASE, DEAD_RUNS, Recipe

N_DRAWS = 1000
BOTH, NEITHER = "both remedies", "neither"
NO_AUX, OWN_ENCODER = "without AuxK", "encoder of its own"


@dataclass(frozen=True)
class Dead(Findings):
    """One row a run, and its course."""

    runs: pd.DataFrame
    """``run, sae, dead, low, high, never_on``: shares of the latents."""
    course: pd.DataFrame
    """``run, tokens, value``: share of dead latents over training, of runs that recorded it."""
    widest: str
    """Shares of the grid's widest SAEs, in words."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Both."""
        return {"dead-latents": self.runs, "dead-over-time": self.course}

    def claims(self) -> pd.DataFrame:
        """The run without remedies and the one with both."""
        note = "one training run each; interval over latents"
        parts = [
            claim("dead-latents", self._of(NEITHER), part="without", note=note),
            claim("dead-latents", self._of(BOTH), part="with", note=note),
        ]
        return pd.concat(parts, ignore_index=True)

    def _of(self, run: str) -> Estimate:
        rows = self.runs[self.runs["run"] == run]
        if rows.empty:
            return Estimate(np.nan, np.nan, np.nan)
        return Estimate(*(float(rows[name].iloc[0]) for name in ("dead", "low", "high")))

    def numbers(self) -> Mapping[str, Any]:
        """The shares, and which runs are missing."""
        wanted = list(_names())
        return {
            "dead_with": _share(self._of(BOTH)), "dead_without": _share(self._of(NEITHER)),
            "dead_no_aux": _share(self._of(NO_AUX)), "dead_own_encoder": _share(self._of(OWN_ENCODER)),
            "dead_missing": ", ".join(run for run in wanted if run not in set(self.runs["run"])) or "none",
            "dead_course": "yes" if len(self.course) else "no",
            "dead_window": f"{BASE.dead_steps * BASE.batch:,}", "dead_widest": self.widest,
        }  # fmt: skip


def count_dead(grid: Grid) -> Dead:
    """Read the stamps of the base and of the runs that leave something out."""
    rows, courses = [], []
    for run, recipe in _names().items():
        if recipe.sae_id not in grid.stamps:
            continue
        stamp = grid.stamps[recipe.sae_id]
        dead = stamp["training"]["dead_while_training"] / recipe.d_sae
        low, high = np.quantile(
            np.random.default_rng(0).binomial(recipe.d_sae, dead, N_DRAWS) / recipe.d_sae, [0.025, 0.975]
        )
        rows.append((run, recipe.sae_id, dead, low, high, stamp["never_on"] / recipe.d_sae))
        course = np.array(stamp["training"].get("dead_over_time", [])).reshape(-1, 2)
        courses.append(
            pd.DataFrame(
                {"run": run, "tokens": course[:, 0] * recipe.batch, "value": course[:, 1] / recipe.d_sae}
            )
        )
    columns = ["run", "sae", "dead", "low", "high", "never_on"]
    course = (
        pd.concat(courses, ignore_index=True) if courses else pd.DataFrame(columns=["run", "tokens", "value"])
    )
    return Dead(pd.DataFrame(rows, columns=columns), course, _widest(grid))


def _widest(grid: Grid) -> str:
    widest = max((recipe.d_sae for recipe in grid.points.values()), default=0)
    shares = {
        recipe.k: grid.stamps[sae]["training"]["dead_while_training"] / widest
        for sae, recipe in grid.points.items()
        if recipe.d_sae == widest
    }
    return ", ".join(f"{share:.0%} at k {k:g}" for k, share in shares.items()) or "(not measured)"


def _names() -> dict[str, Recipe]:
    without_aux, own_encoder, neither = DEAD_RUNS
    return {
        BOTH: BASE, NO_AUX: without_aux, OWN_ENCODER: own_encoder, NEITHER: neither,
    }  # fmt: skip


def _share(estimate: Estimate) -> str:
    if np.isnan(estimate.value):
        return "(not measured)"
    return f"{estimate.value:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"

"""Chapter 15: the four published measures of quality, by n and by k, and over training seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.scaling.beside_absorption import BY_K, BY_N
from absorption.chapters.scaling.numbers import Numbers
from absorption.scaling import points
from absorption.scaling.measure import TEXT
from absorption.scaling.points import Samples
from absorption.scaling.quality_samples import (
    EFFECTS,
    F1,
    MEASURES,
    PRECISION,
    PROBES,
    RECALL,
    samples,
)
from absorption.training.recipe import BASE

CLAIMED = {"probe-loss": PROBES, "patterns": F1, "effects": EFFECTS}
SHOWN = [*MEASURES, PRECISION, RECALL]
ABOUT = ["sae", "architecture", "d_sae", "k", "seed"]


@dataclass(frozen=True)
class Quality(Findings):
    """One row an SAE and measure."""

    table: pd.DataFrame
    """``sae, architecture, d_sae, k, seed, measure, value, low, high``."""
    baselines: Mapping[str, Estimate]
    """The same of single dimensions of the residual stream, where they can be measured so."""
    slopes: Mapping[str, Estimate]
    """Change each time n doubles, at the base's k, by measure."""
    n_tasks: int

    @property
    def panels(self) -> pd.DataFrame:
        """What the figure draws: TopK SAEs by k and by n, ``panel, size, measure, seed, value, low, high``."""
        rows = self.table[
            (self.table["architecture"] == BASE.architecture) & self.table["measure"].isin(MEASURES)
        ]
        parts = [
            rows[rows["d_sae"] == BASE.d_sae].assign(panel=BY_K, size=lambda part: part["k"]),
            rows[rows["k"] == BASE.k].assign(panel=BY_N, size=lambda part: part["d_sae"]),
        ]
        return pd.concat(parts, ignore_index=True)

    @property
    def lines(self) -> dict[str, float]:
        """The baselines that the figure draws."""
        return {
            measure: found.value for measure, found in self.baselines.items() if not np.isnan(found.value)
        }

    @property
    def shown(self) -> pd.DataFrame:
        """A row an SAE, a column a measure."""
        wide = self.table.pivot(index=ABOUT, columns="measure", values="value").reset_index()
        return wide.sort_values(["architecture", "d_sae", "k", "seed"])[["sae", *SHOWN]].rename_axis(
            columns=None
        )

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every number."""
        return {"grid-quality": self.table}

    def claims(self) -> pd.DataFrame:
        """How three of the measures change with n; the fourth is ``Numbers``'s."""
        n = int((self.panels["panel"] == BY_N).sum() / len(MEASURES))
        note = f"{n} SAEs; interval over tasks, latents, or tokens"
        return pd.concat(
            [claim("quality-size", self.slopes[of], part=part, note=note) for part, of in CLAIMED.items()],
            ignore_index=True,
        )

    def numbers(self) -> Mapping[str, Any]:
        """What the text says of them."""
        said = {f"slope_{part.replace('-', '_')}": _signed(self.slopes[of]) for part, of in CLAIMED.items()}
        baselines = {
            f"channels_{part.replace('-', '_')}": str(self.baselines[of])
            for part, of in (("probe-loss", PROBES), ("effects", EFFECTS))
        }
        seeds = {f"seeds_{part.replace('-', '_')}": self._by_seed(of) for part, of in CLAIMED.items()}
        others = sorted(set(self.table["architecture"]) - {BASE.architecture})
        return said | baselines | seeds | {
            "n_quality": self.table["sae"].nunique(), "n_tasks": self.n_tasks,
            "quality_others": ", ".join(others) or "none", "chance_probe_loss": f"{np.log(2):.3f}",
        }  # fmt: skip

    def _by_seed(self, measure: str) -> str:
        """Largest difference of another seed from the first at one size."""
        rows = self.table[self.table["measure"] == measure]
        sizes = rows.groupby(["architecture", "d_sae", "k"])["value"]
        off = (rows["value"] - sizes.transform("first"))[rows["seed"] > 0]
        return f"{off.abs().max():.4f}" if len(off) else "(not measured)"


def compare_quality(numbers: Numbers) -> Quality:
    """Take the stored measures of those SAEs that have them."""
    grid, settings = numbers.grid, numbers.settings
    recipes = {sae: recipe for sae, recipe in grid.recipes.items() if "quality" in grid.stamps[sae]}
    saes = sorted(recipes, key=lambda sae: (recipes[sae].d_sae, recipes[sae].k, recipes[sae].seed))
    how = {"n_resamples": settings.n_resamples, "seed": settings.seed}
    about = pd.DataFrame(
        [
            (sae, recipes[sae].architecture, recipes[sae].d_sae, int(recipes[sae].k), recipes[sae].seed)
            for sae in saes
        ],
        columns=ABOUT,
    )
    drawn = {measure: samples(grid, saes, measure, **how) for measure in SHOWN} if saes else {}
    parts = [
        pd.concat([about.assign(measure=measure), points.estimates(of)], axis=1)
        for measure, of in drawn.items()
    ]
    table = pd.concat(parts, ignore_index=True) if parts else _none()
    first = (about["architecture"] == BASE.architecture) & (about["k"] == BASE.k) & (about["seed"] == 0)
    slopes = {
        measure: _slope(about[first], drawn[measure][:, first.to_numpy()]) if saes else NONE
        for measure in SHOWN
    }
    baselines = {
        measure: points.estimate(samples(grid, [TEXT], measure, **how)[:, 0]) if saes else NONE
        for measure in (PROBES, EFFECTS)
    }
    return Quality(table, baselines, slopes, len(grid.quality.get("tasks", [])))


NONE = Estimate(np.nan, np.nan, np.nan)


def _none() -> pd.DataFrame:
    return pd.DataFrame(columns=[*ABOUT, "measure", "value", "low", "high"])


def _slope(about: pd.DataFrame, drawn: Samples) -> Estimate:
    return points.estimate(points.doubling_n(about, drawn))


def _signed(estimate: Estimate) -> str:
    if np.isnan(estimate.value):
        return "(not measured)"
    return f"{estimate.value:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]"

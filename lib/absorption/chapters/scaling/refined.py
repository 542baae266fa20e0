"""Chapter 15: activations refined at fixed support, by SAE."""

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
from absorption.scaling.measure import ORIGINAL, ORIGINAL_ERROR, REFINED, REFINED_ERROR

TOPK, L1 = "topk", "standard"


@dataclass(frozen=True)
class Shrinkage(Findings):
    """One row an SAE."""

    table: pd.DataFrame
    """``sae, architecture, d_sae, k``; ``value`` with ends: refined over original activations; ``gain`` with ends:
    share of the squared error that refining takes away."""

    @property
    def shown(self) -> pd.DataFrame:
        """What a reader sees, furthest from 1 first."""
        order = (self.table["value"] - 1).abs().sort_values(ascending=False).index
        columns = ["sae", "value", "low", "high", "gain", "gain_low", "gain_high"]
        return self.table.loc[order, columns].rename(columns={"value": "ratio"})

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every SAE."""
        return {"refined-activations": self.table}

    def claims(self) -> pd.DataFrame:
        """The TopK SAE that is furthest from 1, and ReLU with an L1 penalty."""
        note = "interval over text"
        parts = [
            claim("shrinkage", self._furthest(TOPK), part="topk", note=note),
            claim(
                "shrinkage", self._furthest(L1), part="l1", note=note if self._has(L1) else "not measured yet"
            ),
        ]
        return pd.concat(parts, ignore_index=True)

    def _has(self, architecture: str) -> bool:
        return bool((self.table["architecture"] == architecture).any())

    def _furthest(self, architecture: str) -> Estimate:
        rows = self.table[self.table["architecture"] == architecture]
        if rows.empty:
            return Estimate(np.nan, np.nan, np.nan)
        row = rows.to_dict("records")[int((rows["value"] - 1).abs().to_numpy().argmax())]
        return Estimate(*(float(row[name]) for name in ("value", "low", "high")))

    def numbers(self) -> Mapping[str, Any]:
        """The ends of the ratios and gains of TopK SAEs, and which other architectures there are."""
        mine = self.table[self.table["architecture"] == TOPK]
        others = sorted(set(self.table["architecture"]) - {TOPK})
        return {
            "n_refined": len(self.table),
            "ratios_topk": f"{mine['value'].min():.3f} to {mine['value'].max():.3f}",
            "gains_topk": f"{mine['gain'].min():.1%} to {mine['gain'].max():.1%}",
            "refined_others": ", ".join(others) or "none",
        }


def refine_activations(numbers: Numbers) -> Shrinkage:
    """Ratios of sums over the text, for every SAE of which activations were refined."""
    grid, settings = numbers.grid, numbers.settings
    rows = []
    for sae, recipe in sorted(grid.recipes.items(), key=lambda one: (one[1].d_sae, one[1].k)):
        sums = {name: grid.values(sae, name) for name in (ORIGINAL, REFINED, ORIGINAL_ERROR, REFINED_ERROR)}
        counts = points.draws(len(sums[ORIGINAL]), settings.n_resamples, settings.seed)
        drawn = {name: counts @ of for name, of in sums.items()}
        ratio = points.estimate(drawn[REFINED] / drawn[ORIGINAL])
        gain = points.estimate(1 - drawn[REFINED_ERROR] / drawn[ORIGINAL_ERROR])
        about = (sae, recipe.architecture, recipe.d_sae, int(recipe.k))
        rows.append((*about, ratio.value, ratio.low, ratio.high, gain.value, gain.low, gain.high))
    columns = ["sae", "architecture", "d_sae", "k", "value", "low", "high", "gain", "gain_low", "gain_high"]
    return Shrinkage(pd.DataFrame(rows, columns=columns))

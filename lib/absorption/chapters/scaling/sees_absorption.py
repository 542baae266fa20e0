"""Chapter 15: whether SAEs of higher quality absorb less, by any measure and definition, and beyond their size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import rankdata

from absorption.base.statistics import interval
from absorption.chapters.findings import Findings
from absorption.chapters.scaling.beside_absorption import BesideAbsorption
from absorption.chapters.scaling.quality import Quality
from absorption.scaling.quality_samples import MEASURES

N, K = "number of latents", "active latents"
LEAST = 6
"""SAEs below which nothing is correlated: two more than the correlation beyond size takes off."""
N_DRAWS = 1000


@dataclass(frozen=True)
class SeesAbsorption(Findings):
    """One row a measure and definition."""

    table: pd.DataFrame
    """``measure, definition, saes, correlation, low, high, beyond_size``."""
    by_chance: float
    """How often the largest correlation beyond size is as large when rates are dealt to SAEs at random."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every pair."""
        return {"grid-quality-absorption": self.table}

    def numbers(self) -> Mapping[str, Any]:
        """How many pairs have a sign, and the strongest correlation that size itself has."""
        sizes = self.table["measure"].isin([N, K])
        measures, size = self.table[~sizes], self.table[sizes]
        clear = (measures["low"] > 0) | (measures["high"] < 0)
        return {
            "n_pairs": len(measures),
            "n_clear": int(clear.sum()),
            "n_compared": int(self.table["saes"].max()) if len(self.table) else 0,
            "beyond_largest": _said(measures, "beyond_size"),
            "beyond_by_chance": "(not measured)" if np.isnan(self.by_chance) else f"{self.by_chance:.1%}",
            "size_correlation": _said(size, "correlation"),
        }


def _said(rows: pd.DataFrame, column: str) -> str:
    """The largest correlation of some rows, and whose it is."""
    if not rows[column].notna().any():
        return "(not measured)"
    row = rows.to_dict("records")[int(np.nanargmax(rows[column].abs().to_numpy(dtype=float)))]
    return f"{row[column]:+.2f}, of the {row['measure']} and the rate of {row['definition']}"


def set_quality_beside(quality: Quality, absorbed: BesideAbsorption, seed: int = 0) -> SeesAbsorption:
    """Correlate measures with absorption rates over the SAEs that have both, and size with the rates too.

    Args:
        quality: measures.
        absorbed: rates.
        seed: of the resamples of SAEs.
    """
    wide = quality.table.pivot(index=["sae", "d_sae", "k"], columns="measure", values="value").reset_index()
    wide = wide.assign(**{N: wide["d_sae"], K: wide["k"]})
    rates = absorbed.table.drop_duplicates(["sae", "definition"])
    rows = []
    for definition, mine in rates.groupby("definition", sort=False):
        both = wide.merge(mine[["sae", "value"]], on="sae").dropna(subset=["value"])
        for measure in (*MEASURES, N, K):
            found = (np.nan,) * 4
            if len(both) >= LEAST:
                found = _correlate(both, measure, seed)
            rows.append((measure, definition, len(both), *found))
    columns = ["measure", "definition", "saes", "correlation", "low", "high", "beyond_size"]
    table = pd.DataFrame(rows, columns=columns)
    every = wide.merge(rates.pivot(index="sae", columns="definition", values="value").dropna(), on="sae")
    enough = len(every) >= LEAST
    return SeesAbsorption(
        table, _by_chance(every, list(rates["definition"].unique()), seed) if enough else np.nan
    )


def _by_chance(every: pd.DataFrame, definitions: list[str], seed: int) -> float:
    size = np.log(every[["d_sae", "k"]].to_numpy(dtype=float))
    x, y = (
        unit_residuals(every[list(names)].to_numpy(dtype=float), size) for names in (MEASURES, definitions)
    )
    draw = np.random.default_rng(seed)
    dealt = [np.abs(x.T @ y[draw.permutation(len(y))]).max() for _ in range(N_DRAWS)]
    return float(np.mean(np.array(dealt) >= np.abs(x.T @ y).max()))


def _correlate(both: pd.DataFrame, measure: str, seed: int) -> tuple[float, ...]:
    x, y = (both[name].to_numpy(dtype=float) for name in (measure, "value"))
    drawn = np.random.default_rng(seed).integers(len(x), size=(N_DRAWS, len(x)))
    low, high = interval(rank_correlation(x[drawn], y[drawn]))
    size = np.log(both[["d_sae", "k"]].to_numpy(dtype=float))
    beyond = np.nan if measure in (N, K) else beyond_size(x, y, size)
    return float(rank_correlation(x[None], y[None])[0]), float(low), float(high), beyond


def rank_correlation(
    x: Float[np.ndarray, "draw sae"], y: Float[np.ndarray, "draw sae"]
) -> Float[np.ndarray, " draw"]:
    """Spearman's correlation of each row; NaN where all values of a row are one."""
    ranks = [rankdata(of, axis=1) for of in (x, y)]
    a, b = (of - of.mean(1, keepdims=True) for of in ranks)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


def beyond_size(
    x: Float[np.ndarray, " sae"], y: Float[np.ndarray, " sae"], size: Float[np.ndarray, "sae 2"]
) -> float:
    """Correlation of what is left of both when what is linear in the logarithms of n and k is taken off."""
    left = unit_residuals(np.stack([x, y], axis=1), size)
    return float(left[:, 0] @ left[:, 1])


def unit_residuals(
    columns: Float[np.ndarray, "sae column"], size: Float[np.ndarray, "sae 2"]
) -> Float[np.ndarray, "sae column"]:
    """What a linear fit on the sizes leaves of each column, of length 1."""
    design = np.concatenate([np.ones((len(size), 1)), size], axis=1)
    left = columns - design @ np.linalg.lstsq(design, columns, rcond=None)[0]
    return left / np.linalg.norm(left, axis=0).clip(1e-12)

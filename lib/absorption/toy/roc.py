"""How well a score finds few true pairs among many: ROC, average precision, and chance beside both.

scikit-learn's ``roc_auc_score`` and ``average_precision_score`` with ``sample_weight`` give the same areas, but sort
the pairs anew for every resample: of 60,000 pairs a resample took 28 times as long (CPU time of one thread, mean of
20), and there are hundreds of resamples of each score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from absorption.base.statistics import interval

N_RESAMPLES = 200


def areas(pairs: pd.DataFrame, scores: Sequence[str], *, unit: str, seed: int = 0) -> pd.DataFrame:
    """Area under the ROC curve and average precision of each score.

    Args:
        pairs: ``truth``, ``unit`` and a column a score, one row a pair.
        scores: columns to evaluate.
        unit: column of what is resampled (SAEs, letters): pairs of one unit are not independent.
        seed: of the bootstrap.

    Returns:
        ``score, auc, auc_low, auc_high, precision, precision_low, precision_high, base_rate, n_pairs, n_true``;
        ``precision`` is average precision, whose chance level is ``base_rate``. NaN without true pairs.
    """
    truth = pairs["truth"].to_numpy(dtype=bool)
    weights = [np.ones(len(truth)), *_weights(pairs[unit].to_numpy(), seed)]
    counts = {"base_rate": float(truth.mean()), "n_pairs": len(truth), "n_true": int(truth.sum())}
    rows = []
    for name in scores:
        ranked = _Ranked(pairs[name].to_numpy(dtype=np.float64), truth)
        drawn = np.array([ranked.areas(weight) for weight in weights])
        row: dict[str, object] = {"score": name}
        for column, values in zip(("auc", "precision"), drawn.T, strict=True):
            low, high = interval(values[1:])
            row |= {column: float(values[0]), f"{column}_low": float(low), f"{column}_high": float(high)}
        rows.append({**row, **counts})
    return pd.DataFrame(rows)


def _weights(units: np.ndarray, seed: int) -> list[np.ndarray]:
    """How often each row counts in each resample of the units."""
    names, place = np.unique(units, return_inverse=True)
    random = np.random.default_rng(seed)
    draws = random.integers(len(names), size=(N_RESAMPLES, len(names)))
    return [np.bincount(draw, minlength=len(names))[place].astype(np.float64) for draw in draws]


class _Ranked:
    """Pairs sorted by a score once, so that each resample costs two sums."""

    def __init__(self, values: np.ndarray, truth: np.ndarray) -> None:
        self.order = np.argsort(-values, kind="stable")
        self.truth = truth[self.order]
        ordered = values[self.order]
        self.ends = np.append(
            np.flatnonzero(np.diff(ordered)), len(ordered) - 1
        )  # last of each group of ties

    def areas(self, weights: np.ndarray) -> tuple[float, float]:
        """Area under the ROC curve and average precision; NaN without both kinds of pairs."""
        mine = weights[self.order]
        hits = np.cumsum(mine * self.truth)[self.ends]
        said = np.cumsum(mine)[self.ends]
        false = said - hits
        if hits[-1] == 0 or false[-1] == 0:
            return float("nan"), float("nan")
        rise = np.diff(hits, prepend=0.0)
        area = float(np.sum(np.diff(false, prepend=0.0) * (hits - rise / 2)) / hits[-1] / false[-1])
        precision = np.divide(hits, said, out=np.zeros_like(hits), where=said > 0)
        return area, float(np.sum(rise * precision) / hits[-1])


def curves(pairs: pd.DataFrame, scores: Sequence[str], n_points: int = 100) -> pd.DataFrame:
    """ROC curves: ``score, false_rate, true_rate``, thinned to about ``n_points`` a score."""
    truth = pairs["truth"].to_numpy(dtype=bool)
    tables = []
    for name in scores:
        false_rate, true_rate, _ = roc_curve(truth, pairs[name].to_numpy(dtype=np.float64))
        grid = np.unique(
            np.concatenate([np.linspace(0, 1, n_points // 2), np.geomspace(1e-5, 1, n_points // 2)])
        )
        tables.append(
            pd.DataFrame(
                {"score": name, "false_rate": grid, "true_rate": np.interp(grid, false_rate, true_rate)}
            )
        )
    return pd.concat(tables, ignore_index=True)


def precision_at(pairs: pd.DataFrame, score: str, counts: Sequence[int]) -> pd.DataFrame:
    """Share of true pairs among the first k by a score: ``k, precision, base_rate``; ties in the order given."""
    ordered = pairs.sort_values(score, ascending=False, kind="stable")["truth"].to_numpy(dtype=float)
    kept = [k for k in counts if k <= len(ordered)]
    return pd.DataFrame(
        {"k": kept, "precision": [ordered[:k].mean() for k in kept], "base_rate": float(ordered.mean())}
    )

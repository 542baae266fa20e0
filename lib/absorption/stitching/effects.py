"""Tables of insertions: each latent's change of the error, shares of either kind, and how well the cosine tells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from absorption.base.statistics import interval, resample_counts
from absorption.stitching.measure import PairSums
from absorption.stitching.pairs import THRESHOLD, Pair

N_RESAMPLES = 400
THRESHOLDS = (0.5, 0.6, THRESHOLD, 0.8, 0.9)
"""Cosines at which latents are parted into novel and similar ones."""
NOVEL, SIMILAR = "novel", "similar"
OVERLAP, ENERGY, ACTIVE = range(3)
"""Rows of ``insertion_sums``."""


def insertions(pair: Pair, sums: PairSums, tokens: Float[np.ndarray, " batch"]) -> pd.DataFrame:
    """Every latent of the larger SAE, inserted alone into the smaller one.

    Returns:
        ``pair, latent, nearest, cosine, kind, l0`` (how much it adds to L0: the share of tokens on which it is active),
        ``change`` (of the squared error, per token), ``relative`` (the change over what the latent writes, squared:
        -1 if all of that was missing, 1 if none of it) and ``sign`` (``lower``, ``raise``, or ``never on``).
    """
    total = sums.insertion.sum(0)
    change = _change(total)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = change / total[ENERGY]
    cosine = pair.cosines
    sign = np.where(total[ACTIVE] == 0, "never on", np.where(change < 0, "lower", "raise"))
    return pd.DataFrame(
        {
            "pair": pair.name, "latent": np.arange(len(cosine)), "nearest": pair.nearest[1].numpy(), "cosine": cosine,
            "kind": np.where(cosine < THRESHOLD, NOVEL, SIMILAR), "l0": total[ACTIVE] / tokens.sum(),
            "change": change / tokens.sum(), "relative": relative, "sign": sign,
        }
    )  # fmt: skip


def _change(sums: Float[np.ndarray, "... 3 latent"]) -> Float[np.ndarray, "... latent"]:
    return sums[..., ENERGY, :] - 2 * sums[..., OVERLAP, :]


class Resampled:
    """Insertions of one pair, drawn again many times: batches of the text, and latents."""

    def __init__(self, pair: Pair, sums: PairSums, *, n: int = N_RESAMPLES, seed: int = 0) -> None:
        self.cosine = pair.cosines
        batches = resample_counts(len(sums.insertion), n_resamples=n, seed=seed)
        batches = np.concatenate([np.ones((1, batches.shape[1])), batches])
        self.change = np.tensordot(batches, _change(sums.insertion), axes=1)
        self.on = np.tensordot(batches, sums.insertion[:, ACTIVE], axes=1) > 0
        latents = resample_counts(len(self.cosine), n_resamples=n, seed=seed + 1)
        self.latents = np.concatenate([np.ones((1, len(self.cosine))), latents])

    def share(self, of: np.ndarray, within: np.ndarray) -> tuple[float, float, float]:
        """Share of some latents among others, with its interval; both ``resample latent`` or `` latent``."""
        inside = (self.latents * within).sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = (self.latents * (within & of)).sum(1) / inside
        return _with_interval(values)

    def novel(self, threshold: float) -> Float[np.ndarray, " resample"]:
        """Share of novel latents in each draw, the first of them with each latent once."""
        return self.latents @ (self.cosine < threshold) / self.latents.sum(1)

    def shares(self, threshold: float) -> dict[str, tuple[float, float, float]]:
        """Novel ones among all, of these those that lower the error, and of the others those that raise it."""
        novel = np.broadcast_to(self.cosine < threshold, self.on.shape)
        lower = self.change < 0
        return {
            "novel": self.share(novel, np.ones_like(novel)),
            "novel that lower the error": self.share(lower, novel & self.on),
            "similar that raise the error": self.share(~lower, ~novel & self.on),
        }

    def area(self) -> tuple[float, float, float]:
        """Area under the ROC curve of the cosine for "raises the error", with its interval; NaN with one sign alone."""
        order = np.argsort(self.cosine, kind="stable")
        values = [
            _area(self.cosine[order], (change >= 0)[order], (weight * on)[order])
            for change, weight, on in zip(self.change, self.latents, self.on, strict=True)
        ]
        return _with_interval(np.array(values))


def _with_interval(values: np.ndarray) -> tuple[float, float, float]:
    low, high = interval(values[1:])
    return float(values[0]), float(low), float(high)


def _area(score: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> float:
    """Weighted area under the ROC curve; scores ascend; ties count half."""
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    hits = np.diff(np.cumsum(weight * positive)[ends], prepend=0.0)
    misses = np.diff(np.cumsum(weight * ~positive)[ends], prepend=0.0)
    if hits.sum() == 0 or misses.sum() == 0:
        return float("nan")
    below = np.cumsum(misses) - misses / 2
    return float((hits * below).sum() / hits.sum() / misses.sum())


def shares_by_threshold(
    resampled: dict[str, Resampled], thresholds: Sequence[float] = THRESHOLDS
) -> pd.DataFrame:
    """``pair, threshold, quantity, value, low, high``: see ``Resampled.shares``."""
    rows = [
        (name, threshold, quantity, *estimate)
        for name, one in resampled.items()
        for threshold in thresholds
        for quantity, estimate in one.shares(threshold).items()
    ]
    return pd.DataFrame(rows, columns=["pair", "threshold", "quantity", "value", "low", "high"])


def areas(resampled: dict[str, Resampled]) -> pd.DataFrame:
    """``pair, value, low, high``: area under the ROC curve of the cosine, one row a pair."""
    return pd.DataFrame(
        [(name, *one.area()) for name, one in resampled.items()], columns=["pair", "value", "low", "high"]
    )


def roc_curves(table: pd.DataFrame, n_points: int = 60) -> pd.DataFrame:
    """ROC curves of the cosine as a score for "raises the error": ``pair, false_rate, true_rate``.

    Args:
        table: as ``insertions`` gives it, of any pairs.
    """
    grid = np.linspace(0, 1, n_points)
    parts = []
    for name, rows in table[table["sign"] != "never on"].groupby("pair", sort=False):
        ordered = rows.sort_values("cosine", ascending=False)["sign"].to_numpy() == "raise"
        true, false = (np.append(0, np.cumsum(which)) for which in (ordered, ~ordered))
        if true[-1] and false[-1]:
            curve = np.interp(grid, false / false[-1], true / true[-1])
            parts.append(pd.DataFrame({"pair": name, "false_rate": grid, "true_rate": curve}))
    columns = ["pair", "false_rate", "true_rate"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

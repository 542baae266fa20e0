"""Tables of insertions: each latent's change of the error, shares of either kind, and how well the cosine tells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import t

from absorption.base.statistics import LEVEL, interval, resample_counts
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
    """Insertions of one pair with what draws them again: latents by a bootstrap, the text by leaving out one batch.

    A bootstrap of the text would be wrong here: whether a rare latent lowers the error is a sign, and in a text drawn
    with repetitions, which is a noisier one, more signs are wrong. The value itself can then lie outside its interval.
    """

    def __init__(self, pair: Pair, sums: PairSums, *, n: int = N_RESAMPLES, seed: int = 0) -> None:
        self.cosine = pair.cosines
        total = sums.insertion.sum(0)
        without = total - sums.insertion if len(sums.insertion) > 1 else total[None][:0]
        texts = np.concatenate([total[None], without])
        self.change = _change(texts)
        """``text latent``: of the whole text, and then without each batch."""
        self.on = texts[:, ACTIVE] > 0
        latents = resample_counts(len(self.cosine), n_resamples=n, seed=seed + 1)
        self.latents = np.concatenate([np.ones((1, len(self.cosine))), latents])
        """``resample latent``: how often each is drawn; first, each once."""

    def share(self, of: np.ndarray, within: np.ndarray) -> tuple[float, float, float]:
        """Share of some latents among others, with its interval; both ``text latent``."""
        with np.errstate(invalid="ignore", divide="ignore"):
            texts = (within & of).sum(1) / within.sum(1)
            draws = self.latents[1:] @ (within & of)[0] / (self.latents[1:] @ within[0])
        return both_intervals(texts, draws)

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

        def area(text: int, weight: np.ndarray) -> float:
            return _area(self.cosine[order], (self.change[text] >= 0)[order], (weight * self.on[text])[order])

        texts = [area(text, self.latents[0]) for text in range(len(self.change))]
        return both_intervals(np.array(texts), np.array([area(0, weight) for weight in self.latents[1:]]))


def both_intervals(
    texts: Float[np.ndarray, " text"], draws: Float[np.ndarray, " resample"]
) -> tuple[float, float, float]:
    """A share's value, and an interval over latents and text: both deviations, which are independent, in squares.

    Args:
        texts: the value, and then the value without each batch of the text (jackknife; Efron and Stein 1981); the value
            alone where there is one batch, whose share of the deviation is then unknown and left out.
        draws: the value for latents drawn again, from the whole text.
    """
    value, without = float(texts[0]), texts[1:]
    text = 0.0
    if n := len(without):
        text = float(t.ppf((1 + LEVEL) / 2, n - 1) * np.sqrt((n - 1) * np.var(without)))
    low, high = (float(end) for end in interval(draws))
    low, high = np.clip([value - np.hypot(value - low, text), value + np.hypot(high - value, text)], 0, 1)
    return value, float(low), float(high)


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

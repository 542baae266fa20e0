"""Intervals: bootstrap over words, for rates, scores and their means over letters.

A word is the unit of resampling everywhere: the same resampled words serve all letters, so that the interval
of a mean over letters is right although the letters share their negatives.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped
from scipy.stats import norm

N_RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "(not measured)"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def resample_counts(
    n_words: int,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    groups: Shaped[np.ndarray, " word"] | None = None,
) -> Float[np.ndarray, "resample word"]:
    """How often each word is drawn in each bootstrap resample; every row sums to ``n_words``.

    Args:
        n_words: how many there are.
        n_resamples: rows.
        seed: of the draws.
        groups: what is drawn instead, such as each word's stem: as many groups as there are, each with all of
            its words; then a row's sum varies.
    """
    if groups is not None:
        _, member = np.unique(groups, return_inverse=True)
        return resample_counts(int(member.max(initial=-1)) + 1, n_resamples=n_resamples, seed=seed)[:, member]
    generator = np.random.default_rng(seed)
    draws = generator.integers(n_words, size=(n_resamples, n_words))
    draws += np.arange(n_resamples)[:, None] * n_words
    counts = np.bincount(draws.ravel(), minlength=n_resamples * n_words)
    return counts.reshape(n_resamples, n_words).astype(np.float32)


def interval(samples: np.ndarray, level: float = LEVEL) -> tuple:
    """Low and high percentile over the first axis (resamples), ignoring resamples in which the value is undefined."""
    tail = 100 * (1 - level) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")  # undefined in every resample: the interval is NaN
        low, high = np.nanpercentile(samples, [tail, 100 - tail], axis=0)
    return low, high


def mean_interval(
    values: Shaped[np.ndarray, " word"], *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> Estimate:
    """Mean over words (numbers, or True and False) and its percentile bootstrap interval; NaN for no words."""
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        return Estimate(np.nan, np.nan, np.nan)
    means = resample_counts(len(values), n_resamples=n_resamples, seed=seed) @ values / len(values)
    return Estimate(float(values.mean()), *map(float, interval(means)))


def score_interval(share: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Score interval of a share of ``n`` words (Wilson 1927); with none or all of them it still has a width."""
    z = float(norm.ppf((1 + level) / 2))
    centre = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return max(0.0, float((centre - half) / scale)), min(1.0, float((centre + half) / scale))


def confusion_scores(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> dict[str, Float[np.ndarray, ...]]:
    """Precision, recall and F1 from counts; precision of no predictions is 0, as in scikit-learn."""
    precision = tp / np.maximum(tp + fp, 1e-12)
    recall = tp / np.maximum(tp + fn, 1e-12)
    f1 = 2 * tp / np.maximum(2 * tp + fp + fn, 1e-12)
    return {"precision": precision, "recall": recall, "f1": f1}


def score_samples(
    predicted: Bool[np.ndarray, "word letter"],
    truth: Bool[np.ndarray, "word letter"],
    counts: Float[np.ndarray, "resample word"],
) -> dict[str, Float[np.ndarray, "resample letter"]]:
    """Precision, recall and F1 of every letter in every bootstrap resample."""
    tp = counts @ (predicted & truth).astype(np.float32)
    fp = counts @ (predicted & ~truth).astype(np.float32)
    fn = counts @ (~predicted & truth).astype(np.float32)
    return confusion_scores(tp, fp, fn)


def rate_table(
    table: pd.DataFrame, value: str, by: list[str], *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Mean of a column by group, with its bootstrap interval over words: ``*by, value, low, high, words``."""
    rows = []
    for key, group in table.groupby(by, sort=True):
        estimate = mean_interval(group[value].to_numpy(), n_resamples=n_resamples, seed=seed)
        rows.append((*key, estimate.value, estimate.low, estimate.high, len(group)))
    return pd.DataFrame(rows, columns=[*by, "value", "low", "high", "words"])


def ratio_table(
    table: pd.DataFrame,
    numerator: str,
    denominator: str,
    by: list[str],
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean of one column over the mean of another, by group, with its interval over words.

    Columns ``*by, share, low, high, words``; both means are taken over the same resampled words.
    """
    rows = []
    for key, group in table.groupby(by, sort=False):
        top, bottom = (group[name].to_numpy(dtype=np.float64) for name in (numerator, denominator))
        counts = resample_counts(len(group), n_resamples=n_resamples, seed=seed)
        with np.errstate(invalid="ignore", divide="ignore"):
            low, high = interval((counts @ top) / (counts @ bottom))
            share = float(np.float64(top.sum()) / bottom.sum())
        rows.append((*key, share, float(low), float(high), len(group)))
    return pd.DataFrame(rows, columns=[*by, "share", "low", "high", "words"])


def holm(p: Shaped[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """Holm's adjusted p-values (1979): the smallest times the number of tests, the next times one fewer, and so on,
    never falling and at most 1. NaN is no test and stays NaN."""
    p = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1.0)
    return adjusted

"""Absorption by how far below its label a word lies in the hierarchy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate, interval, mean_interval, resample_counts, score_interval
from absorption.concepts.measure import Measured
from absorption.definitions.nulls import RANDOM, WRONG
from absorption.definitions.rules import FULL_ABSORPTION

BINS = {"1-2": (1, 2), "3": (3, 3), "4": (4, 4), "5 and more": (5, 99)}
"""Steps from the word up to its label."""


def words_by_depth(measured: Measured, definition: str = FULL_ABSORPTION) -> pd.DataFrame:
    """Judged words of the labels that count: ``label, steps, value`` and ``null``, the mean over all directions."""
    if measured.found is None:
        return pd.DataFrame(columns=["label", "steps", "value", "null"])
    judged, null = measured.found.judged, measured.found.null
    mine = (judged["definition"] == definition).to_numpy()
    drawn = np.concatenate([null.values[definition][kind] for kind in (WRONG, RANDOM)]).mean(axis=0)
    table = judged[mine].assign(null=drawn)
    steps = measured.study.words.table["steps"].to_numpy()[table["word"].to_numpy()]
    table = table.assign(label=table["letter"], steps=steps)
    return table.loc[
        table["label"].isin(measured.valid) & ~np.isnan(steps), ["label", "steps", "value", "null"]
    ].reset_index(drop=True)


def rate_by_depth(words: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Rate in each of ``BINS``: ``steps, words, value, low, high, null``; bins without words are left out.

    At each end the wider of the bootstrap's and the score's interval, so that no absorbed word is not no uncertainty.
    """
    rows = []
    for name, (least, most) in BINS.items():
        mine = words[words["steps"].between(least, most)]
        if len(mine):
            rate = mean_interval(mine["value"].to_numpy(), seed=seed)
            score = score_interval(rate.value, len(mine))
            low, high = min(rate.low, score[0]), max(rate.high, score[1])
            rows.append((name, len(mine), rate.value, low, high, float(mine["null"].mean())))
    return pd.DataFrame(rows, columns=["steps", "words", "value", "low", "high", "null"])


def slope_by_depth(words: pd.DataFrame, *, n_resamples: int = 1000, seed: int = 0) -> Estimate:
    """Change with each step down of the rate less the null, which changes with depth too, among words of one label.

    Words are resampled. NaN without a spread of steps.
    """
    steps = words["steps"].to_numpy(dtype=np.float64)
    value = (words["value"] - words["null"]).to_numpy(dtype=np.float64)
    hot = pd.get_dummies(words["label"]).to_numpy(dtype=np.float64)
    if not len(words) or not _within(steps, hot, np.ones((1, len(words)))).any():
        return Estimate(np.nan, np.nan, np.nan)
    counts = resample_counts(len(words), n_resamples=n_resamples, seed=seed)
    samples = [_slope(steps, value, hot, weights) for weights in counts]
    low, high = interval(np.array(samples))
    return Estimate(_slope(steps, value, hot, np.ones(len(words))), float(low), float(high))


def _within(values: np.ndarray, hot: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values less the weighted mean of their label."""
    weights = weights.reshape(-1)
    means = (hot.T @ (weights * values)) / np.maximum(hot.T @ weights, 1e-12)
    return values - hot @ means


def _slope(steps: np.ndarray, value: np.ndarray, hot: np.ndarray, weights: np.ndarray) -> float:
    x, y = _within(steps, hot, weights), _within(value, hot, weights)
    spread = float(weights @ x**2)
    return float(weights @ (x * y)) / spread if spread > 0 else np.nan

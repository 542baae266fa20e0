"""Intervals and scores against values worked out by hand, by the normal approximation and by scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support

from absorption.base.statistics import (
    confusion_scores,
    interval,
    mean_interval,
    rate_table,
    resample_counts,
    score_samples,
)

Z = 1.959964
"""97.5% point of the normal distribution."""


def _coin(n: int, share: float, seed: int = 0) -> np.ndarray:
    """``n`` zeros and ones with exactly this share of ones."""
    values = np.zeros(n)
    values[: round(n * share)] = 1
    return np.random.default_rng(seed).permutation(values)


def test_each_resample_draws_as_many_words_as_there_are() -> None:
    counts = resample_counts(50, n_resamples=400, seed=3)
    assert counts.shape == (400, 50)
    assert (counts.sum(1) == 50).all()
    # A word is drawn a Binomial(n, 1/n) number of times: mean 1, variance 1 - 1/n.
    assert counts.mean() == 1
    assert counts.var() == pytest.approx(1 - 1 / 50, rel=0.05)
    assert np.abs(counts.mean(0) - 1).max() < 0.25


def test_the_seed_fixes_the_resamples() -> None:
    first, same, other = (resample_counts(20, n_resamples=5, seed=seed) for seed in (1, 1, 2))
    assert (first == same).all()
    assert (first != other).any()


def test_the_interval_of_a_mean_is_the_normal_one_for_many_words() -> None:
    estimate = mean_interval(_coin(1000, 0.3), n_resamples=4000)
    half = Z * math.sqrt(0.3 * 0.7 / 1000)
    assert estimate.value == pytest.approx(0.3)
    assert estimate.low == pytest.approx(0.3 - half, abs=0.1 * half)
    assert estimate.high == pytest.approx(0.3 + half, abs=0.1 * half)


def test_the_interval_holds_the_truth_in_about_95_of_100_samples() -> None:
    generator = np.random.default_rng(0)
    found = [mean_interval(generator.normal(size=100), n_resamples=400, seed=i) for i in range(400)]
    covered = np.mean([estimate.low <= 0 <= estimate.high for estimate in found])
    assert 0.92 <= covered <= 0.97  # two and a half standard errors about the bootstrap's .945 at 100 words


def test_a_mean_of_equal_words_has_no_width_and_no_words_have_no_mean() -> None:
    estimate = mean_interval(np.full(30, 0.25))
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.25, 0.25, 0.25))
    assert all(math.isnan(x) for x in vars(mean_interval(np.array([]))).values())


def test_scores_come_from_counts_as_by_hand() -> None:
    scores = confusion_scores(np.array([8.0, 0, 0]), np.array([2.0, 0, 3]), np.array([8.0, 5, 0]))
    assert scores["precision"] == pytest.approx([0.8, 0, 0])
    assert scores["recall"] == pytest.approx([0.5, 0, 0])
    assert scores["f1"] == pytest.approx([16 / 26, 0, 0])


def test_a_resamples_scores_are_those_of_the_words_repeated() -> None:
    generator = np.random.default_rng(0)
    truth, predicted = generator.random((2, 60, 3)) < 0.4
    counts = resample_counts(60, n_resamples=4)
    found = score_samples(predicted, truth, counts)
    for row, times in enumerate(counts.astype(int)):
        expected = precision_recall_fscore_support(truth.repeat(times, 0), predicted.repeat(times, 0))
        for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
            assert found[name][row] == pytest.approx(values)


def test_resamples_without_a_value_are_left_out() -> None:
    samples = np.concatenate([np.full(500, np.nan), np.arange(101.0)])
    assert interval(samples) == pytest.approx((2.5, 97.5))
    assert interval(samples, level=0.5) == pytest.approx((25, 75))


@pytest.mark.filterwarnings("error")
def test_an_interval_of_nothing_is_undefined_without_a_warning() -> None:
    low, high = interval(np.full((10, 2), np.nan))
    assert np.isnan([low, high]).all()


def test_a_rate_table_has_a_row_a_group_with_its_own_words() -> None:
    table = pd.DataFrame(
        {"letter": list("aab") * 20, "depth": [1] * 30 + [2] * 30, "right": _coin(60, 0.5).astype(bool)}
    )
    rates = rate_table(table, "right", ["letter", "depth"])
    assert list(rates.columns) == ["letter", "depth", "value", "low", "high", "words"]
    assert rates["words"].tolist() == [20, 20, 10, 10]
    expected = table.groupby(["letter", "depth"])["right"].mean().tolist()
    assert rates["value"].tolist() == pytest.approx(expected)
    assert ((rates["low"] <= rates["value"]) & (rates["value"] <= rates["high"])).all()
    assert rate_table(table, "right", ["letter"])["words"].tolist() == [40, 20]


def test_a_resample_by_stem_draws_stems_with_all_their_words() -> None:
    groups = np.array(["cat", "dog", "cat", "cow", "dog", "cat"])
    counts = resample_counts(6, n_resamples=200, seed=0, groups=groups)
    assert (counts[:, 0] == counts[:, 2]).all()
    assert (counts[:, 0] == counts[:, 5]).all()
    assert (counts[:, 1] == counts[:, 4]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()  # three stems are drawn
    assert np.ptp(counts.sum(axis=1)) > 0


def test_words_that_are_all_their_own_stem_are_resampled_as_words() -> None:
    alone = resample_counts(5, n_resamples=50, seed=3, groups=np.array(list("abcde")))
    np.testing.assert_array_equal(alone, resample_counts(5, n_resamples=50, seed=3))

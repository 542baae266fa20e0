"""How far a rate is above its null: intervals against hand-computed ones."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from absorption.base.statistics import Estimate, score_interval
from absorption.concepts.excess import minus, null_of, with_score
from absorption.definitions.nulls import RANDOM, WRONG
from absorption.definitions.rates import Rate

Z2 = 1.959963984540054**2


def labels(*rows: tuple[int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["n_right", "n_candidates", "n_judged"])


def test_the_score_interval_of_none_of_59_words_ends_where_z_squared_says() -> None:
    low, high = score_interval(0.0, 59)
    assert low == 0.0
    assert high == pytest.approx(Z2 / (59 + Z2))
    assert high == pytest.approx(0.0611, abs=5e-5)


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 20), (20, 20), (41, 300)])
def test_the_score_interval_is_that_of_scipy(k: int, n: int) -> None:
    theirs = binomtest(k, n).proportion_ci(method="wilson")
    assert score_interval(k / n, n) == pytest.approx((theirs.low, theirs.high))


def test_a_rate_of_zero_keeps_a_width_that_shrinks_with_its_words() -> None:
    one = with_score(0.0, (0.0, 0.0), labels((59, 4, 59)))
    assert (one.low, one.high) == (0.0, pytest.approx(Z2 / (59 + Z2)))
    two = with_score(0.0, (0.0, 0.0), labels((59, 4, 59), (59, 4, 59)))
    assert two.high == pytest.approx(Z2 / (118 + Z2))  # labels of one size: as of all words together
    uneven = with_score(0.0, (0.0, 0.0), labels((10, 4, 10), (90, 4, 90)))
    assert uneven.high == pytest.approx(Z2 / (36 + Z2))  # 4 / (1 / 10 + 1 / 90)


def test_where_few_candidates_are_judged_the_score_is_theirs_times_the_share_of_candidates() -> None:
    one = with_score(0.0, (0.0, 0.0), labels((100, 20, 5)))
    assert one.high == pytest.approx(0.2 * Z2 / (5 + Z2))
    nothing_judged = with_score(0.0, (0.0, 0.0), labels((100, 20, 5), (50, 0, 0)))
    assert nothing_judged.high == pytest.approx(0.1 * Z2 / (5 + Z2))


def test_the_wider_end_counts() -> None:
    rows = labels((100, 20, 100))
    low, high = score_interval(0.1, 100)
    assert with_score(0.1, (0.01, 0.11), rows) == Estimate(0.1, 0.01, high)
    assert with_score(0.1, (0.09, 0.4), rows) == Estimate(0.1, low, 0.4)


def test_a_differences_ends_are_squared_and_added() -> None:
    found = minus(Estimate(0.5, 0.2, 0.9), Estimate(0.1, 0.02, 0.4))
    assert found.value == pytest.approx(0.4)
    assert found.low == pytest.approx(0.4 - (0.3**2 + 0.3**2) ** 0.5)
    assert found.high == pytest.approx(0.4 + (0.4**2 + 0.08**2) ** 0.5)


def test_a_nulls_interval_holds_the_spread_of_its_directions() -> None:
    # No word changes anything; half of the random directions find .3 and half .1: the mean alone would have no width.
    draws = np.array([0.1, 0.3] * 10)
    samples = {RANDOM: np.tile(draws, (50, 1)), WRONG: np.full((50, 3), 0.05)}
    rate = Rate(0.25, np.full(50, 0.25), {RANDOM: draws, WRONG: np.full(3, 0.05)}, samples)
    null = null_of(rate)
    assert (null.value, null.low, null.high) == pytest.approx((0.2, 0.1, 0.3))

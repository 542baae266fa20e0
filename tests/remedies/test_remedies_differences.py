"""Differences from the baseline: planted ones are found, words cancel, and seeds widen the interval as Student says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.remedies.made_up import made_up

from absorption.remedies.differences import difference, differences, over_seeds, seeds_half_width
from absorption.remedies.measure import FULL


def test_a_planted_difference_is_found_and_one_of_zero_is_not() -> None:
    rows = differences(made_up(), ["OrtSAE", "Matryoshka", "tied", "BatchTopK"], [FULL]).to_dict("records")
    found: dict[str, Any] = {row["arm"]: row for row in rows}
    assert list(found) == ["OrtSAE", "Matryoshka", "tied"]
    assert found["OrtSAE"]["value"] == pytest.approx(-0.065)
    assert found["OrtSAE"]["relative"] == pytest.approx(-0.65)
    assert found["OrtSAE"]["high"] < 0
    assert found["tied"]["low"] > 0
    assert found["Matryoshka"]["low"] < 0 < found["Matryoshka"]["high"]


def test_the_interval_is_welchs_where_words_are_the_same_for_all() -> None:
    found = made_up(wider={"OrtSAE": 5.0})
    row = difference(found, "OrtSAE", FULL)
    assert row is not None
    # Resamples are shared, so the words' share of a difference is nothing.
    assert row["words_low"] == pytest.approx(row["words_high"], abs=1e-6)
    mine, other = ([found.value(sae, FULL) for sae in found.of(arm)] for arm in ("OrtSAE", "BatchTopK"))
    low, high = stats.ttest_ind(mine, other, equal_var=False).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-5)
    assert row["seeds_half_width"] == pytest.approx((high - low) / 2)


def test_an_arm_of_unsteady_seeds_widens_its_own_interval_and_no_other() -> None:
    even, uneven = made_up(), made_up(wider={"tied": 10.0})
    same, wider = (
        [difference(found, arm, FULL)["seeds_half_width"] for found in (even, uneven)]  # type: ignore[index]
        for arm in ("OrtSAE", "tied")
    )
    assert same[0] == same[1]
    assert wider[1] > 5 * wider[0]


def test_seeds_that_do_not_spread_add_nothing() -> None:
    assert seeds_half_width(np.array([0.25, 0.25]), np.array([0.5, 0.5, 0.5])) == 0


def test_one_seed_of_either_leaves_the_spread_open() -> None:
    assert np.isnan(seeds_half_width(np.array([0.2]), np.array([0.1, 0.3, 0.2])))


def test_with_one_seed_everywhere_the_interval_is_over_words_and_says_so() -> None:
    row = difference(made_up(seeds=(0,)), "OrtSAE", FULL)
    assert row is not None
    assert np.isnan(row["seeds_half_width"])
    assert row["low"] == pytest.approx(row["words_low"])


def test_remedies_on_topk_are_compared_with_topk() -> None:
    row = difference(made_up(), "tied TopK", FULL)
    assert row is not None
    assert (row["baseline"], row["value"]) == ("TopK", pytest.approx(0.02 - 0.11))


def test_an_arm_without_an_sae_has_no_difference() -> None:
    found = made_up(arms=("BatchTopK", "tied"))
    assert difference(found, "C2R", FULL) is None
    assert list(differences(found, ["C2R", "tied"], [FULL])["arm"]) == ["tied"]


def test_means_over_seeds_have_the_range_of_the_seeds_and_their_null() -> None:
    row: Any = over_seeds(made_up(), FULL).set_index("arm").loc["C2R"].to_dict()
    assert row["value"] == pytest.approx(0.08)
    assert (row["lowest"], row["highest"]) == pytest.approx((0.076, 0.084))
    assert row["null"] == pytest.approx(0.014)
    assert row["seeds"] == 4

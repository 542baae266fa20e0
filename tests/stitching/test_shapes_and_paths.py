"""Curves over insertions, and stitched SAEs beside trained ones of the same size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.stitching.hand_set import UNIT, make_sae

from absorption.stitching import paths, shapes
from absorption.stitching.insertion import change_by_insertion
from absorption.stitching.measure import Plan, Sums, make_plan


def table() -> pd.DataFrame:
    """Forty latents of one pair; the last is never on."""
    cosine = np.linspace(0.005, 0.995, 40)
    relative = np.where(np.arange(40) < 20, -1.0, 0.9)
    kind, sign = np.where(cosine < 0.7, "novel", "similar"), np.where(relative < 0, "lower", "raise")
    found = pd.DataFrame({"pair": "a", "cosine": cosine, "relative": relative, "kind": kind, "sign": sign})
    found.loc[39, ["relative", "sign"]] = [np.nan, "never on"]
    return found


@pytest.mark.parametrize("cosine", [0.0, 0.3, 0.7, 0.72, 1.0])
def test_the_predicted_change_is_that_of_the_insertion_carried_out(cosine: float) -> None:
    assert shapes.predicted_change(cosine) == pytest.approx(change_by_insertion(cosine), abs=1e-12)


def test_the_predicted_sign_turns_at_the_square_root_of_one_half() -> None:
    curve = shapes.predicted_curve(2001)
    first = curve.loc[curve["value"] >= 0, "cosine"].min()
    assert first == pytest.approx(0.5**0.5, abs=1e-3)


def test_a_histogram_counts_every_latent_that_is_on_once_also_far_out() -> None:
    far = table()
    far.loc[0, "relative"] = -70.0
    found = shapes.histogram(far)
    assert found["share"].sum() == pytest.approx(1)
    first = found[(found["kind"] == "novel") & (found["change"] == found["change"].min())]
    assert first["share"].item() == pytest.approx(1 / 39)
    raised = found[found["change"] > 0].groupby("kind")["share"].sum()
    assert raised.to_dict() == pytest.approx({"novel": 8 / 39, "similar": 11 / 39})


def test_medians_stand_at_the_middle_of_their_bin_and_small_bins_are_left_out() -> None:
    found = shapes.against_cosine(table(), width=0.5)
    assert found["cosine"].tolist() == [0.25, 0.75]
    assert found["value"].tolist() == [-1.0, 0.9]
    assert found["latents"].tolist() == [20, 19]
    assert shapes.against_cosine(table(), width=0.1).empty


def plan_of(*widths: int) -> Plan:
    """SAEs of these widths; of every wider one only the last latent has a like in the narrower."""
    saes = []
    for place, width in enumerate(widths):
        rows = UNIT[[place] * (width - 1) + [7]]
        saes.append(make_sae(f"w{width}", rows, rows))
    return make_plan(saes)


def test_a_stitched_sae_is_compared_between_the_widths_that_enclose_it() -> None:
    plan = plan_of(2, 3, 8)
    assert paths.stitched_sizes(plan.neighbours) == [4, 11]
    errors, l0s = [[12.0, 8.0, 4.0]], [[2.0, 3.0, 5.0]]
    tokens, stitched = np.array([2.0]), np.array([[[5.0, 4.0], [6.0, 9.0]]])
    sums = Sums(tokens, np.array([errors + l0s]).reshape(1, 2, 3), (), stitched)
    size, error, l0 = paths.at_equal_size(plan, sums)
    assert size == 4  # 11 is wider than all trained ones
    share = np.log(4 / 3) / np.log(8 / 3)
    assert error.value == pytest.approx(5.0 / (8 - 4 * share) - 1)
    assert l0.value == pytest.approx((6.0 - (3 + 2 * share)) / 2)
    assert paths.stitched(plan, sums)["error"].tolist() == [2.5, 2.0]
    assert paths.trained(plan, sums)["l0"].tolist() == [1.0, 1.5, 2.5]


def test_where_every_stitched_sae_is_wider_than_all_trained_ones_nothing_is_compared() -> None:
    plan = plan_of(5, 6)
    sums = Sums(np.array([1.0]), np.ones((1, 2, 2)), (), np.ones((1, 2, 1)))
    size, error, l0 = paths.at_equal_size(plan, sums)
    assert size == 10
    assert np.isnan([error.value, l0.low]).all()

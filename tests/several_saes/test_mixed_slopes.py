"""Slopes over letters and SAEs: a planted truth comes back, and seeds and letters widen the interval."""

from __future__ import annotations

import dataclasses
import string
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from absorption import several_saes
from absorption.several_saes import mixed_slopes as module
from absorption.several_saes.mixed_slopes import LETTER_L0, SAE, fit_members, mixed_slopes, seeds_by_point
from absorption.several_saes.seeds import PER_L0, PER_WIDTH

LETTERS = list(string.ascii_lowercase)
TOPK = [("topk", width, k) for width in (1024, 4096, 8192) for k in (12, 24, 96)]
SIZES = [*TOPK, ("topk", 8192, 12), ("batchtopk", 8192, 12), ("batchtopk", 8192, 12)]
L0_SLOPE, WIDTH_SLOPE, DIFFERENCE = -0.02, 0.005, 0.03


def planted(
    seed: int = 0, *, of_sae: float = 0.004, of_slope: float = 0.0, rest: float = 0.01
) -> pd.DataFrame:
    """Rates of 26 letters in twelve SAEs, of known slopes and known spreads of SAEs and of letters' slopes."""
    random = np.random.default_rng(seed)
    letter = dict(zip(LETTERS, random.normal(0.1, 0.03, len(LETTERS)), strict=True))
    steeper = dict(zip(LETTERS, random.normal(0, of_slope, len(LETTERS)), strict=True))
    rows = []
    for number, (architecture, width, k) in enumerate(SIZES):
        own = random.normal(0, of_sae) + DIFFERENCE * (architecture == "batchtopk")
        for name in LETTERS:
            mean = letter[name] + (L0_SLOPE + steeper[name]) * np.log2(k) + WIDTH_SLOPE * np.log2(width) + own
            rows.append((f"sae-{number}", name, mean + random.normal(0, rest), float(k), width, architecture))
    return pd.DataFrame(rows, columns=["sae", "letter", "rate", "l0_words", "d_sae", "architecture"])


def test_planted_slopes_and_spreads_come_back() -> None:
    found = mixed_slopes(planted(of_slope=0.003), "topk")
    slopes = found.slopes.set_index("change")
    truth = {PER_L0: L0_SLOPE, PER_WIDTH: WIDTH_SLOPE, "batchtopk minus topk": DIFFERENCE}
    assert list(slopes.index) == list(truth)
    for name, value in truth.items():
        assert slopes["low"][name] < value < slopes["high"][name], name
    assert slopes["value"][PER_L0] == pytest.approx(L0_SLOPE, abs=0.004)
    assert (slopes["saes"].unique().tolist(), slopes["letters"].unique().tolist()) == ([12], [26])
    assert found.spread["rest"] == pytest.approx(0.01, rel=0.15)
    assert found.spread[LETTER_L0] == pytest.approx(0.003, rel=0.4)


def test_where_every_sae_has_every_letter_the_slopes_are_those_of_the_saes_means() -> None:
    """An independent way: without gaps, generalised least squares is least squares over the SAEs' means."""
    rows = planted(seed=3)
    means = rows.groupby("sae", sort=False).agg(
        {"rate": "mean", "l0_words": "first", "d_sae": "first", "architecture": "first"}
    )
    other = (means["architecture"] == "batchtopk").to_numpy(float)
    fixed = np.stack(
        [np.ones(len(means)), np.log2(means["l0_words"]), np.log2(means["d_sae"]), other], axis=1
    )
    by_means, *_ = np.linalg.lstsq(fixed, means["rate"].to_numpy(), rcond=None)
    found = mixed_slopes(rows, "topk").slopes
    np.testing.assert_allclose(found["value"], by_means[1:], atol=1e-6)
    residuals = means["rate"].to_numpy() - fixed @ by_means
    n_left = len(means) - fixed.shape[1]
    errors = np.sqrt(np.diag(np.linalg.inv(fixed.T @ fixed)) * (residuals @ residuals) / n_left)
    reach = stats.t.ppf(0.975, n_left) * errors[1:]
    # Letters' slopes are planted at 0, so that only SAEs differ.
    np.testing.assert_allclose((found["high"] - found["low"]) / 2, reach, rtol=0.1)


@pytest.mark.parametrize("more", [{"of_sae": 0.04}, {"of_slope": 0.02}])
def test_saes_or_letters_that_differ_more_widen_the_interval(more: dict[str, float]) -> None:
    rows, wider = planted(), planted(0, **more)
    narrow, wide = (mixed_slopes(table, "topk").slopes.set_index("change") for table in (rows, wider))
    width = [(table["high"] - table["low"])[PER_L0] for table in (narrow, wide)]
    assert width[1] > 2 * width[0]


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = []
    for seed in range(20):
        row = mixed_slopes(planted(seed=seed, of_sae=0.02), "topk").slopes.set_index("change").loc[PER_L0]
        held.append(row["low"] < L0_SLOPE < row["high"])
    assert 0.85 <= np.mean(held)


def test_settings_that_cannot_be_told_apart_are_refused() -> None:
    rows = planted()
    two = rows[rows["sae"].isin(["sae-0", "sae-4"])]
    with pytest.raises(
        ValueError, match="2 SAEs cannot tell each doubling of L0, each doubling of the width"
    ):
        mixed_slopes(two, "topk")
    with pytest.raises(ValueError, match="1 letters say nothing"):
        mixed_slopes(rows[rows["letter"] == "a"], "topk")


def test_one_spread_at_zero_does_not_break_the_errors() -> None:
    found = mixed_slopes(planted(of_sae=0.0), "topk")
    assert found.spread[SAE] < 0.004
    assert np.isfinite(found.slopes[["low", "high"]].to_numpy()).all()


def test_only_saes_that_pass_the_bars_and_have_rates_by_letter_count(data: Path) -> None:
    family = several_saes.read_sae_family()
    everyone = fit_members(family)
    assert set(everyone["sae"]) == set(family.saes)
    assert seeds_by_point(everyone)["seeds"].tolist() == [1, 1, 3, 1, 1, 1, 1]
    family.stamps["batchtopk-4096-l0-32-seed-2"]["card"]["measured"]["dead_latents"] = 500
    assert "batchtopk-4096-l0-32-seed-2" not in set(fit_members(family)["sae"])
    without = dataclasses.replace(family, letters=family.letters[family.letters["sae"] != "wide"])
    assert "wide" not in set(fit_members(without)["sae"])
    assert len(module.fit_slopes(without, ["ablation"])) == 0

"""Chapter 12's rates beside published ones: which lie where, and what the text says of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from tests.several_saes.made_up import MEMBERS, value_of

from absorption import claims, several_saes
from absorption.base.data import data_root
from absorption.chapters.hyper_parameters.beside_published import (
    BesidePublished,
    set_beside_published,
    slopes,
)

PUBLISHED = data_root() / "published"
FULL = "full absorption"


@pytest.fixture
def beside(data: Path) -> BesidePublished:
    shutil.copytree(PUBLISHED, data / "published")
    return set_beside_published(several_saes.read_sae_family())


def test_a_panel_shows_the_published_and_the_measured_rates_of_its_definition(
    beside: BesidePublished,
) -> None:
    def drawn(table: pd.DataFrame) -> dict[str, int]:
        return {str(panel): len(rows) for panel, rows in table.groupby("panel")}

    assert drawn(beside.published) == {
        FULL: 42 + 6,
        "absorption fraction": 2 * 42,
        "ablation, published lead": 10,
    }
    assert drawn(beside.ours) == dict.fromkeys(drawn(beside.published), len(MEMBERS))
    assert not set(beside.published["series"]) & set(beside.ours["series"])


def test_ours_stands_at_l0_on_text_and_reaches_to_l0_at_the_words(beside: BesidePublished) -> None:
    """The made-up SAEs have L0 16, 32 or 64 on text and 2.5 times that at the words, of 576 dimensions."""
    row = beside.ours[(beside.ours["sae"] == "sparse") & (beside.ours["panel"] == FULL)].iloc[0]
    assert row[["l0_share", "l0_share_low", "l0_share_high"]].tolist() == pytest.approx(
        [16 / 576, 16 / 576, 40 / 576]
    )
    assert row["value"] == pytest.approx(value_of("sparse", f"rate, {FULL}"))
    assert (row["value_low"], row["value_high"]) == (0.0, 1.0)


def test_an_sae_without_a_rate_is_left_out_and_not_counted(data: Path) -> None:
    shutil.copytree(PUBLISHED, data / "published")
    family = several_saes.read_sae_family()
    family.numbers.loc[family.numbers["sae"] == "dense", "value"] = float("nan")
    told = set_beside_published(family)
    assert "dense" not in set(told.ours["sae"])
    assert told.numbers()["n_with_rate"] == len(MEMBERS) - 1


def test_the_text_says_where_published_absorption_is_large_and_where_ours_lies(
    beside: BesidePublished,
) -> None:
    """Large up to the gated SAE at L0 29.488 of 768 dimensions (.141); the next, at 46.588, has .092.

    On text the sparse SAE (16 of 576: 2.8%) lies left of it, the others (5.6% and 11%) right; at the words all do.
    """
    told = beside.numbers()
    assert told["large_up_to"] == "3.8%" == f"{29.488 / 768:.1%}"
    assert told["n_right_on_text"] == len(MEMBERS) - 1
    assert told["n_right_at_words"] == len(MEMBERS)
    assert (
        told["near_published"] == "0.088 to 0.256"
    )  # Pythia's JumpReLU at L0 20.3, Gemma's at 42.5 of 2,304
    sparse = value_of("sparse", f"rate, {FULL}")
    assert told["near_ours"] == f"{sparse:.3f} to {sparse:.3f}"


def test_the_text_counts_series_that_fall_with_l0(beside: BesidePublished) -> None:
    """By hand: of the published fraction only standard's falls, from .167 at L0 43 to .155 at 466."""
    told = beside.numbers()
    assert (told["n_falling_full"], told["n_lines_full"]) == (8, 8)
    assert (told["n_falling_ablation"], told["n_lines_ablation"]) == (2, 2)
    assert (told["n_falling_fraction"], told["n_lines_fraction"]) == (1, 7)
    assert (told["fraction_old"], told["fraction_new"]) == ("0.284", "0.153")
    beside.published.loc[:, "value"] = beside.published["l0"] / 1000
    assert beside.numbers()["n_falling_full"] == 0


def test_a_series_falls_by_its_least_squares_slope_over_doublings(beside: BesidePublished) -> None:
    """By hand for Gemma's JumpReLU, whose L0 nearly doubles from SAE to SAE: slope over 0, 1, ..., 5 doublings.

    Rates .364, .256, .109, .064, .027, .014 with weights -2.5, -1.5, -.5, .5, 1.5, 2.5 over 17.5: -1.241 / 17.5.
    """
    found = slopes(beside.published)
    assert len(found) == 7 + 1 + 1
    mine = found[(found["model"] == "Gemma-2-2B") & (found["definition"] == FULL)]["slope"].item()
    assert mine == pytest.approx(-1.241 / 17.5, rel=0.02)


def test_published_rates_are_judged_apart_from_ours(beside: BesidePublished) -> None:
    (row,) = beside.claims().to_dict("records")
    assert (row["claim"], row["part"]) == ("rate-l0-width", "published-l0")
    assert row["value"] == pytest.approx(slopes(beside.published)["slope"].mean())
    assert row["note"].startswith("9 series")
    rule = claims.load()["rate-l0-width"].part("published-l0").rule
    assert claims.judge(rule, row["low"], row["high"]) == "reproduced"
    beside.published.loc[:, "value"] = beside.published["l0"] / 1000
    (rising,) = beside.claims().to_dict("records")
    assert claims.judge(rule, rising["low"], rising["high"]) == "not reproduced"

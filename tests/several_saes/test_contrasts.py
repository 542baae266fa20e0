"""Steps, slopes and differences along one setting, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.several_saes.made_up import LEAD, UNSHIPPED, samples_of, value_of

from absorption import several_saes
from absorption.base.statistics import interval


@pytest.mark.parametrize(
    ("setting", "saes"),
    [
        (several_saes.L0, ["sparse", "base", "dense"]),
        (several_saes.WIDTH, ["base", "wide"]),
        (several_saes.ARCHITECTURE, ["base", "matryoshka"]),
        (several_saes.SEED, ["base", "seed-1", UNSHIPPED]),
        (several_saes.LAYER, ["shallow", "base", "deep"]),
    ],
)
def test_a_step_changes_one_setting_alone(data: Path, setting: str, saes: list[str]) -> None:
    assert several_saes.steps(several_saes.read_sae_family(), setting)["sae"].tolist() == saes


def test_a_trend_is_the_least_squares_slope_against_the_doublings(data: Path) -> None:
    table: Any = several_saes.trends(several_saes.read_sae_family(), several_saes.L0).set_index("quantity")
    slope = np.polyfit([4, 5, 6], [value_of(sae) for sae in ("sparse", "base", "dense")], 1)[0]
    assert table.loc["splits of a letter", "value"] == pytest.approx(slope)
    assert table.loc["splits of a letter", "saes"] == 3
    # The noise is shared, so the paired interval has no width.
    assert table.loc["splits of a letter", "low"] == pytest.approx(slope, abs=1e-6)


def test_a_difference_is_paired(data: Path) -> None:
    table = several_saes.differences(several_saes.read_sae_family(), several_saes.ARCHITECTURE).set_index(
        "quantity"
    )
    expected = value_of("matryoshka") - value_of("base")
    for end in ("value", "low", "high"):
        assert table.loc["splits of a letter", end] == pytest.approx(expected, abs=1e-6)
    low, high = interval(samples_of("base"))
    assert high - low > 0.1  # unpaired it would be wide


def test_a_layer_is_compared_with_the_one_that_most_read(data: Path) -> None:
    table = several_saes.differences(several_saes.read_sae_family(), several_saes.LAYER)
    found = table[table["quantity"] == LEAD].set_index(several_saes.LAYER)["value"].to_dict()
    base = value_of("base", LEAD)
    expected = {4: value_of("shallow", LEAD) - base, 12: value_of("deep", LEAD) - base}
    assert found == pytest.approx(expected)


def test_an_sae_without_a_rate_has_no_part_in_its_slope(data: Path) -> None:
    found = several_saes.read_sae_family()
    numbers = found.numbers.copy()
    numbers.loc[(numbers["sae"] == "dense") & (numbers["quantity"] == LEAD), "value"] = np.nan
    without = replace(found, numbers=numbers)
    table: Any = several_saes.trends(without, several_saes.L0).set_index("quantity")
    assert table.loc[LEAD, "value"] == pytest.approx(value_of("base", LEAD) - value_of("sparse", LEAD))
    assert (table.loc[LEAD, "saes"], table.loc["splits of a letter", "saes"]) == (2, 3)
    seeds = [value_of(sae, LEAD) for sae in ("base", "seed-1", UNSHIPPED)]
    beside: Any = several_saes.beside_seeds(without, [LEAD]).set_index("change")
    expected = np.mean(seeds) - value_of("sparse", LEAD)
    assert beside.loc["each doubling of L0", "value"] == pytest.approx(expected)

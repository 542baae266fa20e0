"""What seeds alone change, by hand and by simulation."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.several_saes.made_up import LEAD, MEMBERS, SEEDS, SPLITS, UNSHIPPED, card, value_of

from absorption import several_saes
from absorption.several_saes.seeds import by_chance, changes, interval_with_seeds


@pytest.mark.parametrize("quantity", [SPLITS, LEAD])
def test_the_spread_over_seeds_is_that_of_each_setting_with_several(data: Path, quantity: str) -> None:
    found = several_saes.read_sae_family()
    assert several_saes.repeated(found)["sae"].tolist() == list(SEEDS)
    table = several_saes.statistics_over_seeds(found, [SPLITS, LEAD])
    row: Any = table.set_index("quantity").loc[quantity]
    values = [value_of(sae, quantity) for sae in SEEDS]
    assert (row["seeds"], row["lowest"], row["highest"]) == (3, min(values), max(values))
    assert row["mean"] == pytest.approx(statistics.mean(values))
    assert row["sd"] == pytest.approx(statistics.stdev(values))
    assert row["null"] == pytest.approx(
        0.05 if quantity == LEAD else np.nan, nan_ok=True
    )  # the null of all SAEs


def test_two_seeds_have_no_standard_deviation_to_speak_of(data: Path) -> None:
    found = several_saes.read_sae_family()
    del found.stamps[UNSHIPPED]
    table = several_saes.statistics_over_seeds(found, [SPLITS])
    assert table["seeds"].tolist() == [2]
    assert table["sd"].isna().all()


@pytest.mark.parametrize("quantity", [SPLITS, LEAD])
def test_a_change_is_between_seed_means_and_beside_what_seeds_alone_would_make_of_it(
    data: Path, quantity: str
) -> None:
    found = several_saes.read_sae_family()
    table = several_saes.beside_seeds(found, [SPLITS, LEAD])
    rows = table[table["quantity"] == quantity].set_index("change")
    at = {sae: value_of(sae, quantity) for sae in MEMBERS}
    base = statistics.mean(at[sae] for sae in SEEDS)
    assert rows["value"].to_dict() == pytest.approx(
        {
            "each doubling of L0": (at["dense"] - at["sparse"]) / 2,
            "each doubling of the width": at["wide"] - base,
            "matryoshka minus batchtopk": at["matryoshka"] - base,
            "layer 4 minus layer 8": at["shallow"] - base,
            "layer 12 minus layer 8": at["deep"] - base,
        }
    )
    # Student's t for 2 degrees of freedom is 4.303; the middle of the L0s has no weight in their slope.
    reach = 4.303 * statistics.stdev([at[sae] for sae in SEEDS])
    single = reach * (1 + 1 / 3) ** 0.5
    expected = dict.fromkeys(rows.index, single) | {"each doubling of L0": reach * 0.5**0.5}
    assert rows["chance"].to_dict() == pytest.approx(expected, rel=1e-3)
    assert rows["base"].tolist() == pytest.approx([base] * 5)
    # The resamples share their noise, so the interval over words has no width.
    assert rows["low"].tolist() == pytest.approx(rows["value"].tolist(), abs=1e-6)


def test_matryoshka_is_set_beside_batchtopk_when_the_base_is_another(data: Path) -> None:
    for seed, sae in enumerate(("sparse", "dense", "wide", "deep")):
        path = data / "saes" / sae / "card.json"
        path.write_text(json.dumps(card(sae, {"architecture": "topk", "seed": seed})))
    path = data / "saes" / "shallow" / "card.json"
    path.write_text(json.dumps(card("shallow", {"architecture": "topk", "k": 16})))
    found = several_saes.read_sae_family()
    weights = changes(found, LEAD)
    assert weights["matryoshka minus topk"]["sparse"] == -0.25
    assert weights["matryoshka minus batchtopk"] == pytest.approx(
        {"matryoshka": 1.0, **dict.fromkeys(SEEDS, -1 / 3)}
    )


def test_only_a_change_that_exceeds_chance_is_called_more(data: Path) -> None:
    found = several_saes.read_sae_family()
    change, rows = "matryoshka minus batchtopk", found.numbers["sae"] == "matryoshka"
    first: Any = several_saes.beside_seeds(found, [SPLITS]).set_index("change")
    for factor, expected in ((0.99, "no"), (1.01, "yes"), (-1.01, "yes")):
        value = first.loc[change, "base"] + factor * first.loc[change, "chance"]
        found.numbers.loc[rows, "value"] = value
        table = several_saes.beside_seeds(found, [SPLITS]).set_index("change")
        assert table.loc[change, "larger"] == expected


def test_seeds_that_change_nothing_stay_within_chance_in_95_of_100_families() -> None:
    """SAEs that differ in their noise alone, the base in the difference and in the middle of the slope."""
    rng, inside, n = np.random.default_rng(0), np.zeros(2), 4000
    for _ in range(n):
        base, others = rng.normal(size=4), rng.normal(size=2)
        difference, weights = others[0] - base.mean(), [1.0, *[-0.25] * 4]
        slope, slope_weights = (others[1] - others[0]) / 2, [-0.5, *[0.0] * 4, 0.5]
        inside += [
            abs(difference) < by_chance(base, weights), abs(slope) < by_chance(base, slope_weights)
        ]  # fmt: skip
    assert inside / n == pytest.approx([0.95, 0.95], abs=0.012)


def test_seeds_without_spread_say_nothing_of_chance(data: Path) -> None:
    assert np.isnan(by_chance([0.0, 0.0, 0.0], [1.0, -1.0]))
    assert np.isnan(by_chance([0.1], [1.0, -1.0]))


def test_words_and_seeds_add_in_squares_and_without_seeds_words_are_left() -> None:
    row = pd.Series({"value": 1.0, "low": 0.7, "high": 1.05, "chance": 0.4})
    assert interval_with_seeds(row) == pytest.approx((0.5, 1 + (0.05**2 + 0.4**2) ** 0.5))
    alone = row.copy()
    alone["chance"] = np.nan
    assert interval_with_seeds(alone) == pytest.approx((0.7, 1.05))


def test_with_one_seed_nobody_knows_what_seeds_change(data: Path) -> None:
    found = several_saes.read_sae_family()
    del found.stamps["seed-1"], found.stamps[UNSHIPPED]
    alone = several_saes.beside_seeds(found, [SPLITS])
    assert alone["chance"].isna().all()
    assert set(alone["larger"]) == {""}
    assert not len(several_saes.statistics_over_seeds(found, [SPLITS]))


def test_an_sae_alone_has_no_changes(data: Path) -> None:
    found = several_saes.read_sae_family()
    for sae in set(MEMBERS) - {"base"}:
        del found.stamps[sae]
    assert several_saes.beside_seeds(found, [SPLITS]).empty

"""The toy chapters' stages: schemas, sizes and figures, on SAEs too small to have learned much."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.plots.reading import panels
from tests.settings_of import settings_of

from absorption.chapters import co_occurrence, four_features, remedies, settings
from absorption.chapters.settings import CoOccurrenceSettings, FourFeaturesSettings, RemediesSettings
from absorption.plots import toy as figures
from absorption.toy import published
from absorption.toy.recipes import BATCH_SIZE
from absorption.toy.seeds import over_seeds

SMALL = 100 * BATCH_SIZE


def test_the_least_number_of_samples_is_a_hundred_batches_of_the_trainer() -> None:
    assert settings.LEAST_SAMPLES == SMALL


def n_marks(fig: Any) -> int:
    return sum(len(marks) for panel in panels(fig) for marks in panel.series.values())


def n_cells(fig: Any) -> int:
    """Cells of all heatmaps that hold a number."""
    return sum(not np.isnan(value) for panel in panels(fig) for value in panel.cells.values())


@pytest.fixture
def few() -> CoOccurrenceSettings:
    return settings_of(
        CoOccurrenceSettings,
        p_parents=[0.9, 1.0], l1s=[0.01, 0.04], child_rates=[0.05, 0.1], ks=[0.4], child_magnitudes=[0.5, 2.0],
        n_samples_fast=SMALL, n_samples_check=SMALL, n_seeds=2, workers=1,
    )  # fmt: skip


def test_the_four_feature_chapter_has_a_row_for_everything_it_shows() -> None:
    settings = settings_of(FourFeaturesSettings, n_samples=SMALL, n_samples_fast=SMALL, n_seeds=2, workers=1)
    trained = four_features.train_as_published(settings)
    cosines, firing = trained.cosines, trained.firing
    assert len(cosines) == 2 * 2 * 4 * 4  # world, side, latent, feature
    assert "f1" not in set(firing[firing["world"] == "hierarchy"]["pattern"])  # f1 alone does not occur there
    closed_form = four_features.beside_closed_form(trained)
    curve, point = closed_form.curve, closed_form.point
    assert list(curve.columns) == list(point.columns)
    seeds = four_features.over_seeds(trained, settings)
    assert len(seeds.table) == 2 * 2
    assert len(four_features.sample_worlds(settings).table) == 2 * 4
    summary = seeds.summary
    assert list(summary["part"]) == ["recovery", "decoder", "encoder", "hole", "others"]
    counted = summary.dropna()
    assert (counted["low"] <= counted["measured"]).all()
    assert n_cells(figures.cosines(cosines)) == len(cosines)
    assert n_cells(figures.firing(firing)) == len(firing)
    assert n_marks(figures.closed_form_losses(curve, point)) == 3 * (len(curve) + len(point))


def test_the_summary_counts_settled_seeds_only(plant) -> None:
    trained = four_features.Trained({name: plant(world, 0.0) for name, world in four_features.WORLDS.items()})
    facts = {"mcc": 1.0, "lowest_own": 1.0, "untouched": 1.0, "d": 0.0, "hole": 0.0, "silent": 0.0}
    rows = [
        {"world": "independent", "seed": 0, "settled": True, **facts},
        {"world": "independent", "seed": 1, "settled": False, **facts, "lowest_own": 0.2},
        {"world": "hierarchy", "seed": 0, "settled": False, **facts},
    ]
    assert four_features.count_settled(pd.DataFrame(rows)) == {
        "n_hierarchy": 0, "n_absorbing": 0, "n_independent": 1, "n_clean": 1,
    }  # fmt: skip
    seeds = four_features.Seeds(pd.DataFrame(rows), four_features.summarise(trained, pd.DataFrame(rows)))
    summary = seeds.summary.to_dict("records")
    assert seeds.numbers()["n_settled"] == 1
    assert seeds.numbers()["n_trained"] == 3
    first = seeds.claims().to_dict("records")[0]
    assert (first["claim"], first["part"], first["value"], first["low"]) == (
        "toy-hierarchy",
        "recovery",
        1.0,
        1.0,
    )
    recovery, decoder = summary[0], summary[1]
    assert (recovery["measured"], recovery["low"], recovery["n_seeds"]) == (1.0, 1.0, 1)
    assert (str(decoder["measured"]), decoder["n_seeds"]) == ("nan", 0)
    assert decoder["as_published"] == pytest.approx(0, abs=1e-5)


def test_the_trained_point_is_on_the_curve_if_the_sae_is_the_family(plant) -> None:
    world = four_features.WORLDS["hierarchy"]
    for d in (0.0, 0.5, 1.0):
        trained = four_features.Trained(
            {"independent": plant(four_features.WORLDS["independent"], 0.0), "hierarchy": plant(world, d)}
        )
        found = four_features.beside_closed_form(trained, n_points=3)
        expected = found.curve[found.curve["d"] == d].iloc[0]
        assert found.numbers()["trained_d"] == pytest.approx(d, abs=1e-4)
        assert found.point.iloc[0].to_dict() == pytest.approx(expected.to_dict(), abs=1e-4)


def test_the_first_published_number_fixes_the_coefficient_and_the_rest_are_tested(few) -> None:
    for found, given in (
        (co_occurrence.partial_absorption(few), published.partial()),
        (co_occurrence.imperfect_co_occurrence(few), published.imperfect()),
    ):
        table = found.table
        assert list(table["published"]) == list(given["published"])
        assert table["fixes_l1"].tolist() == [True] + [False] * (len(given) - 1)
        assert list(found.claims()["part"]) == list(given["part"])[1:]
        assert list(found.claims()["value"]) == list(table["measured"])[1:]
        assert found.numbers()[f"{found.name}_worst"] <= (table["measured"] - table["published"]).abs().max()
        assert table["l1"].nunique() == 1
        assert n_marks(figures.beside_published(table)) == 2 * len(table)


def test_sweeps_cover_their_grid_once(few) -> None:
    surface = co_occurrence.sparsity_surface(few).table
    assert not surface.duplicated(["p_parent", "l1"]).any()
    assert len(surface) == 4
    assert surface[surface["p_parent"] == 1]["predicted"].min() > 0.99
    assert list(co_occurrence.child_rates(few).table["child_rate"]) == few.child_rates
    assert len(co_occurrence.batchtopk_surface(few).table) == 2
    assert set(co_occurrence.tied_weights(few).table["architecture"]) == {"standard", "tied"}
    assert list(co_occurrence.child_magnitudes(few).table["child_magnitude"].unique()) == few.child_magnitudes
    assert len(co_occurrence.chain(few).table) == 2 * 6  # seeds, (ancestor, descendant)
    assert list(co_occurrence.budget(few).table["schedule"]) == ["fast", "as published"]


def test_sweep_figures_show_every_row_of_their_tables(few) -> None:
    sweeps = (co_occurrence.sparsity_surface, co_occurrence.tied_weights, co_occurrence.chain)
    surface, tied, chain = (sweep(few).table for sweep in sweeps)
    assert n_cells(figures.surface(surface, "l1", "L1")) == 2 * len(surface)  # trained and predicted
    assert n_marks(figures.agreement(surface)) == len(surface) + 2  # and the line's ends
    assert n_marks(figures.lines(tied, "p_parent", "P", by="architecture")) == len(tied)
    assert n_cells(figures.chain(chain)) == len(chain.groupby(["ancestor", "descendant"]))


def test_remedies_are_all_tried_in_both_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"L1": remedies.REMEDIES["L1"], "Matryoshka": remedies.REMEDIES["Matryoshka"]}
    monkeypatch.setattr(remedies, "REMEDIES", few)
    results = remedies.train_remedies(settings_of(RemediesSettings, n_samples_fast=SMALL, workers=1)).table
    assert len(results) == 2 * sum(len(remedy.strengths) for remedy in few.values()) * 2  # worlds, seeds
    best = remedies.best_strengths(results).table
    assert len(best) == 4
    strengths = sum(len(remedy.strengths) for remedy in few.values())
    assert n_marks(figures.trade_off(results, "trees", "explained_variance", "variance")) == strengths
    assert n_marks(figures.remedies_side_by_side(best, remedies.SHOWN)) == 5 * len(best)


def test_the_best_strength_is_the_least_absorbing_one_that_reconstructs() -> None:
    rows = [(0.1, 0.5, 0.99), (0.2, 0.2, 0.95), (0.3, 0.0, 0.5)]  # strength, absorbed, explained variance
    table = pd.DataFrame(
        [
            {"world": "w", "remedy": "r", "strength": strength, "seed": seed, **dict.fromkeys(remedies.PAYS, 0.0),
             "absorbed": absorbed, "explained_variance": variance}
            for strength, absorbed, variance in rows
            for seed in (0, 1)
        ]
    )  # fmt: skip
    best = remedies.best_strengths(table, least_variance=0.9).table.iloc[0]
    assert (best["strength"], best["absorbed"], best["enough"]) == (0.2, 0.2, True)
    none = remedies.best_strengths(table, least_variance=0.999).table.iloc[0]
    assert (none["strength"], none["enough"]) == (0.1, False)


def test_a_remedy_works_if_every_seed_absorbs_little_reconstructs_and_recovers_the_features() -> None:
    rows = [
        ("a", 0.05, 0.02, 0.08, 0.97, True),
        ("b", 0.3, 0.0, 0.6, 0.97, True),
        ("c", 0.0, 0.0, 0.0, 0.97, False),
        ("d", 0.0, 0.0, 0.0, 0.6, True),  # absorbs nothing, since it never found the features
    ]
    columns = ["remedy", "absorbed", "absorbed_low", "absorbed_high", "mcc_low", "enough"]
    said = remedies.name_remedies(pd.DataFrame(rows, columns=columns).assign(world="w"))
    assert said == {
        "works_w": "a", "works_all": "a", "lottery": "b (w)", "not_enough": "c (w)", "hollow": "d (w)",
    }  # fmt: skip


def test_the_range_over_penalties_is_of_means_over_seeds() -> None:
    rows = [("L1", 0.1, 0.9), ("L1", 0.1, 0.7), ("L1", 0.2, 0.5), ("gated", 0.1, 0.6), ("TopK", 1.0, 0.0)]
    table = pd.DataFrame(rows, columns=["remedy", "strength", "absorbed"]).assign(
        world="w", explained_variance=0.9
    )
    said = remedies.penalty_range(table)
    assert said["penalty_change"] == pytest.approx(0.3)
    assert said["penalty_least"] == pytest.approx(0.5)
    assert said["penalty_variance"] == pytest.approx(0.9)


def test_the_spread_is_mean_smallest_and_largest() -> None:
    table = pd.DataFrame({"case": ["a", "a", "b"], "seed": [0, 1, 0], "x": [1.0, 3.0, 5.0]})
    assert over_seeds(table, ["case"], "x").to_dict("records") == [
        {"case": "a", "measured": 2.0, "low": 1.0, "high": 3.0, "n_seeds": 2},
        {"case": "b", "measured": 5.0, "low": 5.0, "high": 5.0, "n_seeds": 1},
    ]


def test_a_heatmap_writes_its_values_and_leaves_empty_cells_empty() -> None:
    rows = [("f1", "f0", 0.5, 0), ("f2", "f0", -0.001, 0), ("f2", "f1", 1.0, 0)]
    table = pd.DataFrame(rows, columns=["descendant", "ancestor", "absorbed", "seed"])
    written = [text.get_text() for text in figures.chain(table).figure.axes[0].texts]
    assert written == ["0.50", "0.00", "1.00"]

"""Chapter 15's measures of quality on made-up numbers: what its text says is what was planted."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.scaling.topk_saes import made_up
from tests.settings_of import settings_of

from absorption.chapters import exercises
from absorption.chapters import scaling as chapter
from absorption.chapters.scaling import numbers
from absorption.chapters.scaling.beside_absorption import BY_K, BY_N, BesideAbsorption
from absorption.chapters.scaling.sees_absorption import beyond_size, rank_correlation
from absorption.chapters.settings import ScalingSettings
from absorption.scaling import quality, stored
from absorption.scaling.measure import TEXT, table
from absorption.scaling.quality_samples import (
    EFFECTS,
    F1,
    LOSS_RECOVERED,
    PRECISION,
    PROBES,
    RECALL,
    by_latent,
)
from absorption.training.recipe import BASE, GRID, UNSHIPPED_RECIPES, Recipe

OTHERS = tuple(
    recipe for recipe in UNSHIPPED_RECIPES if recipe not in GRID and recipe.hook_name == BASE.hook_name
)
DOUBLING = -0.02


def rows_of(recipe: Recipe) -> pd.DataFrame:
    """Probe loss falls by .02 a doubling of n, with noise that tasks share; patterns match half of what is on."""
    doublings = np.log2(recipe.d_sae / 512)
    noise = np.array([0.1, -0.1, 0.05, -0.05])
    return table(
        recipe.sae_id,
        {
            quality.PROBE_LOSS: 0.6 + DOUBLING * doublings + noise,
            quality.MOVED: np.array([1.0, 2.0, 3.0]) * (0.3 - 0.01 * doublings),
            quality.REMOVED: [1.0, 2.0, 3.0],
            quality.MATCHED: [10.0, 0.0, 5.0], quality.HIT: [5.0, 0.0, 5.0], quality.ON: [10.0, 4.0, 20.0],
        },
    )  # fmt: skip


def read(monkeypatch: pytest.MonkeyPatch, recipes: tuple[Recipe, ...] = GRID + OTHERS) -> numbers.Numbers:
    grid = made_up(recipes)
    mine = [recipe for recipe in recipes if quality.is_measured(recipe)]
    baselines = table(
        TEXT, {quality.PROBE_LOSS: [0.7] * 4, quality.MOVED: [1.2] * 3, quality.REMOVED: [2.0] * 3}
    )
    rows = pd.concat([baselines, *map(rows_of, mine)], ignore_index=True)
    grid = stored.with_rows(grid, rows, {"tasks": ["a", "b", "c", "d"]})
    stamps = {
        sae: stamp | ({"quality": 1} if sae in {recipe.sae_id for recipe in mine} else {})
        for sae, stamp in grid.stamps.items()
    }
    grid = dataclasses.replace(grid, stamps=stamps)
    monkeypatch.setattr(numbers, "read_grid", lambda _folder: grid)
    return chapter.read_numbers(settings_of(ScalingSettings, n_resamples=60, n_fits=20))


def test_slopes_are_the_planted_ones_and_share_the_tasks_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chapter.compare_quality(read(monkeypatch))
    claims: Any = found.claims().set_index("part")
    assert claims.loc["probe-loss", "value"] == pytest.approx(DOUBLING)
    assert claims.loc["probe-loss", ["low", "high"]].tolist() == pytest.approx([DOUBLING] * 2)
    assert claims.loc["effects", "value"] == pytest.approx(-0.01)
    assert claims.loc["patterns", "value"] == pytest.approx(0)
    assert claims.loc["patterns", "low"] < 0 < claims.loc["patterns", "high"]  # latents are each SAE's own
    assert (found.baselines[PROBES].value, found.baselines[EFFECTS].value) == pytest.approx((0.7, 0.6))
    assert found.numbers()["n_tasks"] == 4
    other = found.table["seed"].gt(0) & (found.table["measure"] == PROBES)
    moved = found.table.assign(value=found.table["value"] + 0.03 * other)
    assert dataclasses.replace(found, table=moved).numbers()["seeds_probe_loss"] == "0.0300"


def test_scores_of_patterns_are_means_over_latents(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = read(monkeypatch).grid
    assert by_latent(grid, BASE.sae_id, PRECISION).tolist() == [
        0.5,
        1.0,
    ]  # one latent's patterns match nowhere
    assert by_latent(grid, BASE.sae_id, RECALL).tolist() == [0.5, 0.0, 0.25]
    assert by_latent(grid, BASE.sae_id, F1).tolist() == [0.5, 0.0, 0.4]


def test_the_figure_has_topk_alone_and_the_table_every_sae(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chapter.compare_quality(read(monkeypatch))
    assert set(found.panels["architecture"]) == {"topk"}
    by_n = found.panels[(found.panels["panel"] == BY_N) & (found.panels["measure"] == PROBES)]
    assert by_n[by_n["seed"] == 0]["size"].tolist() == [512, 1024, 2048, 4096, 8192, 16384]
    by_k = found.panels[(found.panels["panel"] == BY_K) & (found.panels["seed"] == 0)]
    assert sorted(by_k["size"].unique()) == [6, 12, 24, 48, 96]
    assert {"jumprelu", "standard"} <= set(found.table["architecture"])
    assert found.shown[PROBES].notna().all()


def test_a_grid_without_the_measures_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = made_up()
    monkeypatch.setattr(numbers, "read_grid", lambda _folder: grid)
    found = chapter.compare_quality(
        chapter.read_numbers(settings_of(ScalingSettings, n_resamples=60, n_fits=20))
    )
    assert np.isnan(found.claims()["value"].to_numpy(dtype=float)).all()
    assert found.numbers()["seeds_effects"] == "(not measured)"
    assert found.numbers()["n_quality"] == 0
    absorbed = BesideAbsorption(pd.DataFrame({"sae": ["a"], "definition": ["full"], "value": [0.1]}))
    beside = chapter.set_quality_beside(found, absorbed)
    assert beside.table["correlation"].isna().all()
    assert beside.numbers()["n_clear"] == 0


def test_a_rate_that_is_a_measure_is_seen_and_one_of_size_alone_not_beyond_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = chapter.compare_quality(read(monkeypatch))
    saes = found.table[found.table["measure"] == LOSS_RECOVERED]
    noise = np.random.default_rng(0).normal(size=len(saes))
    rates = pd.concat(
        [
            saes[["sae"]].assign(definition="the measure", value=saes["value"]),
            saes[["sae"]].assign(definition="size", value=np.log(saes["d_sae"]) + 0.01 * noise),
        ]
    )
    beside = chapter.set_quality_beside(found, BesideAbsorption(rates))
    assert beside.by_chance < 0.01  # a correlation of 1
    assert str(beside.numbers()["beyond_largest"]).startswith(f"+1.00, of the {LOSS_RECOVERED}")
    random = pd.DataFrame({"sae": saes["sae"], "definition": "none", "value": noise})
    assert chapter.set_quality_beside(found, BesideAbsorption(random)).by_chance > 0.05
    table: Any = beside.table.set_index(["measure", "definition"])
    seen = table.loc[(LOSS_RECOVERED, "the measure")]
    assert seen["correlation"] == pytest.approx(1)
    assert seen["low"] == pytest.approx(1)
    assert seen["beyond_size"] == pytest.approx(1)
    size = table.loc[(PROBES, "size")]
    assert size["correlation"] < -0.5
    assert abs(table.loc[(LOSS_RECOVERED, "size"), "beyond_size"]) < 0.9


def test_correlations_are_those_computed_by_hand() -> None:
    x, y = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[1.0, 8.0, 27.0, 5.0]])
    assert rank_correlation(x, y).tolist() == pytest.approx([0.4])  # 1 - 6 * 6 / 60
    size = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    left = np.array([1.0, -1.0, -1.0, 1.0])  # what no line in both is
    assert beyond_size(left + size[:, 0], 2 * left - 3 * size[:, 1], size) == pytest.approx(1)


def test_the_exercise_on_the_law_takes_the_slope_at_k_and_nothing_else() -> None:
    assert exercises.check_times(lambda b, g, k, f: f ** (-1 / (b + g * np.log(k)))).right
    wrong = exercises.check_times(lambda b, _g, _k, f: f ** (-1 / b))
    assert not wrong.right
    assert "gamma = -0.042" in wrong.message  # right where gamma is 0
    assert not exercises.check_times(lambda *_: -1.0).right
    assert exercises.check_times(None) == exercises.NOT_ANSWERED

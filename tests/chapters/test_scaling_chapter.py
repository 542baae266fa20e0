"""Chapter 15's findings on made-up numbers that follow a planted law: what its text says is what was planted."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.scaling.topk_saes import TRUE, made_up
from tests.settings_of import settings_of

from absorption.chapters import scaling as chapter
from absorption.chapters.scaling import beside_absorption, numbers
from absorption.chapters.settings import ScalingSettings
from absorption.scaling import points
from absorption.scaling.stored import Grid, StoredGridError
from absorption.training.recipe import (
    BASE,
    DEAD_RUNS,
    EXPERIMENTS,
    GRID,
    HALF_THE_TOKENS,
    MULTI_TOPK,
    Recipe,
    at_size,
)


def settings(**changes: object) -> ScalingSettings:
    return settings_of(ScalingSettings, n_resamples=60, n_fits=20, **changes)


def read(
    monkeypatch: pytest.MonkeyPatch, recipes: tuple[Recipe, ...] = GRID + EXPERIMENTS
) -> numbers.Numbers:
    grid = made_up(recipes)
    monkeypatch.setattr(numbers, "read_grid", lambda _folder: grid)
    return chapter.read_numbers(settings())


def part_of(found: pd.DataFrame, part: str) -> dict:
    return found.set_index("part").loc[part].to_dict()


def test_the_table_of_points_holds_the_planted_errors_and_l0(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch)
    n, k = (found.points[name].to_numpy(dtype=float) for name in ("d_sae", "k"))
    np.testing.assert_allclose(found.points["value"], TRUE.loss(n, k))
    np.testing.assert_allclose(found.points["l0"], k)
    assert len(found.points) == len(GRID)
    recovered = 1 - TRUE.loss(n, k)  # the planted loss is 3 + 6 * error, from 3 alone to 9 with the mean
    np.testing.assert_allclose(found.points["recovered"], recovered, atol=0.05)
    slope = part_of(found.claims(), "recovered")
    assert slope["low"] <= slope["value"] <= slope["high"]
    assert slope["value"] > 0


def test_the_law_is_the_planted_one_and_its_claims_are_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    law = chapter.fit_law(read(monkeypatch))
    assert law.law is not None
    assert law.law.gamma == pytest.approx(TRUE.gamma, abs=2e-3)
    assert part_of(law.claims(), "beta-n")["value"] == law.law.beta_n
    assert part_of(law.claims(), "held-out")["value"] < 1e-3
    assert set(law.left_out["kind"]) == {"each SAE left out", "the widest left out"}
    widest = law.left_out[law.left_out["kind"] == "the widest left out"]
    assert set(widest["d_sae"]) == {16_384}
    assert len(widest) == 5
    corner = law.slopes[(law.slopes["d_sae"] == 512) & (law.slopes["k"] == 96)].iloc[0]
    expected = TRUE.slope_n(np.array([512.0]), np.array([96.0]))[0]
    assert corner["by_n"] == pytest.approx(expected, abs=1e-3)
    assert corner["by_n_published"] == pytest.approx(-0.017 - 0.042 * np.log(96))


def test_a_kink_at_the_widest_saes_is_seen_as_a_law_that_does_not_predict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = read(monkeypatch)
    table = found.grid.measured
    wide = table["sae"].str.contains("-16384-") & (table["quantity"] == "error")
    bent = Grid(
        table.assign(value=table["value"].where(~wide, table["value"] * 1.3)),
        found.grid.text,
        found.grid.stamps,
    )
    monkeypatch.setattr(numbers, "read_grid", lambda _folder: bent)
    off = part_of(chapter.fit_law(chapter.read_numbers(settings())).claims(), "held-out")
    assert off["value"] == pytest.approx(np.log(1.3), abs=0.01)


def test_of_one_widest_sae_the_interval_is_over_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = tuple(recipe for recipe in GRID if recipe.d_sae < 16_384 or recipe.k == BASE.k)
    law = chapter.fit_law(read(monkeypatch, alone))
    widest: Any = law.left_out[law.left_out["kind"] == "the widest left out"].iloc[0]
    moved = law.left_out.assign(value=-0.08, low=-0.12, high=-0.03)
    off = part_of(dataclasses.replace(law, left_out=moved[moved.index == widest.name]).claims(), "held-out")
    assert [off[name] for name in ("value", "low", "high")] == [0.08, 0.03, 0.12]
    over = moved.assign(high=0.02)
    off = part_of(dataclasses.replace(law, left_out=over[over.index == widest.name]).claims(), "held-out")
    assert [off[name] for name in ("value", "low", "high")] == [0.08, 0.0, 0.12]


def test_errors_that_bend_down_in_k_are_told_by_the_law_s_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    straight = chapter.fit_law(read(monkeypatch))
    assert straight.misses["mean"].abs().max() < 1e-3
    found = read(monkeypatch)
    table = found.grid.measured
    ks = {sae: np.log(recipe.k / 24) for sae, recipe in found.grid.recipes.items()}
    bend = np.exp(-0.1 * table["sae"].map(ks).fillna(0.0) ** 2)
    value = table["value"].where(table["quantity"] != "error", table["value"] * bend)
    bent = Grid(table.assign(value=value), found.grid.text, found.grid.stamps)
    monkeypatch.setattr(numbers, "read_grid", lambda _folder: bent)
    misses: Any = chapter.fit_law(chapter.read_numbers(settings())).misses.set_index("k")
    assert misses.loc[24, "highest"] < 0 < min(misses.loc[6, "lowest"], misses.loc[96, "lowest"])
    assert misses["widths"].tolist() == [6] * 5


def test_too_few_saes_are_told_and_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, GRID[:7])
    law = chapter.fit_law(found)
    assert law.curves.empty
    assert np.isnan(law.claims()["value"].to_numpy(dtype=float)).all()
    assert str(law.numbers()["law_said"]).startswith("7 points do not determine")
    assert found.numbers()["n_missing"] == len(GRID) - 7
    assert "16,384 at k 96" in found.numbers()["missing"]


def test_half_the_tokens_and_another_seed_are_set_beside_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = made_up((*GRID, *HALF_THE_TOKENS, dataclasses.replace(at_size(4096), seed=1)))
    table = grid.measured
    half = table["sae"].str.contains("passes") & (table["quantity"] == "error")
    seed = table["sae"].str.contains("seed-1") & (table["quantity"] == "error")
    factor = np.where(half, 1.2, np.where(seed, 0.99, 1.0))
    grid = Grid(table.assign(value=table["value"] * factor), grid.text, grid.stamps)
    monkeypatch.setattr(numbers, "read_grid", lambda _folder: grid)
    found = chapter.read_numbers(settings())
    np.testing.assert_allclose(found.halved["value"], 0.2)
    assert found.halved["d_sae"].tolist() == [1024, 4096]
    assert found.seeds["value"].tolist() == pytest.approx([-0.01])
    assert found.seeds["low"].item() <= found.seeds["value"].item() <= found.seeds["high"].item()
    assert str(found.numbers()["seed_noise"]).startswith("-1.00% [-1.00%, -1.00%] at 4,096 latents")


def test_dead_shares_and_their_course_are_the_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chapter.count_dead(read(monkeypatch).grid)
    assert found.runs["run"].tolist() == ["both remedies", "without AuxK", "encoder of its own", "neither"]
    assert found.runs["dead"].tolist() == [0.25, 0.5, 0.25, 0.5]
    assert part_of(found.claims(), "without")["value"] == 0.5
    told = found.numbers()
    assert str(told["dead_no_aux"]).startswith("50.0%")
    assert str(told["dead_own_encoder"]).startswith("25.0%")
    first = found.course[found.course["run"] == "neither"]
    assert first["tokens"].tolist() == [50 * BASE.batch, 100 * BASE.batch]
    assert told["dead_widest"] == "25% at k 6, 25% at k 12, 25% at k 24, 25% at k 48, 25% at k 96"
    alone = chapter.count_dead(made_up((*GRID, DEAD_RUNS[0])))
    assert alone.numbers()["dead_missing"] == "encoder of its own, neither"
    assert np.isnan(part_of(alone.claims(), "without")["value"])


def test_other_numbers_of_latents_are_compared_at_k_and_at_4k(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chapter.keep_other_numbers(read(monkeypatch))
    assert part_of(found.claims(), "grows")["value"] == pytest.approx(
        0
    )  # planted flat from k on, at half of TopK's
    assert part_of(found.claims(), "beside-topk")["value"] == pytest.approx(-0.5)
    told = found.numbers()
    assert (told["kept_k"], told["kept_more"]) == (12, 48)
    trained = found.table[found.table["sae"] == "TopK trained at each"]
    assert trained["kept"].tolist() == [6, 12, 24, 48, 96]
    without = chapter.keep_other_numbers(read(monkeypatch, GRID))
    assert MULTI_TOPK.sae_id not in without.table["sae"].tolist()
    assert np.isnan(without.claims()["value"].to_numpy(dtype=float)).all()


def test_shrinkage_is_told_by_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chapter.refine_activations(read(monkeypatch))
    assert found.table["value"].tolist() == pytest.approx([1.2] * len(GRID + EXPERIMENTS))
    assert found.table["gain"].tolist() == pytest.approx([0.25] * len(GRID + EXPERIMENTS))
    assert part_of(found.claims(), "topk")["value"] == pytest.approx(1.2)
    assert np.isnan(part_of(found.claims(), "l1")["value"])


def test_a_change_by_doubling_is_a_mean_over_k_and_needs_two_widths() -> None:
    table = pd.DataFrame({"d_sae": [512, 1024, 512, 2048, 512], "k": [6, 6, 12, 12, 24]})
    values = np.array([[1.0, 3.0, 5.0, 9.0, 100.0]])
    assert points.doubling_n(table, values) == pytest.approx([2.0])
    assert np.isnan(points.doubling_n(table.tail(1), values[:, 4:])).all()


def test_rates_are_of_the_grids_sizes_along_either_axis() -> None:
    found = chapter.set_beside_absorption()
    assert set(found.table["panel"]) == {beside_absorption.BY_K, beside_absorption.BY_N}
    along_k = found.table[found.table["panel"] == beside_absorption.BY_K]
    assert set(along_k["size"]) >= {6, 12, 24, 96}
    assert set(found.table["sae"]) <= {recipe.sae_id.split("-seed")[0] for recipe in GRID} | set(
        found.table[found.table["seed"] > 0]["sae"]
    )
    base = found.table[(found.table["size"] == BASE.d_sae) & (found.table["definition"] == "full absorption")]
    spread: Any = found.spread.set_index("definition").loc["full absorption"]
    assert spread["over seeds"] == pytest.approx(base["value"].max() - base["value"].min())
    assert spread["seeds"] == len(base)


def test_numbers_of_another_folder_are_read_and_missing_ones_named(tmp_path: Path) -> None:
    with pytest.raises(StoredGridError, match="holds no stored numbers"):
        chapter.read_numbers(settings(grid_folder=str(tmp_path)))


def test_nothing_is_measured_again_if_no_tokens_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chapter.measure_again(read(monkeypatch), settings(checked_tokens=0))
    assert found.model is None
    assert found.shown.empty
    assert found.numbers()["again"] == "none"

"""Recipes: a name for each SAE, all different, and everything in the key."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from absorption.base.settings import DEFAULT_SAE
from absorption.training.architectures import ARCHITECTURES
from absorption.training.fitness import RULE
from absorption.training.recipe import (
    BASE,
    EXPERIMENTS,
    GRID,
    SHIPPED_RECIPES,
    UNSHIPPED_RECIPES,
    Recipe,
    at_size,
    find_recipe,
)

ROOT = Path(__file__).parents[2]


def test_the_name_says_what_differs_from_the_default() -> None:
    assert Recipe().sae_id == "batchtopk-4096-l0-32"
    assert Recipe(d_sae=16_384, k=64).sae_id == "batchtopk-16384-l0-64"
    assert (
        Recipe(hook_name="blocks.12.hook_resid_post", seed=2).sae_id == "batchtopk-4096-l0-32-layer-12-seed-2"
    )


EVERYTHING = SHIPPED_RECIPES + UNSHIPPED_RECIPES


def test_the_family_varies_each_setting_around_the_base_and_names_are_distinct() -> None:
    assert len({recipe.sae_id for recipe in EVERYTHING}) == len(EVERYTHING)
    mine = [recipe for recipe in EVERYTHING if recipe.architecture == "topk"]
    at_width = [recipe for recipe in mine if recipe.d_sae == BASE.d_sae]
    assert {recipe.k for recipe in at_width} >= {6, 12, 24, 48, 96}
    assert {recipe.d_sae for recipe in mine if recipe.k == BASE.k} >= {512, 1024, 2048, 4096, 8192, 16_384}
    same_size = [recipe for recipe in EVERYTHING if (recipe.d_sae, recipe.k) == (BASE.d_sae, BASE.k)]
    assert {recipe.architecture for recipe in same_size} == set(ARCHITECTURES)
    assert {recipe.seed for recipe in same_size if recipe.architecture == "topk"} >= {0, 1, 2}
    assert DEFAULT_SAE == BASE.sae_id
    assert BASE in SHIPPED_RECIPES


def test_the_grid_is_every_width_by_every_l0_and_differs_from_the_base_in_nothing_else() -> None:
    sizes = [(recipe.d_sae, recipe.k) for recipe in GRID]
    assert len(set(sizes)) == len(sizes) == 6 * 5
    assert BASE in GRID
    assert set(GRID) <= set(EVERYTHING)
    same = {"d_sae": BASE.d_sae, "k": BASE.k, "lr": BASE.lr}
    assert {dataclasses.replace(recipe, **same) for recipe in GRID} == {BASE}


def test_what_the_rule_chooses_of_the_exploration_is_the_base() -> None:
    chosen = RULE.choose(pd.read_csv(ROOT / "data" / "results" / "exploration.csv"))
    for name in ("architecture", "d_sae", "k", "hook_name"):
        assert chosen[name] == getattr(BASE, name), name


@pytest.mark.parametrize(
    ("table", "recipes"), [("shipped", SHIPPED_RECIPES), ("unshipped", UNSHIPPED_RECIPES)]
)
def test_the_sweeps_tables_hold_the_recipes(table: str, recipes: tuple[Recipe, ...]) -> None:
    rows = pd.read_csv(ROOT / "sweep" / "samples" / f"{table}.tsv", sep="\t")
    found = set(zip(rows["sae_id"], rows["hook_name"], rows["d_sae"], strict=True))
    assert found == {(recipe.sae_id, recipe.hook_name, recipe.d_sae) for recipe in recipes}
    if "sae_path" in rows:
        folders = [Path(path).name for path in rows["sae_path"]]
        assert folders == rows["sae_id"].tolist()


def test_every_recipe_sees_the_same_four_million_tokens_once() -> None:
    assert {(recipe.n_tokens, recipe.n_passes) for recipe in EVERYTHING} == {(4_000_000, 1)}


def test_a_recipe_is_found_by_its_name_and_a_wrong_name_lists_all() -> None:
    assert find_recipe("topk-8192-l0-24-layer-6") == dataclasses.replace(BASE, k=24)
    with pytest.raises(ValueError, match="no recipe 'topk'; allowed: topk-8192-l0-12-layer-6, ") as caught:
        find_recipe("topk")
    assert all(recipe.sae_id in str(caught.value) for recipe in SHIPPED_RECIPES + UNSHIPPED_RECIPES)


def test_every_field_is_part_of_the_key() -> None:
    every = {field.name for field in dataclasses.fields(Recipe)}
    late: dict[str, Any] = {
        "products": "bfloat16", "harvest": "bfloat16", "encoder_start": "random", "also_k": 64,
        "level_weight": 0.75, "orthogonality": 0.25, "consistency": 5.0, "cosine_stride": 1, "cosine_chunk": 64,
        "tied": True, "masked": 0.1,
    }  # fmt: skip
    assert Recipe(**late, also_weight=1.0).to_dict().keys() == every
    for name, value in late.items():
        assert Recipe(**{name: value}).to_dict() == Recipe().to_dict() | {name: value}


def test_a_recipe_from_before_the_later_fields_keeps_its_key() -> None:
    card = json.loads((ROOT / "data" / "saes" / BASE.sae_id / "card.json").read_text())
    assert BASE.to_dict() == card["recipe"]


def test_experiments_differ_from_the_grid_in_what_their_names_say() -> None:
    assert {recipe.sae_id: _changes(recipe) for recipe in EXPERIMENTS} == {
        "topk-8192-l0-12-layer-6-no-auxk": {"aux_coefficient"},
        "topk-8192-l0-12-layer-6-random-encoder": {"encoder_start"},
        "topk-8192-l0-12-layer-6-no-auxk-random-encoder": {"aux_coefficient", "encoder_start"},
        "topk-4096-l0-12-layer-6-also-48": {"also_k"},
        "topk-1024-l0-12-layer-6-passes-0.5": {"n_passes"},
        "topk-4096-l0-12-layer-6-passes-0.5": {"n_passes"},
    }
    assert all(find_recipe(recipe.sae_id) == recipe for recipe in EXPERIMENTS)
    assert len({recipe.sae_id for recipe in (*EVERYTHING, *EXPERIMENTS)}) == len(EVERYTHING + EXPERIMENTS)


def _changes(recipe: Recipe) -> set[str]:
    grid = dataclasses.asdict(at_size(recipe.d_sae, recipe.k))
    return {name for name, value in dataclasses.asdict(recipe).items() if value != grid[name]}


@pytest.mark.parametrize("name", ["k", "also_k"])
def test_more_active_latents_than_there_are_are_refused_with_both_numbers(name: str) -> None:
    with pytest.raises(
        ValueError, match=f"^{name}=513 active latents are more than d_sae=512 latents; .*512.$"
    ):
        dataclasses.replace(Recipe(d_sae=512), **{name: 513})


def test_an_unknown_start_of_the_encoder_is_refused() -> None:
    with pytest.raises(ValueError, match="encoder_start='tied' does not exist; allowed: decoder, random"):
        Recipe(encoder_start="tied")


def test_precisions_are_part_of_the_key_unless_they_are_float32_as_of_recipes_without_them() -> None:
    assert Recipe().to_dict().keys() == Recipe(products="bfloat16").to_dict().keys() - {"products"}
    assert Recipe().to_dict().keys() == Recipe(harvest="bfloat16").to_dict().keys() - {"harvest"}

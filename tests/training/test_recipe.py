"""Recipes: a name for each SAE, all different, and everything in the key."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from absorption.base.settings import DEFAULT_SAE
from absorption.training.architectures import ARCHITECTURES
from absorption.training.recipe import SHIPPED_RECIPES, UNSHIPPED_RECIPES, Recipe, find_recipe

ROOT = Path(__file__).parents[2]


def test_the_name_says_what_differs_from_the_default() -> None:
    assert Recipe().sae_id == "batchtopk-4096-l0-32"
    assert Recipe(d_sae=16_384, k=64).sae_id == "batchtopk-16384-l0-64"
    assert (
        Recipe(hook_name="blocks.12.hook_resid_post", seed=2).sae_id == "batchtopk-4096-l0-32-layer-12-seed-2"
    )


def test_the_family_varies_each_setting_around_the_default_and_names_are_distinct() -> None:
    everything = SHIPPED_RECIPES + UNSHIPPED_RECIPES
    assert len({recipe.sae_id for recipe in everything}) == len(everything)
    plain = [recipe for recipe in SHIPPED_RECIPES if recipe.architecture == "batchtopk" and recipe.seed == 0]
    assert {recipe.k for recipe in plain if recipe.d_sae == 4096} == {16, 32, 64, 128}
    assert {recipe.d_sae for recipe in plain if recipe.k == 32} == {1024, 4096, 16_384}
    same_size = [recipe for recipe in SHIPPED_RECIPES if (recipe.d_sae, recipe.k) == (4096, 32)]
    assert {recipe.architecture for recipe in same_size} == set(ARCHITECTURES)
    assert {recipe.seed for recipe in same_size} == {0, 1}
    assert {recipe.hook_name.split(".")[1] for recipe in same_size} == {"4", "8", "12"}
    assert all(recipe.seed > 0 for recipe in UNSHIPPED_RECIPES)
    assert {dataclasses.replace(recipe, seed=0) for recipe in UNSHIPPED_RECIPES} < set(SHIPPED_RECIPES)
    assert DEFAULT_SAE in {recipe.sae_id for recipe in SHIPPED_RECIPES}


@pytest.mark.parametrize(("table", "recipes"), [("shipped", SHIPPED_RECIPES), ("seeds", UNSHIPPED_RECIPES)])
def test_the_sweeps_tables_hold_the_recipes(table: str, recipes: tuple[Recipe, ...]) -> None:
    rows = pd.read_csv(ROOT / "sweep" / "samples" / f"{table}.tsv", sep="\t")
    found = set(zip(rows["sae_id"], rows["hook_name"], rows["d_sae"], strict=True))
    assert found == {(recipe.sae_id, recipe.hook_name, recipe.d_sae) for recipe in recipes}
    if "sae_path" in rows:
        folders = [Path(path).name for path in rows["sae_path"]]
        assert folders == rows["sae_id"].tolist()


def test_every_recipe_sees_three_million_distinct_tokens_twice() -> None:
    assert all(
        recipe.n_tokens >= 3_000_000 and recipe.n_passes >= 2
        for recipe in SHIPPED_RECIPES + UNSHIPPED_RECIPES
    )


def test_a_recipe_is_found_by_its_name_and_a_wrong_name_lists_all() -> None:
    assert find_recipe("batchtopk-4096-l0-16") == Recipe(k=16)
    with pytest.raises(ValueError, match="no recipe 'topk'; allowed: batchtopk-4096-l0-32, ") as caught:
        find_recipe("topk")
    assert all(recipe.sae_id in str(caught.value) for recipe in SHIPPED_RECIPES + UNSHIPPED_RECIPES)


def test_every_field_is_part_of_the_key() -> None:
    every = {field.name for field in dataclasses.fields(Recipe)}
    assert Recipe(products="bfloat16", harvest="bfloat16").to_dict().keys() == every


def test_precisions_are_part_of_the_key_unless_they_are_float32_as_of_recipes_without_them() -> None:
    assert Recipe().to_dict().keys() == Recipe(products="bfloat16").to_dict().keys() - {"products"}
    assert Recipe().to_dict().keys() == Recipe(harvest="bfloat16").to_dict().keys() - {"harvest"}

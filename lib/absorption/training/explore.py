"""``absorption explore``: short trainings along the axes, each judged by the rule of fitness; resumes where it stopped.

The table holds no absorption rate, and the rule was fixed before the first of these SAEs was trained. Weights stay
in the cache folder: what is kept is the table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from absorption.base import cache
from absorption.base.data import data_root
from absorption.models.embedded import EMBEDDED
from absorption.models.language_model import LanguageModel, load_model
from absorption.one_sae.words import prepare_words
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL
from absorption.training.fitness import RULE, as_row, measure_fitness
from absorption.training.recipe import AS_JUMPRELU, AS_STANDARD, Recipe
from absorption.training.train import train

SHORT = Recipe(n_tokens=2_000_000, n_passes=2, k=8)
"""Where the exploration starts: 2 million distinct tokens, seen twice."""
JUMPRELU = replace(SHORT, **AS_JUMPRELU)
STANDARD = replace(SHORT, **AS_STANDARD)
MATRYOSHKA = replace(SHORT, architecture="matryoshka", matryoshka_widths=(128, 384, 896, 1920, 4096))
WIDE = replace(SHORT, d_sae=16_384, lr=8e-4, aux_stride=8)
FALLING = {"first_k": 64, "k_warm_up_steps": 600}
"""Active latents fall from 64 to k over the first steps, so that latents are born before they must compete."""

TOPK = replace(SHORT, architecture="topk")
"""The fittest of the architectures at L0 8: exactly k latents at every token, words too."""

EARLIER = "blocks.6.hook_resid_post"
"""Two blocks before the shipped SAEs' place; fitter there."""

EXPLORATION: tuple[Recipe, ...] = (
    SHORT,
    replace(SHORT, k=4),
    replace(SHORT, k=16),
    replace(SHORT, **FALLING),
    JUMPRELU,
    TOPK,
    replace(SHORT, k=12),
    replace(TOPK, k=12),
    replace(TOPK, n_passes=6),
    replace(TOPK, d_sae=8192, lr=1e-3),
    replace(TOPK, k=16),
    replace(TOPK, hook_name=EARLIER),
    replace(TOPK, k=12, hook_name=EARLIER),
    replace(TOPK, k=12, hook_name=EARLIER, d_sae=8192, lr=1e-3, aux_stride=8),
    replace(TOPK, k=12, hook_name=EARLIER, products="bfloat16"),
    replace(TOPK, k=10, hook_name=EARLIER, d_sae=8192, lr=1e-3, aux_stride=8, products="bfloat16"),
    replace(JUMPRELU, hook_name=EARLIER, products="bfloat16"),
    replace(
        TOPK, k=12, hook_name=EARLIER, d_sae=16_384, lr=8e-4, aux_stride=8, products="bfloat16", **FALLING
    ),
    replace(TOPK, k=12, hook_name="blocks.4.hook_resid_post", products="bfloat16", harvest="bfloat16"),
    replace(TOPK, hook_name="blocks.10.hook_resid_post"),
    replace(TOPK, d_sae=16_384, lr=8e-4, aux_stride=8),
    replace(TOPK, k=6),
    replace(TOPK, seed=1),
    STANDARD,
    MATRYOSHKA,
    replace(SHORT, d_sae=8192, **FALLING),
    replace(WIDE, **FALLING),
    replace(TOPK, k=4),
    replace(TOPK, k=32),
    replace(SHORT, k=6),
    replace(SHORT, k=32),
    replace(SHORT, seed=1),
    replace(JUMPRELU, d_sae=8192),
    WIDE,
    replace(SHORT, n_passes=6),
    replace(SHORT, k=2),
    replace(JUMPRELU, k=12),
    replace(JUMPRELU, d_sae=16_384, lr=8e-4),
)
"""One axis at a time from ``SHORT``, then from ``TOPK``, in the order in which they are trained."""


def explored_id(recipe: Recipe) -> str:
    """A name that tells apart recipes with equal architecture, width, L0, layer and seed."""
    return f"{recipe.sae_id}-{cache.json_hash(recipe.to_dict())[:6]}"


def table_path() -> Path:
    """Where the exploration's table is kept."""
    return data_root() / "results" / "exploration.csv"


def main(arguments: list[str] | None = None) -> int:
    """Train and judge what the exploration still lacks; a finished SAE is written into the table at once."""
    parser = argparse.ArgumentParser(prog="absorption explore", description=main.__doc__)
    parser.add_argument("--model", default=EMBEDDED, help="model name, id or folder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--table", type=Path, default=None, help="where the table is kept")
    parser.add_argument("--most", type=int, default=len(EXPLORATION), help="train at most so many")
    chosen = parser.parse_args(arguments)
    path = chosen.table or table_path()
    model = load_model(chosen.model, chosen.device)
    explore(model, EXPLORATION[: chosen.most], path)
    table = pd.read_csv(path)
    print(table.to_string(index=False, float_format="{:.3f}".format))
    print(f"the base by the rule: {RULE.choose(table)['sae']}")
    return 0


def explore(model: LanguageModel, recipes: Iterable[Recipe], path: Path) -> None:
    """Train each recipe unless it is done, measure its fitness, and write the table anew.

    Raises:
        ValueError: an SAE that is done was trained on other weights than the model's.
    """
    words: dict[str, ProbedWords] = {}
    rows = []
    for recipe in recipes:
        folder = cache.root() / "exploration" / explored_id(recipe)
        if not (folder / "card.json").exists():
            train(recipe, model, folder)
        _check_model(model, folder)
        if not (folder / "fitness.json").exists():
            if recipe.hook_name not in words:
                words[recipe.hook_name] = prepare_words(model, recipe.hook_name).probed
            sae = _with_card(model, folder)
            row = as_row(sae, measure_fitness(sae, words[recipe.hook_name]))
            cache.write_json(folder / "fitness.json", row | {"sae": explored_id(recipe), **_changes(recipe)})
        rows.append(json.loads((folder / "fitness.json").read_text(encoding="utf-8")))
        cache.write_text(path, pd.DataFrame(rows)[_columns(rows)].to_csv(index=False, float_format="%.4f"))


def _check_model(model: LanguageModel, folder: Path) -> None:
    """A folder that is done is used again only with the model that it was trained on."""
    trained_on = _card(folder).get("model_weights_hash")
    if trained_on != model.weights_hash:
        raise ValueError(
            f"{folder.name} was trained on a model with weights {trained_on}, {model.name!r} has "
            f"{model.weights_hash}; give that model as --model, or delete {folder} to train it anew."
        )


def _changes(recipe: Recipe) -> dict[str, str]:
    """What is set otherwise than in ``SHORT``, in words."""
    plain = asdict(SHORT)
    changed = {name: value for name, value in asdict(recipe).items() if value != plain[name]}
    return {"changes": ", ".join(f"{name} {value}" for name, value in changed.items())}


def _columns(rows: list[dict]) -> list[str]:
    first = ["sae", "architecture", "d_sae", "k", "hook_name", "n_tokens", "n_passes", "seed", "changes"]
    return first + [name for name in sorted(rows[0]) if name not in first]


def _card(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "card.json").read_text(encoding="utf-8"))


def _with_card(model: LanguageModel, folder: Path) -> LoadedSae:
    card = _card(folder)
    return replace(load_sae(LOCAL, card["sae_id"], model, path=str(folder)), card=card)

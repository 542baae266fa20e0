"""``make saes``: train what is missing of the shipped family, one SAE after another, resuming what was cut off."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from sae_lens.saes.sae import TrainingSAE
from safetensors.torch import load_file, save_file

from absorption.base import cache, sums
from absorption.base.data import data_root
from absorption.models.embedded import EMBEDDED
from absorption.models.language_model import LanguageModel, load_model
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL
from absorption.training import card
from absorption.training.corpus import load_windows, masked
from absorption.training.harvest import StoredActivations, store_activations
from absorption.training.recipe import SHIPPED_RECIPES, Recipe, find_recipe
from absorption.training.trainer import ResumableTrainer, make_trainer


def main(arguments: list[str] | None = None) -> int:
    """Train the named SAEs, or all of the family that is not shipped yet."""
    parser = argparse.ArgumentParser(prog="absorption saes", description=main.__doc__)
    parser.add_argument("sae_ids", nargs="*", help="names of recipes; default all that are shipped")
    parser.add_argument("--output", type=Path, default=None, help="folder for the SAEs (default data/saes)")
    parser.add_argument("--model", default=EMBEDDED, help="model name, id or folder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--again", action="store_true", help="train even what is already there")
    parser.add_argument("--stop-after", type=int, default=None, help="stop after this many steps (for tests)")
    chosen = parser.parse_args(arguments)
    recipes = [find_recipe(name) for name in chosen.sae_ids] or list(SHIPPED_RECIPES)
    output = chosen.output or data_root() / "saes"
    model = None
    missing = [
        recipe for recipe in recipes if chosen.again or not (output / recipe.sae_id / "card.json").exists()
    ]
    for recipe in recipes:
        if recipe not in missing:
            print(f"{recipe.sae_id}: already in {output}, skipped (--again trains it anew)")
            continue
        model = model or load_model(chosen.model, chosen.device)
        hooks = {other.hook_name for other in missing if other.reads_as(recipe)}
        train(recipe, model, output / recipe.sae_id, stop_after=chosen.stop_after, also=hooks)
    return 0


def train(
    recipe: Recipe,
    model: LanguageModel,
    folder: Path,
    *,
    stop_after: int | None = None,
    also: Iterable[str] = (),
) -> None:
    """Train one SAE to its recipe's end and write it, whole or not at all, with its card.

    Activations and checkpoints live in the cache; a call after a kill goes on where the last checkpoint was.

    Args:
        recipe: what is trained.
        model: the language model whose activations it reads.
        folder: the SAE's, made.
        stop_after: steps after which it stops, with a checkpoint.
        also: hooks of recipes that follow on the same text (``harvest.store_activations``).
    """
    windows = load_windows(
        model.tokenizer,
        model.tokenizer_hash,
        n_train=recipe.n_tokens,
        n_held_out=recipe.n_held_out,
        length=recipe.context,
    )
    text = masked(windows.train, model.tokenizer, recipe.masked) if recipe.masked else windows.train
    stored = store_activations(
        model,
        recipe.hook_name,
        text,
        windows_key=cache.array_hash(text.numpy()),
        products=recipe.harvest,
        also=also,
    )
    checkpoint = checkpoint_folder(recipe, stored)
    trainer = make_trainer(recipe, stored, checkpoint, model_name=model.name)
    trainer.stop_after = stop_after
    sae = trainer.fit()
    finished = trainer.n_training_steps >= trainer.cfg.total_training_steps
    if not finished:
        print(f"{recipe.sae_id}: stopped after {trainer.n_training_steps} steps; the checkpoint is kept")
        return
    save(recipe, model, sae, trainer, folder, windows.held_out)


def checkpoint_folder(recipe: Recipe, stored: StoredActivations) -> Path:
    """Where a recipe's checkpoint lives; another recipe or another text has another folder."""
    key = cache.key_of({"recipe": recipe.to_dict(), "activations": stored.key})
    return cache.root() / "training" / f"{recipe.sae_id}-{key}"


def save(
    recipe: Recipe,
    model: LanguageModel,
    sae: TrainingSAE,
    trainer: ResumableTrainer,
    folder: Path,
    held_out: torch.Tensor,
) -> None:
    """Fold the input scale into the weights, write float16 in SAELens' format, measure, write the card."""
    with cache.atomic_folder(folder) as temporary:
        sae.fold_activation_norm_scaling_factor(trainer.data_provider.scale)
        sae.save_inference_model(temporary)
        _to_float16(temporary)
        loaded = load_sae(LOCAL, recipe.sae_id, model, path=str(temporary))
        rows = _held_out_rows(model, recipe.hook_name, held_out)
        measured = card.measure(model, loaded, held_out, rows)
        card.write_card(
            temporary, recipe, model, trained=_facts(recipe, trainer), measured=measured, sae=loaded
        )
        sums.write(temporary, "card.json", "cfg.json", "sae_weights.safetensors")
    print(f"{recipe.sae_id}: {json.dumps(measured)}")


_ROWS: dict[tuple[str, str, str], torch.Tensor] = {}


def _held_out_rows(model: LanguageModel, hook_name: str, held_out: torch.Tensor) -> torch.Tensor:
    """The rows that every card at this hook is measured on; the last hook's are kept in memory."""
    key = (model.identity, hook_name, cache.array_hash(held_out.numpy()))
    if key not in _ROWS:
        _ROWS.clear()
        _ROWS[key] = card.rows_of(model, hook_name, held_out)
    return _ROWS[key]


def _to_float16(folder: Path) -> None:
    """Half the size on disk; SAELens reads it back to whatever type it is told.

    The threshold is one number a latent, where rounding could switch latents on: it stays float32.
    """
    path = folder / "sae_weights.safetensors"
    weights = load_file(path)
    small = {name: w if name == "threshold" else w.to(torch.float16) for name, w in weights.items()}
    save_file({name: w.float() if name == "threshold" else w for name, w in small.items()}, path)
    path.chmod(0o644)


def _facts(recipe: Recipe, trainer: ResumableTrainer) -> dict[str, Any]:
    return {
        "distinct_tokens": len(trainer.data_provider.activations.rows),
        "left_out_positions": trainer.data_provider.activations.n_dropped,
        "tokens_seen": trainer.n_training_samples,
        "steps": trainer.n_training_steps,
        "passes": round(trainer.n_training_samples / len(trainer.data_provider.activations.rows), 3),
        "seconds": round(trainer.seconds, 1),
        "machine": card.machine(),
        "dead_while_training": int(trainer.dead_neurons.sum()),
        "dead_over_time": trainer.dead_over_time,
    }


if __name__ == "__main__":
    raise SystemExit(main())

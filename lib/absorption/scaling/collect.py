"""``absorption grid``: measure SAEs that were trained from recipes, and keep their numbers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from absorption.base import cache
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL, SHIPPED, shipped_folder
from absorption.scaling import quality
from absorption.scaling.measure import measure_sae, text_table
from absorption.scaling.stored import (
    Grid,
    StoredGridError,
    join,
    read_grid,
    shipped_members,
    with_rows,
    write_grid,
)
from absorption.scaling.text import N_TOKENS, Text, read_text
from absorption.training import corpus
from absorption.training.card import machine
from absorption.training.recipe import BASE

KEPT_OF_TRAINING = ("steps", "tokens_seen", "seconds", "dead_while_training", "dead_over_time")
"""What a stamp keeps of a card's facts on training."""


def collect(model: LanguageModel, folders: Sequence[Path], output: Path | None = None) -> Grid:
    """Measure every SAE whose numbers are not stored yet, and store them after each one.

    Args:
        model: what the SAEs were trained on.
        folders: of SAEs, or of folders of SAEs; the shipped ones are measured in any case.
        output: folder of the numbers; default this project's.

    Raises:
        StoredGridError: a folder without a card, or an SAE that is of no recipe or of another model.
    """
    wanted = {sae: shipped_folder(sae) for sae in shipped_members()} | _named(folders)
    old = _old(output)
    new = {
        sae: folder
        for sae, folder in wanted.items()
        if old is None or old.stamps.get(sae, {}).get("weights_hash") != _card(folder)["weights_hash"]
    }
    windows = _windows(model)
    grid = _with_new(model, windows, old, new, output) if new or old is None else old
    return _with_quality(model, windows, grid, wanted, output)


def _with_new(
    model: LanguageModel, windows: Any, old: Grid | None, new: dict[str, Path], output: Path | None
) -> Grid:
    text = read_text(model, BASE.hook_name, windows)
    stamp = describe(model, text)
    grid = old if old is not None and old.text == stamp else Grid(text_table(model, text), stamp, {})
    for sae, folder in tqdm(new.items(), desc="Grid", unit="SAE"):
        grid = join([grid, measured(model, load(model, sae, folder), text, _card(folder), stamp)])
        _write_if_whole(grid, output)
    return grid


def _with_quality(
    model: LanguageModel, windows: Any, grid: Grid, folders: dict[str, Path], output: Path | None
) -> Grid:
    """The measures of quality of those SAEs at hand that should have them and do not."""
    lacking = [
        sae
        for sae in folders
        if quality.is_measured(grid.recipes[sae]) and grid.stamps[sae].get("quality") != quality.VERSION
    ]
    if not lacking:
        return grid
    subject = quality.read_subject(model, BASE.hook_name, windows)
    said = quality.describe(subject)
    if grid.quality != said:
        lacking = [sae for sae in folders if quality.is_measured(grid.recipes[sae])]
        grid = with_rows(grid, quality.baselines(model, subject), said)
    for sae in tqdm(lacking, desc="Quality", unit="SAE"):
        begun = time.monotonic()
        rows = quality.measure_quality(model, load(model, sae, folders[sae]), subject)
        grid = with_rows(grid, rows, said)
        told = {"quality": quality.VERSION, "quality_seconds": round(time.monotonic() - begun, 1)}
        grid = Grid(grid.measured, grid.text, grid.stamps | {sae: grid.stamps[sae] | told}, said)
        _write_if_whole(grid, output)
    return grid


def _write_if_whole(grid: Grid, output: Path | None) -> None:
    if set(shipped_members()) <= set(grid.stamps):
        write_grid(grid, output)


def _old(output: Path | None) -> Grid | None:
    try:
        return read_grid(output or "")
    except StoredGridError:
        return None


def _named(folders: Iterable[Path]) -> dict[str, Path]:
    cards = [
        card for folder in folders for card in ([folder] if _has_card(folder) else sorted(folder.glob("*/")))
    ]
    if odd := [
        str(folder) for folder in folders if not _has_card(folder) and not any(folder.glob("*/card.json"))
    ]:
        raise StoredGridError(
            f"{odd[0]} holds no SAE with a card.json; allowed: a folder of one, or of several."
        )
    return {_card(folder)["sae_id"]: folder for folder in cards if _has_card(folder)}


def _has_card(folder: Path) -> bool:
    return (folder / "card.json").exists()


def _card(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "card.json").read_text(encoding="utf-8"))


def _windows(model: LanguageModel) -> Any:
    windows = corpus.load_windows(
        model.tokenizer, model.tokenizer_hash, n_train=0, n_held_out=BASE.n_held_out, length=BASE.context
    )
    return windows.held_out[: -(-N_TOKENS // BASE.context)]


def describe(model: LanguageModel, text: Text) -> dict[str, Any]:
    """What was read, as a stamp holds it."""
    return {
        "model": model.name, "model_weights_hash": model.weights_hash, "hook_name": text.hook_name,
        "corpus": corpus.CORPUS.sha256, "windows": text.key, "tokens": int(text.tokens.sum()),
    }  # fmt: skip


def load(model: LanguageModel, sae: str, folder: Path) -> LoadedSae:
    """A shipped SAE, or that of a folder, under its recipe's name."""
    if folder.parent == shipped_folder(shipped_members()[0]).parent:
        return load_sae(SHIPPED, sae, model)
    return load_sae(LOCAL, sae, model, path=str(folder))


def measured(
    model: LanguageModel, sae: LoadedSae, text: Text, card: dict[str, Any], stamp_of_text: dict[str, Any]
) -> Grid:
    """One SAE's numbers with their stamp.

    Raises:
        StoredGridError: weights or a hook that are not its card's.
    """
    told = {"weights_hash": sae.weights_hash, "hook_name": sae.hook_name}
    if wrong := [name for name, value in told.items() if card[name] != value]:
        raise StoredGridError(
            f"{sae.name}: its card says {wrong[0]} {card[wrong[0]]}, it has {told[wrong[0]]}."
        )
    if sae.hook_name != text.hook_name:
        raise StoredGridError(
            f"{sae.name} reads {sae.hook_name}; allowed: {text.hook_name}, as the grid does."
        )
    begun = time.monotonic()
    rows, never = measure_sae(model, sae, text)
    stamp = {
        "weights_hash": sae.weights_hash,
        "configuration_hash": sae.configuration_hash,
        "model_weights_hash": card["model_weights_hash"],
        "recipe": card["recipe"],
        "training": {name: card["training"][name] for name in KEPT_OF_TRAINING if name in card["training"]},
        "never_on": never,
        "seconds": round(time.monotonic() - begun, 1),
        "machine": machine(),
        "packages": cache.versions(),
    }
    return Grid(rows, stamp_of_text, {sae.name: stamp})

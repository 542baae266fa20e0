"""``absorption remedies``: measure SAEs of the arms that were trained from their recipes, and keep their numbers."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm.auto import tqdm

from absorption import one_sae
from absorption.base import cache
from absorption.models.language_model import LanguageModel
from absorption.one_sae.words import StudyWords
from absorption.remedies.arms import MEMBERS
from absorption.remedies.measure import Asked, Measured, measure_sae
from absorption.remedies.stored import (
    Remedies,
    StoredRemediesError,
    joined,
    read_remedies,
    subject_of,
    write_remedies,
)
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL, SHIPPED, shipped_folder, shipped_ids
from absorption.training import corpus
from absorption.training.card import machine, rows_of
from absorption.training.recipe import BASE

TEXT_WINDOWS = 80
"""Windows of held-out text, about 10,000 tokens, that the diagnostic reads."""
KEPT_OF_TRAINING = ("steps", "tokens_seen", "seconds", "dead_while_training")
"""What a stamp keeps of a card's facts on training."""


def collect(
    model: LanguageModel, folders: Sequence[Path], output: Path | None = None, asked: Asked | None = None
) -> Remedies:
    """Measure every SAE of the arms whose numbers are not stored yet, and store them after each one.

    Args:
        model: what the SAEs were trained on.
        folders: of SAEs, each below one of these; those that are in no arm are passed over, and shipped ones that
            are in one are measured in any case.
        output: folder of the numbers; default this project's.
        asked: what is measured; default as stored, or ``Asked()``.

    Raises:
        StoredRemediesError: no SAE of an arm is in the folders or stored, or weights are not their card's.
    """
    old = _old(output)
    asked = asked or (old.asked if old else Asked())
    there = _found(folders)
    words, text = subject_at(model, asked)
    subject = subject_of(model.name, model.weights_hash, BASE.hook_name, text.key, asked)
    if old is not None and old.subject != subject:
        raise StoredRemediesError(
            f"{output or 'data/results/remedies'} holds numbers of another subject: delete it, or name another."
        )
    new = [
        sae
        for sae in there
        if old is None or old.stamps.get(sae, {}).get("weights_hash") != _card(there[sae])["weights_hash"]
    ]
    for sae in tqdm(new, desc="Remedies", unit="SAE"):
        begun = time.monotonic()
        loaded = _load(model, sae, there[sae])
        study = one_sae.study_saes(words, [loaded])[0]
        found = measure_sae(study, text.rows, asked)
        stamp = _stamp(loaded, _card(there[sae]), time.monotonic() - begun)
        old = joined(old, sae, tables_of(found), stamp, subject)
        write_remedies(old, output)
    if old is None:
        raise StoredRemediesError(f"No SAE of an arm is in the folders given; allowed: {', '.join(MEMBERS)}.")
    return old


class HeldOutRows:
    """Activations of held-out text that the diagnostic reads."""

    def __init__(self, model: LanguageModel) -> None:
        windows = corpus.load_windows(
            model.tokenizer, model.tokenizer_hash, n_train=0, n_held_out=BASE.n_held_out, length=BASE.context
        ).held_out[:TEXT_WINDOWS]
        self.key = cache.array_hash(windows.int().numpy())
        self.rows: Tensor = rows_of(model, BASE.hook_name, windows)


def subject_at(model: LanguageModel, asked: Asked) -> tuple[StudyWords, HeldOutRows]:
    """The words and the text that all SAEs are measured on."""
    return one_sae.prepare_words(model, BASE.hook_name, seed=asked.seed), HeldOutRows(model)


def tables_of(found: Measured) -> dict[str, Any]:
    """As they are stored."""
    return {"numbers": found.numbers, "resamples": found.resamples}


def _found(folders: Sequence[Path]) -> dict[str, Path]:
    """Folders of SAEs of the arms, in the order of seeds and then of arms."""
    patterns = ("card.json", "*/card.json")
    cards = [path for folder in folders for pattern in patterns for path in sorted(folder.glob(pattern))]
    if folders and not cards:
        raise StoredRemediesError(
            f"{folders[0]} holds no SAE with a card.json; allowed: a folder of one, or of several."
        )
    named = {_card(path.parent)["sae_id"]: path.parent for path in cards}
    named |= {sae: shipped_folder(sae) for sae in shipped_ids() if sae in MEMBERS}
    order = sorted((mine.recipe.seed, place, sae) for place, (sae, mine) in enumerate(MEMBERS.items()))
    return {sae: named[sae] for _, _, sae in order if sae in named}


def _load(model: LanguageModel, sae: str, folder: Path) -> LoadedSae:
    loaded = (
        load_sae(SHIPPED, sae, model)
        if sae in shipped_ids()
        else load_sae(LOCAL, sae, model, path=str(folder))
    )
    card = _card(folder)
    if loaded.weights_hash != card["weights_hash"]:
        raise StoredRemediesError(
            f"{sae}: its card says weights_hash {card['weights_hash']}, it has {loaded.weights_hash}."
        )
    return replace(loaded, card=card)


def _stamp(sae: LoadedSae, card: dict[str, Any], seconds: float) -> dict[str, Any]:
    kept = {
        name: card[name] for name in ("sae_id", "recipe", "model_weights_hash", "weights_hash", "measured")
    }
    kept["training"] = {name: card["training"][name] for name in KEPT_OF_TRAINING if name in card["training"]}
    return {
        "weights_hash": sae.weights_hash,
        "configuration_hash": sae.configuration_hash,
        "card": kept,
        "seconds": round(seconds, 1),
        "machine": machine(),
        "packages": cache.versions(),
    }


def _old(output: Path | None) -> Remedies | None:
    try:
        return read_remedies(output or "")
    except StoredRemediesError:
        return None


def _card(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "card.json").read_text(encoding="utf-8"))

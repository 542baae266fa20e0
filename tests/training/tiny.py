"""A recipe and activations small enough to train on in a second: 24 dimensions, 64 latents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from absorption.training.harvest import StoredActivations
from absorption.training.recipe import Recipe
from absorption.training.trainer import ResumableTrainer, make_trainer

D_IN, D_SAE = 24, 64
RECIPE = Recipe(
    d_sae=D_SAE, k=4, hook_name="blocks.1.hook_resid_post", n_tokens=3000, n_passes=2, n_held_out=600,
    context=16, batch=64, warm_up_steps=5, dead_steps=4, seed=3,
)  # fmt: skip


def tiny_recipe(architecture: str, **changes: Any) -> Recipe:
    """The recipe for one of the architectures."""
    # fmt: off
    more: dict[str, Any] = {
        "matryoshka": {"matryoshka_widths": (8, 24, D_SAE)},
        "standard": {"penalty": 0.1, "penalty_warm_up_steps": 4},
        "jumprelu": {
            "penalty": 0.1, "penalty_warm_up_steps": 4, "bandwidth": 0.2,
            "first_threshold": 0.05, "threshold_speed": 4,
        },
    }
    # fmt: on
    return replace(RECIPE, architecture=architecture, **(more.get(architecture, {}) | changes))


def planted_activations(n_rows: int = 1000, seed: int = 0) -> StoredActivations:
    """Rows that are sums of a few of 40 directions, off-centre, in float16 as stored ones are."""
    generator = np.random.default_rng(seed)
    directions = generator.normal(size=(40, D_IN))
    on = generator.random((n_rows, 40)) < 0.08
    rows = (3 + on * generator.random((n_rows, 40)) @ directions * 5).astype(np.float16)
    mean = torch.from_numpy(rows.mean(axis=0, dtype=np.float64)).float()
    return StoredActivations(rows=rows, mean=mean, n_dropped=0, key=f"planted-{n_rows}-{seed}")


def tiny_trainer(folder: Path, recipe: Recipe = RECIPE, every: int = 7) -> ResumableTrainer:
    """A trainer whose checkpoint lives in ``folder``."""
    return make_trainer(recipe, planted_activations(), folder, model_name="tiny", every=every)

"""The activation above which a latent is best taken to be on: where a threshold would tell its letter better than 0."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from absorption.latents.sparse import ACTIVE


def best_f1_levels(
    acts: Float[Tensor, "word latent"], truth: Bool[Tensor, "word latent"]
) -> Float[Tensor, " latent"]:
    """For each latent the level above which "it is on" has the highest F1.

    Tried are ``ACTIVE``, which is the published rule, and every activation that occurs; of equals the lowest is taken.
    A latent for which no threshold does better than 0 so keeps the published rule.

    Args:
        acts: activations of some latents at the training words.
        truth: what each latent should be on for.
    """
    pairs = zip(acts.double().T.numpy(), truth.T.numpy(), strict=True)
    return torch.tensor([_best_level(mine, own) for mine, own in pairs], dtype=torch.float64)


def _best_level(acts: Float[np.ndarray, " word"], truth: Bool[np.ndarray, " word"]) -> float:
    levels = np.unique(np.append(acts[acts > ACTIVE], ACTIVE))
    n_on, hits = (
        len(mine) - np.searchsorted(np.sort(mine), levels, side="right") for mine in (acts, acts[truth])
    )
    f1 = 2 * hits / np.maximum(n_on + truth.sum(), 1)
    return float(levels[np.argmax(f1)])

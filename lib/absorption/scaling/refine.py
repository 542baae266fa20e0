"""Activations refined at fixed support: the best non-negative ones of the latents that are on.

An encoder under an L1 penalty reports activations that are too small; if one may choose them anew for the same
latents, they grow and the error falls (Gao et al. 2024). Where the ratio is 1, nothing was shrunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import nnls
from torch import Tensor

from absorption.saes.loaded import LoadedSae
from absorption.stitching.insertion import decoder, without_latents


@dataclass(frozen=True)
class Refined:
    """Sums of one row over the latents that are on, one entry a row."""

    original: Float[np.ndarray, " row"]
    """Activations as encoded, summed."""
    refined: Float[np.ndarray, " row"]
    original_error: Float[np.ndarray, " row"]
    """Squared error."""
    refined_error: Float[np.ndarray, " row"]


@torch.inference_mode()
def refine(sae: LoadedSae, rows: Float[Tensor, "row d_model"]) -> Refined:
    """Solve each row by non-negative least squares over the decoder rows of its latents."""
    acts, rows_out = sae.encode(rows), decoder(sae)
    targets = (rows - without_latents(sae, rows)).double().numpy()
    found = [_one(act, rows_out, target) for act, target in zip(acts, targets, strict=True)]
    return Refined(*np.array(found).reshape(-1, 4).T)


def _one(acts: Tensor, rows_out: Tensor, target: np.ndarray) -> tuple[float, float, float, float]:
    on = acts.nonzero()[:, 0]
    directions, given = rows_out[on].double().numpy().T, acts[on].double().numpy()
    error = float(((target - directions @ given) ** 2).sum())
    if len(on) == 0:
        return 0.0, 0.0, error, error
    best, norm = nnls(directions, target)
    return float(given.sum()), float(best.sum()), error, float(norm**2)

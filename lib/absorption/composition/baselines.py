"""What a meta-SAE is to beat: rows without structure, principal directions, directions drawn at random.

All are allowed as many directions a row as the meta-SAE has meta-latents on, and the rows' mean besides.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def gaussian_rows(rows: Float[Tensor, "row d_model"], *, seed: int = 0) -> Float[Tensor, "row d_model"]:
    """As many rows drawn from the Gaussian that has the rows' mean and covariance: no direction is special in it."""
    mean = rows.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(rows.double().T, correction=0))
    drawn = torch.from_numpy(np.random.default_rng(seed).standard_normal(tuple(rows.shape)))
    return ((drawn * values.clamp_min(0).sqrt()) @ vectors.T).float() + mean


def principal_parts(
    rows: Float[Tensor, "row d_model"], n_directions: int, k: int, *, shared: bool = False
) -> Float[Tensor, "row d_model"]:
    """Rows rebuilt from their mean and ``k`` principal directions a row.

    Args:
        rows: any rows.
        n_directions: principal directions to choose from; there are at most ``d_model``.
        k: directions a row, in the mean: of all rows' coordinates the ``k`` times as many largest are kept, as a
            BatchTopK SAE keeps its activations.
        shared: take the first ``k`` directions for all rows instead.
    """
    mean = rows.mean(0)
    directions = torch.linalg.svd(rows - mean, full_matrices=False).Vh
    kept = directions[: k if shared else min(n_directions, len(directions))]
    along = (rows - mean) @ kept.T
    if not shared:
        least = along.abs().flatten().topk(min(k * len(rows), along.numel())).values[-1]
        along = along * (along.abs() >= least)
    return along @ kept + mean


def random_directions(n: int, d_model: int, *, seed: int = 0) -> Float[Tensor, "n d_model"]:
    """Unit vectors drawn evenly from the sphere."""
    drawn = torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d_model)))
    return torch.nn.functional.normalize(drawn, dim=1).float()


def pursue(
    vectors: Float[Tensor, "row d_model"], directions: Float[Tensor, "n d_model"], k: int
) -> Float[Tensor, "row n"]:
    """Weights of at most ``k`` unit directions a row, by matching pursuit; none is negative.

    Each step takes the direction that has the largest product with what is left, and takes that part off. It may take
    a direction again, and stops where no product is positive.
    """
    weights = torch.zeros(len(vectors), len(directions))
    left, at = vectors.clone(), torch.arange(len(vectors))
    for _ in range(k):
        found = (left @ directions.T).max(dim=1)
        size = found.values.clamp_min(0)
        weights[at, found.indices] += size
        left = left - size[:, None] * directions[found.indices]
    return weights

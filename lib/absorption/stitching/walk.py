"""Squared error and L0 of every SAE on the way from a smaller one to a larger one, in one pass over the text."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.stitching.steps import Steps


def walk_sums(
    small: tuple[Tensor, Tensor],
    large: tuple[Tensor, Tensor],
    steps: Steps,
    error: Tensor,
    bias_change: Tensor,
) -> Float[Tensor, "2 step"]:
    """Sums over rows at each step: the squared error, and the number of active latents.

    Args:
        small: the smaller SAE's activations (CSR, ``row latent``) and decoder rows.
        large: the larger SAE's.
        steps: when each latent enters or leaves.
        error: of the smaller SAE, ``row d_model``.
        bias_change: the larger SAE's output without latents minus the smaller's, ``d_model`` or ``row d_model``.
    """
    written, entered = _by_step(*large, steps.enter, steps.n)
    gone, left = _by_step(*small, steps.leave, steps.n)
    changes = written - gone
    shares = torch.tensor([steps.bias_share(step) for step in range(steps.n + 1)]).diff()
    sums = [_square(error)]
    for change, share in zip(changes, shares, strict=True):
        error = error - change - share * bias_change
        sums.append(_square(error))
    active = len(small[0].values()) + torch.cat([torch.zeros(1), (entered - left).cumsum(0)])
    return torch.stack([torch.tensor(sums, dtype=torch.float64), active.double()])


def _square(error: Tensor) -> float:
    return float(error.pow(2).sum(dtype=torch.float64))


def _by_step(csr: Tensor, rows_out: Tensor, step_of: np.ndarray, n: int) -> tuple[Tensor, Tensor]:
    """What the latents of each step write, ``step row d_model``, and how many of them are on, ``step``.

    One sparse product: the entries are sorted by step, so that each step has rows of its own.
    """
    n_rows = csr.shape[0]
    step = torch.from_numpy(step_of)[csr.col_indices()] - 1
    row = torch.arange(n_rows).repeat_interleave(csr.crow_indices().diff())
    order = torch.argsort(step * n_rows + row, stable=True)
    starts = torch.zeros(n * n_rows + 1, dtype=torch.long)
    starts[1:] = torch.bincount(step * n_rows + row, minlength=n * n_rows).cumsum(0)
    sorted_csr = torch.sparse_csr_tensor(
        starts,
        csr.col_indices()[order],
        csr.values()[order],
        (n * n_rows, csr.shape[1]),
        check_invariants=False,
    )
    return (sorted_csr @ rows_out).view(n, n_rows, -1), torch.bincount(step, minlength=n).float()

"""What the loss asks for, without training: the closed-form family and the minimisers of small cases.

Two features, parent f0 and child f1, orthogonal and of magnitude 1. The parent's latent writes f0, the child's
latent writes ``f1 + d f0``; ``d`` = 0 is the true dictionary, ``d`` = 1 is full absorption.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.stats import norm
from torch import Tensor

D_GRID = np.linspace(0, 1.5, 15_001)
"""Candidates for ``d``; the loss is cheap, so a fine grid is safer than a search that needs one valley."""


def closed_form_weights(d: float) -> tuple[Float[Tensor, "latent 2"], Float[Tensor, "latent 2"]]:
    """Encoder and decoder rows in the (f0, f1) plane, parent's latent first (proof: paper, appendices A.2-A.6).

    Encoder: ``f0 - d f1`` and ``f1``. Decoder: ``f0`` and ``f1 + d f0``. No biases.
    """
    return torch.tensor([[1.0, -d], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [d, 1.0]])


def closed_form_losses(d: np.ndarray, p_both: float, p_parent_only: float) -> pd.DataFrame:
    """Losses of the closed-form family where the child never fires alone (paper, appendices A.2-A.6).

    Args:
        d: degrees of absorption in [0, 1].
        p_both: P(f0 and f1).
        p_parent_only: P(f0 without f1).

    Returns:
        Rows ``d``, ``reconstruction`` (expected squared error, from the weights), ``sparsity`` (expected sum of
        activations: ``p_both (2 - d) + p_parent_only``), and ``sparsity_weighted`` (each activation times its
        decoder row's norm, as SAELens trains: the same direction of slope).
    """
    rows = []
    for value in d:
        encoder, decoder = closed_form_weights(float(value))
        inputs = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
        chances = torch.tensor([p_both, p_parent_only])
        acts = torch.relu(inputs @ encoder.T)
        errors = (acts @ decoder - inputs).pow(2).sum(dim=1)
        rows.append(
            {
                "d": float(value),
                "reconstruction": float(chances @ errors),
                "sparsity": float(chances @ acts.sum(dim=1)),
                "sparsity_weighted": float(chances @ (acts * decoder.norm(dim=1)).sum(dim=1)),
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Imperfect:
    """The minimiser where the child sometimes fires alone; activations for decoder rows of norm 1."""

    d: float
    parent_both: float
    """Parent's latent with both on."""
    child_both: float
    child_alone: float
    absorbed: float
    """Share of the parent's direction that the child's latent writes, with both on."""


def imperfect(p_parent: float, l1: float) -> Imperfect:
    """Minimise error plus ``l1`` times the activations, over ``d`` and the activations in each situation.

    The parent alone costs the same for every ``d``, so only the child's samples count, and of those only the share
    with the parent: rates drop out.

    Args:
        p_parent: P(parent | child).
        l1: coefficient beside the squared error summed over dimensions.
    """
    along, across = D_GRID / np.hypot(1, D_GRID), 1 / np.hypot(1, D_GRID)
    child = (1 - l1 / 2 * (1 - along) / across) / across
    parent = 1 - l1 / 2 - along * child
    off = parent < 0
    child = np.maximum(np.where(off, along + across - l1 / 2, child), 0)
    parent = np.maximum(parent, 0)
    alone = np.maximum(across - l1 / 2, 0)
    both_loss = (1 - parent - along * child) ** 2 + (1 - across * child) ** 2 + l1 * (parent + child)
    alone_loss = 1 - 2 * across * alone + alone**2 + l1 * alone
    best = int(np.argmin(p_parent * both_loss + (1 - p_parent) * alone_loss))
    by_child = along[best] * child[best]
    return Imperfect(
        d=float(D_GRID[best]),
        parent_both=float(parent[best]),
        child_both=float(child[best]),
        child_alone=float(alone[best]),
        absorbed=float(by_child / max(by_child + parent[best], 1e-12)),
    )


def l1_for_imperfect(p_parent: float, d: float) -> float:
    """The coefficient at which ``d`` is best, for ``d`` inside (0, 1): ``imperfect`` turned round."""
    return float(brentq(lambda l1: imperfect(p_parent, l1).d - d, 1e-6, 0.5, xtol=1e-6))  # type: ignore[arg-type]


def l1_for_partial(spread: float, d: float) -> float:
    """The coefficient at which ``d`` is best where the parent's magnitude varies.

    With the parent at ``m ~ N(1, spread)`` the child's latent writes ``d`` of it always, and the parent's latent the
    rest, ``max(m - d, 0)``. Setting the derivative of ``E[max(d - m, 0)^2] + l1 (E[max(m - d, 0)] + sqrt(1 + d^2))``
    to zero gives the coefficient.

    Args:
        spread: standard deviation of the parent's magnitude, whose mean is 1.
        d: what the child's latent writes along f0, below 1.
    """
    z = (d - 1) / spread
    missed = spread * (norm.pdf(z) + z * norm.cdf(z))  # E[max(d - m, 0)]
    saved = norm.sf(z) - d / np.hypot(1, d)
    return float(2 * missed / saved)

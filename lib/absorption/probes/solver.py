"""Logistic regression for many labels at once, to the optimum.

All letters share the activations, so one matrix product serves all 26 problems. Each is minimised by L-BFGS
whose first metric is the exact curvature at zero (the Gram matrix weighted by class), so that a few dozen
steps reach the optimum that scikit-learn needs hundreds of passes a letter for. The objective is strictly convex:
there is one solution, and a fit that has not reached it raises.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MEMORY = 12
MAX_STEPS = 300
GRADIENT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Solution:
    """Weights of every label's regression, and how closely the optimum was met."""

    weights: Float[Tensor, "feature label"]
    """The last row is the intercept."""
    steps: int
    gradient: float
    """Largest gradient component over the largest at zero weights."""


def solve(
    features: Float[Tensor, "row feature"],
    labels: Bool[Tensor, "row label"],
    row_weights: Float[Tensor, "row label"],
    l2: float,
) -> Solution:
    """Minimise ``sum_i row_weights_i * logloss_i + l2/2 * |w|^2`` for every label (intercept not penalised).

    Args:
        features: rows; a column of ones is added here.
        labels: truth of every row for every label.
        row_weights: non-negative, summing to 1 over rows for every label.
        l2: penalty on the mean loss.

    Raises:
        RuntimeError: the optimum was not reached; nothing is returned half-converged.
    """
    x = torch.cat([features, features.new_ones(len(features), 1)], dim=1)
    signs = labels.to(x.dtype) * 2 - 1
    penalty = x.new_full((x.shape[1], 1), l2)
    penalty[-1] = 0
    factors = _curvature(x, labels, row_weights, penalty)
    w = x.new_zeros(x.shape[1], labels.shape[1])
    logits = x @ w
    loss, grad = _loss_grad(x, logits, signs, row_weights, w, penalty)
    first = grad.abs().max()
    history: list[tuple[Tensor, Tensor]] = []
    for step in range(MAX_STEPS):
        if grad.abs().max() <= GRADIENT_TOLERANCE * first:
            return Solution(w, step, float(grad.abs().max() / first))
        direction = -_inverse_times(grad, history, factors)
        moved = x @ direction
        size = _line_search(loss, grad, logits, moved, w, direction, signs, row_weights, penalty)
        new_w, logits = w + size * direction, logits + size * moved
        new_loss, new_grad = _loss_grad(x, logits, signs, row_weights, new_w, penalty)
        history = [*history[-MEMORY + 1 :], (new_w - w, new_grad - grad)]
        w, loss, grad = new_w, new_loss, new_grad
    raise RuntimeError(
        f"The logistic regression did not converge in {MAX_STEPS} steps: gradient {float(grad.abs().max() / first):.1e} "
        f"of its start, {GRADIENT_TOLERANCE:.0e} is needed. Raise l2."
    )


def _loss_grad(x, logits, signs, row_weights, w, penalty) -> tuple[Tensor, Tensor]:
    margins = signs * logits
    loss = (row_weights * torch.nn.functional.softplus(-margins)).sum(0) + 0.5 * (penalty * w * w).sum(0)
    grad = x.T @ (-row_weights * signs * torch.sigmoid(-margins)) + penalty * w
    return loss, grad


def _curvature(x, labels, row_weights, penalty) -> Float[Tensor, "label feature feature"]:
    """Cholesky factors of the Hessian at zero, one a label; weights take two values a label, so one Gram
    matrix a class suffices."""
    gram_all = x.T @ x
    factors = []
    for label in range(labels.shape[1]):
        positive = labels[:, label]
        mine = x[positive]
        weight_in = row_weights[positive, label].mean() if positive.any() else x.new_tensor(0.0)
        weight_out = row_weights[~positive, label].mean()
        gram = weight_out * gram_all + (weight_in - weight_out) * (mine.T @ mine)
        hessian = gram / 4 + torch.diag(penalty[:, 0])
        jitter = 1e-7 * hessian.diagonal().mean()
        factors.append(torch.linalg.cholesky(hessian + jitter * torch.eye(len(hessian), device=x.device)))
    return torch.stack(factors)


def _inverse_times(grad: Tensor, history: list[tuple[Tensor, Tensor]], factors: Tensor) -> Tensor:
    """L-BFGS's two loops, all labels side by side."""
    q = grad.clone()
    kept = []
    for s, y in reversed(history):
        rho = 1 / (s * y).sum(0).clamp_min(1e-30)
        alpha = rho * (s * q).sum(0)
        q = q - alpha * y
        kept.append((s, y, rho, alpha))
    r = torch.cholesky_solve(q.T[:, :, None], factors)[:, :, 0].T
    for s, y, rho, alpha in reversed(kept):
        r = r + s * (alpha - rho * (y * r).sum(0))
    return r


def _line_search(loss, grad, logits, moved, w, direction, signs, row_weights, penalty) -> Tensor:
    """Largest step of 1, 1/2, 1/4 ... that lowers each label's loss enough (Armijo); 0 if none does."""
    slope = (grad * direction).sum(0)
    size = torch.ones_like(slope)
    for _ in range(30):
        new_w = w + size * direction
        margins = signs * (logits + size * moved)
        new = (row_weights * torch.nn.functional.softplus(-margins)).sum(0) + 0.5 * (penalty * new_w**2).sum(0)
        short = new > loss + 1e-4 * size * slope + 1e-9 * loss.abs()
        if not short.any():
            return size
        size = torch.where(short, size / 2, size)
    return torch.where(short, torch.zeros_like(size), size)

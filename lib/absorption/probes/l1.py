"""The L1 probe that ranks latents: logistic regression on all latents, solved to a checked optimum.

The ranking decides which latents count as a letter's main ones, and those decide the absorption rate, so a
fit that has not converged is an error, not a result. The reference code trains this probe for 50 epochs of
Adam and checks nothing; on few words that is a few dozen steps, and what it ranks first is then close to
noise.

Objective for each letter, on raw activations, as in the reference code: the mean over words of the logistic
loss, the letter's words weighted by (other words / own words), plus ``l1`` times the sum of absolute weights.
The intercept is free. The reference's further L2 penalty of 1e-6 is left out.

The algorithm is a working set of latents, on which proximal Newton steps are taken (Lee, Sun and Saunders, 2014); each
step's quadratic problem is solved by accelerated proximal gradient (FISTA; Beck and Teboulle, 2009) with the gradient
restart of O'Donoghue and Candès (2015).

scikit-learn's liblinear (``C = 1 / l1``, the same row weights, an intercept scaled by 1e4, which all but frees it) was
made to meet the same conditions to ``TOLERANCE`` on the 37,662 training words of the embedded model; CPU times of one
thread. With 80 latents on at a word (shipped SAEs, L0 32 on text) it took 3.5 to 14 times as long a letter: 54.8 s
against 9.7 s for all letters at width 4,096, and 3.5 to 5.2 times for the letters A to D at width 16,384. With 8 and 17
on (letters S, A and K, two trial SAEs of width 4,096) it took .09 to 1.1 times as long, which is less than a second a
letter. At width 4,096 both leave as many latents for 24 of the letters, and one more or one fewer for J and Y. So
this solver stays. skglm 0.5 has no row weights for the logistic loss and cannot pose the problem.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float
from scipy.special import expit
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import cache

L1 = 0.01
"""Coefficient of the paper (appendix A.7) and of the reference code."""
TOLERANCE = 1e-3
"""Largest violation of the optimality conditions allowed, as a share of ``l1``."""
MAX_ROUNDS = 60
MAX_NEWTON = 30
LEAST_DAMPING = 1e-6
"""Share of a coordinate's largest curvature that is added to its curvature once no step lowers the objective."""
GROWTH = 100
"""Latents that may join the working set in one round."""
VERSION = 2


@dataclass(frozen=True)
class SparseProbe:
    """Weights of 26 L1 probes, and how closely each meets the optimality conditions."""

    weights: Float[Tensor, "letter latent"]
    biases: Float[Tensor, " letter"]
    violation: Float[Tensor, " letter"]
    """Largest violation over all latents and the intercept, as a share of ``l1``."""


def fit_sparse_probe(
    csr: Tensor, labels: Bool[Tensor, "word letter"], *, l1: float = L1, tolerance: float = TOLERANCE
) -> SparseProbe:
    """Solve the L1 problem of every letter; cached on disk.

    Args:
        csr: sparse CSR matrix ``word latent`` of the training words' activations.
        labels: their letters.
        l1: penalty.
        tolerance: largest violation of the optimality conditions, as a share of ``l1``.

    Raises:
        RuntimeError: some letter's optimum was not reached.
    """
    matrix = to_scipy(csr)
    inputs = {
        "acts": cache.csr_hash(csr), "labels": cache.array_hash(labels.numpy()),
        "l1": l1, "tolerance": tolerance, "version": VERSION,
    }  # fmt: skip

    def compute() -> dict[str, Tensor]:
        columns = matrix.tocsc()
        problems = [_Problem(matrix, columns, labels[:, i].numpy(), l1) for i in range(labels.shape[1])]
        found = [problem.solve(tolerance) for problem in tqdm(problems, desc="L1 probes", unit="letter")]
        weights, biases, violations = zip(*found, strict=True)
        return {
            "weights": torch.from_numpy(np.stack(weights)),
            "biases": torch.tensor(biases, dtype=torch.float64),
            "violation": torch.tensor(violations, dtype=torch.float64),
        }

    return SparseProbe(**cache.cached_tensors("sparse-probes", inputs, compute))


def to_scipy(csr: Tensor) -> Any:
    """The same matrix as SciPy's ``csr_matrix``, in float64."""
    parts = (csr.values().double().numpy(), csr.col_indices().numpy(), csr.crow_indices().numpy())
    return sp.csr_matrix(parts, shape=tuple(csr.shape))


class _Problem:
    """One letter's problem: working sets of latents, each solved by proximal Newton steps."""

    def __init__(self, rows: Any, columns: Any, truth: np.ndarray, l1: float) -> None:
        positives = max(int(truth.sum()), 1)
        ratio = (len(truth) - positives) / positives
        self.rows, self.columns, self.l1 = rows, columns, l1
        self.signs = np.where(truth, 1.0, -1.0)
        self.row_weights = np.where(truth, ratio, 1.0) / len(truth)

    def solve(self, tolerance: float) -> tuple[np.ndarray, float, float]:
        """Weights, intercept, and the largest violation as a share of ``l1``."""
        weights, bias = np.zeros(self.rows.shape[1]), 0.0
        for _ in range(MAX_ROUNDS):
            slope, bias_slope = self._slopes(self.rows @ weights + bias)
            violation = violations(slope, weights, self.l1)
            worst = max(violation.max(initial=0.0), abs(bias_slope)) / self.l1
            if worst <= tolerance:
                return weights, bias, worst
            joining = np.argsort(-violation)[:GROWTH]
            working = np.union1d(np.flatnonzero(weights), joining[violation[joining] > 0])
            enough = max(
                tolerance / 2, worst / 10
            )  # the set still grows: no need to be exact before it is whole
            weights[working], bias = self._newton(working, weights[working], bias, enough)
        raise RuntimeError(
            f"The L1 probe violates its optimality conditions by {worst:.1e} of l1 = {self.l1:g} after "
            f"{MAX_ROUNDS} rounds; {tolerance:.0e} is allowed. Raise l1."
        )

    def _slopes(self, logits: np.ndarray) -> tuple[np.ndarray, float]:
        residual = -self.row_weights * self.signs * expit(-self.signs * logits)
        return self.rows.T @ residual, float(residual.sum())

    def _newton(
        self, working: np.ndarray, weights: np.ndarray, bias: float, tolerance: float
    ) -> tuple[np.ndarray, float]:
        """Minimise over the working latents and the intercept (last place), the other weights being zero."""
        ones = sp.csr_matrix(np.ones((self.rows.shape[0], 1)))
        features: Any = sp.hstack([self.columns[:, working], ones], format="csr")
        dense = features.astype(np.float32).toarray()
        point, penalty = np.append(weights, bias), np.append(np.full(len(working), self.l1), 0.0)
        logits = features @ point
        most = features.power(2).T @ (self.row_weights / 4)  # a coordinate's curvature is nowhere above this
        damping = 0.0
        for _ in range(MAX_NEWTON):
            chance = expit(self.signs * logits)
            gradient = features.T @ (-self.row_weights * self.signs * (1 - chance))
            if violations(gradient, point, penalty).max() <= tolerance * self.l1:
                break
            # Only the direction depends on the curvature, so float32 will do; slopes and losses are float64.
            curved = dense * np.sqrt(self.row_weights * chance * (1 - chance)).astype(np.float32)[:, None]
            hessian = (curved.T @ curved).astype(np.float64) + np.diag(damping * most)
            step = quadratic_step(gradient, hessian, point, penalty)
            moved = self._line_search(features, point, logits, step, gradient, penalty)
            if (
                moved is None
            ):  # where words are all but certain there is no curvature, and a step has no bound
                damping = max(10 * damping, LEAST_DAMPING)
            else:
                (point, logits), damping = moved, damping / 10 if damping > LEAST_DAMPING else 0.0
        return point[:-1], float(point[-1])

    def _line_search(
        self, features: Any, point: np.ndarray, logits: np.ndarray, step: np.ndarray,
        gradient: np.ndarray, penalty: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray] | None:  # fmt: skip
        """The largest step of 1, 1/2, 1/4 ... that lowers the objective enough; None if there is none."""
        moved = features @ step
        start = self._loss(logits) + penalty @ np.abs(point)
        promised = gradient @ step + penalty @ (np.abs(point + step) - np.abs(point))
        size = 1.0
        while size > 1e-8:
            value = self._loss(logits + size * moved) + penalty @ np.abs(point + size * step)
            if value <= start + 1e-4 * size * promised + 1e-14:
                return point + size * step, logits + size * moved
            size /= 2
        return None

    def _loss(self, logits: np.ndarray) -> float:
        return float(self.row_weights @ np.logaddexp(0, -self.signs * logits))


def violations(slope: np.ndarray, weights: np.ndarray, l1: float | np.ndarray) -> np.ndarray:
    """By how much each weight misses its optimality condition.

    A weight of zero needs ``|slope| <= l1``; any other needs ``slope == -l1 * sign(weight)``.
    """
    at_zero = np.maximum(np.abs(slope) - l1, 0)
    return np.where(weights == 0, at_zero, np.abs(slope + l1 * np.sign(weights)))


def quadratic_step(
    gradient: np.ndarray, hessian: np.ndarray, point: np.ndarray, penalty: np.ndarray, rounds: int = 400
) -> np.ndarray:
    """Minimise ``gradient @ d + d @ hessian @ d / 2 + penalty @ |point + d|`` by accelerated proximal steps.

    Coordinates are scaled to unit curvature, and the momentum starts anew whenever it points uphill.
    """
    scale = 1 / np.sqrt(np.diag(hessian) + 1e-12)
    hessian = hessian * scale[:, None] * scale + 1e-9 * np.eye(len(scale))
    gradient, start, penalty = gradient * scale, point / scale, penalty * scale
    size = 1 / max(np.linalg.eigvalsh(hessian)[-1], 1e-12)
    limit = size * penalty
    at = ahead = start
    momentum = 1.0
    for _ in range(rounds):
        target = ahead - size * (gradient + hessian @ (ahead - start))
        new = target - np.minimum(np.maximum(target, -limit), limit)
        change, gained = new - ahead, new - at
        if _has_stopped(change, new):
            at = new
            break
        if change @ gained < 0:
            momentum = 1.0
        grown = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead, at, momentum = new + (momentum - 1) / grown * gained, new, grown
    # What becomes zero becomes exactly zero: a weight left at a rounding of it, with the wrong sign, breaks its
    # condition by twice the penalty and never gets there.
    return np.where(at == 0, -point, (at - start) * scale)


def _has_stopped(change: np.ndarray, new: np.ndarray) -> bool:
    """No coordinate changed by more than rounding. The squares are asked first: they cost less, and mostly say no."""
    if change @ change > len(new) * 1.01e-24 * max(new @ new, 1e-24):
        return False
    return bool(np.abs(change).max() <= 1e-12 * max(np.abs(new).max(), 1e-12))

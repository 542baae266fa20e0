"""The L1 probe's Newton steps never raise the objective, and find the optimum where the first step has no bound."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from absorption.probes import l1

L1, TOLERANCE = 0.01, 1e-3


def problem(seed: int = 0) -> l1._Problem:
    """Words of which a tenth are the letter's; its latent finds seven in ten, the others fire seldom and strongly."""
    random = np.random.default_rng(seed)
    truth = random.random(300) < 0.1
    fires = random.random((300, 60)) < np.clip(random.pareto(0.8, 60) * 0.02, 0, 0.4)
    acts = fires * np.abs(random.normal(22, 8, fires.shape))
    acts[:, 0] = np.where(truth & (random.random(300) < 0.7), random.normal(22, 6, 300), 0)
    rows = sp.csr_matrix(acts)
    return l1._Problem(rows, rows.tocsc(), truth, L1)


def objective(problem: l1._Problem, weights: np.ndarray, bias: float) -> float:
    return problem._loss(problem.rows @ weights + bias) + L1 * np.abs(weights).sum()


def test_steps_without_bound_are_not_taken_and_the_optimum_is_found_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where words are all but certain a latent has next to no curvature, and its step can be of any length."""
    expected = problem().solve(TOLERANCE)
    real, spoilt = l1.quadratic_step, []

    def without_bound(gradient: np.ndarray, hessian: np.ndarray, *others: Any) -> np.ndarray:
        if len(spoilt) < 4:
            spoilt.append(np.diag(hessian).copy())
            return 1e9 * np.ones_like(gradient)
        return real(gradient, hessian, *others)

    monkeypatch.setattr(l1, "quadratic_step", without_bound)
    asked = problem()
    weights, bias, worst = asked.solve(TOLERANCE)
    assert worst <= TOLERANCE
    assert objective(asked, weights, bias) == pytest.approx(objective(asked, *expected[:2]), abs=1e-6)
    assert np.flatnonzero(weights).tolist() == np.flatnonzero(expected[0]).tolist()
    assert all((after > before).all() for before, after in pairwise(spoilt)), "not damped more"


def test_no_step_is_taken_that_does_not_lower_the_objective() -> None:
    asked = problem()
    features = sp.hstack([asked.columns, np.ones((300, 1))], format="csr")
    point, penalty = np.zeros(61), np.append(np.full(60, L1), 0.0)
    logits = features @ point
    gradient = features.T @ (-asked.row_weights * asked.signs / 2)
    assert asked._line_search(features, point, logits, 1e9 * gradient, gradient, penalty) is None
    down = np.where(np.abs(gradient) > L1, -1e-3 * gradient, 0.0)
    assert asked._line_search(features, point, logits, down, gradient, penalty) is not None

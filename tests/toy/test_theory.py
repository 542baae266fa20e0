"""The closed forms agree with the paper's proof and with brute force."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from absorption.toy import theory


def test_the_family_has_no_error_and_the_proofs_sparsity_for_every_d() -> None:
    d = np.linspace(0, 1, 11)
    table = theory.closed_form_losses(d, p_both=0.05, p_parent_only=0.2)
    assert table["reconstruction"].to_numpy() == pytest.approx(0, abs=1e-12)
    assert table["sparsity"].to_numpy() == pytest.approx(0.05 * (2 - d) + 0.2, abs=1e-6)


def test_full_absorption_is_cheapest_under_both_ways_of_counting() -> None:
    table = theory.closed_form_losses(np.linspace(0, 1, 21), p_both=0.1, p_parent_only=0.3)
    for column in ("sparsity", "sparsity_weighted"):
        assert (np.diff(table[column]) < 0).all()


def brute_force_loss(d: float, acts: np.ndarray, p_parent: float, l1: float) -> float:
    """Expected loss on the child's samples with activations free: parent and child with both on, child alone."""
    parent_row = np.array([1.0, 0.0])
    child_row = np.array([d, 1.0]) / np.hypot(d, 1)
    both = np.array([1.0, 1.0]) - acts[0] * parent_row - acts[1] * child_row
    alone = np.array([0.0, 1.0]) - acts[2] * child_row
    return float(
        p_parent * (both @ both + l1 * (acts[0] + acts[1])) + (1 - p_parent) * (alone @ alone + l1 * acts[2])
    )


@pytest.mark.parametrize(("p_parent", "l1"), [(0.95, 0.04), (0.9, 0.02), (0.98, 0.1), (0.5, 0.1)])
def test_the_imperfect_minimiser_matches_a_numerical_search(p_parent: float, l1: float) -> None:
    found = theory.imperfect(p_parent, l1)
    best = min(
        (
            minimize(
                lambda x: brute_force_loss(x[0], x[1:], p_parent, l1),
                x0=[start, 0.5, 1.0, 0.9], bounds=[(0, 1.5)] + [(0, 3)] * 3, tol=1e-12,
            )
            for start in (0.1, 0.5, 1.0)
        ),
        key=lambda result: result.fun,
    )  # fmt: skip
    expected = [found.d, found.parent_both, found.child_both, found.child_alone]
    assert list(best.x) == pytest.approx(expected, abs=2e-3)


def test_perfect_co_occurrence_absorbs_fully_at_any_penalty() -> None:
    for l1 in (1e-4, 1e-2, 0.1):
        assert theory.imperfect(1.0, l1).absorbed == pytest.approx(1, abs=0.01)


def test_absorption_grows_with_co_occurrence_and_with_the_penalty() -> None:
    by_p = [theory.imperfect(p, 0.03).absorbed for p in (0.5, 0.8, 0.9, 0.95, 0.99)]
    by_l1 = [theory.imperfect(0.9, l1).absorbed for l1 in (0.003, 0.01, 0.03, 0.1)]
    assert by_p == sorted(by_p)
    assert by_l1 == sorted(by_l1)
    assert by_p[-1] - by_p[0] > 0.5


def test_coefficients_are_the_inverse_of_the_minimisers() -> None:
    l1 = theory.l1_for_imperfect(0.95, 0.3)
    assert theory.imperfect(0.95, l1).d == pytest.approx(0.3, abs=1e-3)


def partial_loss(d: float, spread: float, l1: float) -> float:
    parent = torch.distributions.Normal(1.0, spread).icdf((torch.arange(200_000).double() + 0.5) / 200_000)
    missed, left = (d - parent).clamp(min=0), (parent - d).clamp(min=0)
    return float(missed.pow(2).mean() + l1 * (left.mean() + np.hypot(1, d)))


def test_the_partial_coefficient_makes_that_d_the_cheapest() -> None:
    l1 = theory.l1_for_partial(0.1, 0.78)
    grid = np.linspace(0.6, 0.95, 351)
    losses = [partial_loss(d, 0.1, l1) for d in grid]
    assert grid[int(np.argmin(losses))] == pytest.approx(0.78, abs=2e-3)

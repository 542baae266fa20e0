"""The fit of the joint law recovers planted exponents, and refuses points that do not determine them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.scaling.topk_saes import TRUE

from absorption.scaling.law import EXPONENTS, Law, LawError, fit, left_out, resampled_fits

N, K = (
    np.array(values, dtype=float).ravel()
    for values in np.meshgrid([512, 1024, 2048, 4096, 8192, 16384], [6, 12, 24, 48, 96])
)


def test_exponents_are_recovered_from_a_law_without_noise() -> None:
    found = fit(N, K, TRUE.loss(N, K))
    for name in EXPONENTS:
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), abs=2e-3), name


def test_a_part_of_the_grid_is_enough_and_the_widest_column_is_predicted() -> None:
    narrow = N < 16384
    found = fit(N[narrow], K[narrow], TRUE.loss(N[narrow], K[narrow]))
    np.testing.assert_allclose(found.loss(N, K), TRUE.loss(N, K), rtol=1e-3)
    predicted = left_out(N, K, TRUE.loss(N, K), list(N))
    np.testing.assert_allclose(predicted, TRUE.loss(N, K), rtol=2e-3)


def test_a_law_by_hand() -> None:
    law = Law(alpha=1.0, beta_k=0.5, beta_n=-1.0, gamma=0.0, zeta=np.log(3), eta=1.0)
    n, k = np.array([4.0]), np.array([9.0])
    assert law.loss(n, k) == pytest.approx(np.e * 3 / 4 + 27)
    assert law.floor(k) == pytest.approx(27)


def test_slopes_are_those_of_finite_differences() -> None:
    step = 1e-6
    by_n = (np.log(TRUE.loss(N * np.exp(step), K)) - np.log(TRUE.loss(N, K))) / step
    by_k = (np.log(TRUE.loss(N, K * np.exp(step))) - np.log(TRUE.loss(N, K))) / step
    np.testing.assert_allclose(TRUE.slope_n(N, K), by_n, atol=1e-5)
    np.testing.assert_allclose(TRUE.slope_k(N, K), by_k, atol=1e-5)


def test_resampled_fits_spread_as_far_as_points_lie_off_the_law_and_hold_the_truth() -> None:
    noise = np.random.default_rng(3).normal(0, 0.004, len(N))
    loss = TRUE.loss(N, K) * np.exp(noise)
    law = fit(N, K, loss)
    gammas = [one.gamma for one in resampled_fits(N, K, np.stack([loss] * 120), law)]
    exact = fit(N, K, TRUE.loss(N, K))
    same = [one.gamma for one in resampled_fits(N, K, np.stack([TRUE.loss(N, K)] * 20), exact)]
    low, high = np.percentile(gammas, [1, 99])
    assert low < TRUE.gamma < high
    assert np.std(same) < np.std(gammas) / 20


def test_points_that_do_not_determine_the_law_are_refused() -> None:
    with pytest.raises(
        LawError, match=r"^7 points do not determine the law's 6 exponents; needed: at least 8"
    ):
        fit(N[:7], K[:7], TRUE.loss(N[:7], K[:7]))
    one = K == 12
    with pytest.raises(LawError, match=r"^1 k does not determine"):
        fit(np.tile(N[one], 2), np.tile(K[one], 2), np.tile(TRUE.loss(N[one], K[one]), 2))
    with pytest.raises(LawError, match=r"^k=900 is larger than n=512; allowed"):
        fit(N, np.where(N == 512, 900, K), TRUE.loss(N, K))
    assert np.isnan(left_out(N[:8], K[:8], TRUE.loss(N[:8], K[:8]), range(8))).all()

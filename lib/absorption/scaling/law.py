"""The joint scaling law of TopK SAEs (Gao et al. 2024): how the error falls with latents ``n`` and active ones ``k``.

``L(n, k) = exp(alpha + beta_k log k + beta_n log n + gamma log k log n) + exp(zeta + eta log k)``: a part that more
latents lower, and a floor that they do not. Fitted by least squares of log L.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares

Points = Float[np.ndarray, " point"]
EXPONENTS = ("alpha", "beta_k", "beta_n", "gamma", "zeta", "eta")
LEAST_POINTS = 8
"""Two more than the law has exponents."""
FLOORS = (0.02, 0.3, 0.7)
"""Starts of the fit: the floor's share of the lowest loss."""
BOUNDS = ([-np.inf] * 4 + [-12.0, -3.0], [np.inf] * 4 + [2.0, 3.0])
"""A floor below a hundred-thousandth of the loss is none, and its exponent means nothing."""


class LawError(ValueError):
    """Points that do not determine the law; one line says why."""


@dataclass(frozen=True)
class Law:
    """The six exponents."""

    alpha: float
    beta_k: float
    beta_n: float
    gamma: float
    zeta: float
    eta: float

    def loss(self, n: Points, k: Points) -> Points:
        """Loss at each point."""
        return _loss(np.array(list(asdict(self).values())), np.log(n), np.log(k))

    def floor(self, k: Points) -> Points:
        """The part that no number of latents lowers."""
        return np.exp(self.zeta + self.eta * np.log(k))

    def slope_n(self, n: Points, k: Points) -> Points:
        """Change of log loss by log n at each point, floor included."""
        above = 1 - self.floor(k) / self.loss(n, k)
        return above * (self.beta_n + self.gamma * np.log(k))

    def slope_k(self, n: Points, k: Points) -> Points:
        """Change of log loss by log k at each point, floor included."""
        share = self.floor(k) / self.loss(n, k)
        return (1 - share) * (self.beta_k + self.gamma * np.log(n)) + share * self.eta


PUBLISHED = {"beta_n": -0.017, "beta_k": 0.26, "gamma": -0.042}
"""Gao et al. 2024, on GPT-4's activations."""


def fit(n: Points, k: Points, loss: Points, start: Law | None = None) -> Law:
    """The law of least squares of log loss, the best of several starts.

    Args:
        n: latents.
        k: active latents a token.
        loss: above 0.
        start: a law of nearly the same points; then no other start is tried.

    Raises:
        LawError: too few points, or too few different ``n`` or ``k``.
    """
    n, k, loss = (np.asarray(values, dtype=np.float64) for values in (n, k, loss))
    _check(n, k, loss)
    middle = float(np.log(n).mean()), float(np.log(k).mean())
    x, y, target = np.log(n) - middle[0], np.log(k) - middle[1], np.log(loss)
    starts = [_centred(start, *middle)] if start else [_start(x, y, loss, share) for share in FLOORS]
    fits = [
        least_squares(
            lambda p: np.log(_loss(p, x, y)) - target, np.clip(at, *BOUNDS), bounds=BOUNDS, x_scale="jac"
        )
        for at in starts
    ]
    return _uncentred(min(fits, key=lambda one: one.cost).x, *middle)


def _loss(p: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    alpha, beta_k, beta_n, gamma, zeta, eta = p
    return np.exp(alpha + beta_k * y + beta_n * x + gamma * x * y) + np.exp(zeta + eta * y)


def _check(n: Points, k: Points, loss: Points) -> None:
    if len(n) < LEAST_POINTS:
        raise LawError(
            f"{len(n)} points do not determine the law's 6 exponents; needed: at least {LEAST_POINTS}."
        )
    for name, values in (("n", n), ("k", k)):
        if (different := len(np.unique(values))) < 2:
            raise LawError(f"{different} {name} does not determine how the loss changes with it; needed: 2.")
    if (k > n).any():
        worst = int(np.argmax(k > n))
        raise LawError(
            f"k={k[worst]:g} is larger than n={n[worst]:g}; allowed: at most as many as there are."
        )
    if not (loss > 0).all():
        raise LawError(f"A loss of {loss.min():g} has no logarithm; allowed: above 0.")


def _start(x: np.ndarray, y: np.ndarray, loss: np.ndarray, share: float) -> np.ndarray:
    floor = share * loss.min()
    columns = np.stack([np.ones_like(x), y, x, x * y], axis=1)
    linear, *_ = np.linalg.lstsq(columns, np.log(loss - floor), rcond=None)
    return np.array([*linear, np.log(floor), 0.0])


def _uncentred(p: np.ndarray, x0: float, y0: float) -> Law:
    alpha, beta_k, beta_n, gamma, zeta, eta = map(float, p)
    return Law(
        alpha=alpha - beta_n * x0 - beta_k * y0 + gamma * x0 * y0,
        beta_k=beta_k - gamma * x0,
        beta_n=beta_n - gamma * y0,
        gamma=gamma,
        zeta=zeta - eta * y0,
        eta=eta,
    )


def _centred(law: Law, x0: float, y0: float) -> np.ndarray:
    beta_k, beta_n = law.beta_k + law.gamma * x0, law.beta_n + law.gamma * y0
    alpha = law.alpha + law.beta_n * x0 + law.beta_k * y0 + law.gamma * x0 * y0
    return np.array([alpha, beta_k, beta_n, law.gamma, law.zeta + law.eta * y0, law.eta])


def resampled_fits(
    n: Points, k: Points, losses: Float[np.ndarray, "resample point"], law: Law, *, seed: int = 0
) -> list[Law]:
    """Laws of resampled points: the text is drawn anew, and so is how far a point lies off the law.

    An SAE's distance from the law is what training leaves to chance and what the law does not hold of. Each resample
    gives every point the distance of a point drawn at random, scaled up for the exponents that were fitted.

    Args:
        n: latents of each point.
        k: active latents.
        losses: of each point on resampled text, the same draws for all points; row 0 is the text itself.
        law: fitted to row 0.
        seed: of the draws.
    """
    draw = np.random.default_rng(seed)
    fitted = law.loss(n, k)
    off = np.log(losses[0] / fitted)
    off = (off - off.mean()) * np.sqrt(len(n) / max(1, len(n) - len(EXPONENTS)))
    fits = []
    for row in losses[1:]:
        drawn = off[draw.integers(len(off), size=len(off))]
        fits.append(fit(n, k, fitted * np.exp(drawn) * row / losses[0], start=law))
    return fits


def left_out(n: Points, k: Points, loss: Points, groups: Sequence[object]) -> Points:
    """Predicted loss of each point by the law fitted without the points of its group; NaN where too few are left."""
    predicted = np.full(len(n), np.nan)
    for group in dict.fromkeys(groups):
        out = np.array([one == group for one in groups])
        try:
            predicted[out] = fit(n[~out], k[~out], loss[~out]).loss(n[out], k[out])
        except LawError:
            continue
    return predicted

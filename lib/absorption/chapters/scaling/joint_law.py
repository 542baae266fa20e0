"""Chapter 15: the joint law fitted to the grid, its exponents beside the published ones, and what it predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate, interval
from absorption.chapters.findings import Findings, claim
from absorption.chapters.scaling.numbers import Numbers
from absorption.scaling import points
from absorption.scaling.law import EXPONENTS, PUBLISHED, Law, LawError, fit, left_out, resampled_fits

ONE, COLUMN = "each SAE left out", "the widest left out"
PARTS = {"beta_n": "beta-n", "beta_k": "beta-k", "gamma": "gamma"}
"""Part of the claim on exponents, by exponent."""
CURVE_POINTS = 40


@dataclass(frozen=True)
class JointLaw(Findings):
    """The law, its resamples, and predictions of SAEs that it was not fitted to."""

    points: pd.DataFrame
    law: Law | None
    resampled: list[Law]
    left_out: pd.DataFrame
    """``d_sae, k, kind, value, low, high``: log of predicted over measured error; the ends are over the
    text. Without those for which too few SAEs are left to fit the law."""
    why_not: str
    """Why there is no law, if there is none."""

    @property
    def curves(self) -> pd.DataFrame:
        """The law at each measured ``k``: ``k, d_sae, value``."""
        if self.law is None:
            return pd.DataFrame(columns=["k", "d_sae", "value"])
        n = np.geomspace(self.points["d_sae"].min(), self.points["d_sae"].max(), CURVE_POINTS)
        ks = sorted(self.points["k"].unique())
        parts = [
            pd.DataFrame({"k": k, "d_sae": n, "value": self.law.loss(n, np.full(len(n), k))}) for k in ks
        ]
        return pd.concat(parts, ignore_index=True)

    @property
    def exponents(self) -> pd.DataFrame:
        """``exponent, value, low, high, published``."""
        rows = [(name, *_values(self._exponent(name)), PUBLISHED.get(name, np.nan)) for name in EXPONENTS]
        return pd.DataFrame(rows, columns=["exponent", "value", "low", "high", "published"])

    @property
    def slopes(self) -> pd.DataFrame:
        """Change of log error by log n and by log k at the ends of the grid, by this law and the published first term.

        ``d_sae, k, by_n, by_n_low, by_n_high, by_n_published, by_k, by_k_low, by_k_high, by_k_published``
        """
        if self.law is None:
            return pd.DataFrame(columns=["d_sae", "k"])
        ends = [(n, k) for n in _ends(self.points["d_sae"]) for k in _ends(self.points["k"])]
        return pd.DataFrame([self._slopes(n, k) for n, k in ends])

    @property
    def misses(self) -> pd.DataFrame:
        """Log of the law over the measured error at each ``k``: ``k, mean, lowest, highest, widths``, over ``n``.

        Signs that change with ``k`` are a shape that the law does not have, and no chance of training.
        """
        columns = ["k", "mean", "lowest", "highest", "widths"]
        if self.law is None:
            return pd.DataFrame(columns=columns)
        n, k = (self.points[name].to_numpy(dtype=np.float64) for name in ("d_sae", "k"))
        off = self.points.assign(off=np.log(self.law.loss(n, k) / self.points["value"]))
        found = off.groupby("k")["off"].agg(["mean", "min", "max", "size"]).reset_index()
        return found.set_axis(columns, axis=1)

    def _slopes(self, n: float, k: float) -> dict[str, float]:
        at = np.array([float(n)]), np.array([float(k)])
        found: dict[str, float] = {"d_sae": n, "k": k}
        terms = {"by_n": ("slope_n", "beta_n", k), "by_k": ("slope_k", "beta_k", n)}
        for name, (slope, beta, other) in terms.items():
            low, high = interval(np.array([float(getattr(law, slope)(*at)[0]) for law in self.resampled]))
            found |= {
                name: float(getattr(self.law, slope)(*at)[0]), f"{name}_low": float(low), f"{name}_high": float(high),
                f"{name}_published": PUBLISHED[beta] + PUBLISHED["gamma"] * float(np.log(other)),
            }  # fmt: skip
        return found

    def _exponent(self, name: str) -> Estimate:
        if self.law is None:
            return Estimate(np.nan, np.nan, np.nan)
        low, high = interval(np.array([getattr(one, name) for one in self.resampled]))
        return Estimate(getattr(self.law, name), float(low), float(high))

    def _error(self, kind: str) -> Estimate:
        """Mean size of the differences of logarithms, with an interval over the SAEs that were left out.

        Of one SAE alone there is none; its interval is over the text.
        """
        found = self.left_out[self.left_out["kind"] == kind].dropna(subset=["value"])
        rows = found["value"].abs().to_numpy()
        if len(rows) == 0:
            return Estimate(np.nan, np.nan, np.nan)
        if len(rows) == 1:
            ends = found[["low", "high"]].to_numpy()[0]
            nearest = 0.0 if ends.min() <= 0 <= ends.max() else np.abs(ends).min()
            return Estimate(float(rows[0]), float(nearest), float(np.abs(ends).max()))
        draw = np.random.default_rng(0).integers(len(rows), size=(1000, len(rows)))
        low, high = interval(rows[draw].mean(axis=1))
        return Estimate(float(rows.mean()), float(low), float(high))

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Exponents, slopes, predictions."""
        return {
            "law-exponents": self.exponents, "law-slopes": self.slopes, "law-left-out": self.left_out,
            "law-misses": self.misses,
        }  # fmt: skip

    def claims(self) -> pd.DataFrame:
        """The form, and each exponent."""
        note = self.why_not or f"{len(self.points)} SAEs; interval over text and distances from the law"
        parts = [
            claim("scaling-law", self._error(COLUMN), part="held-out", note=note),
            claim("scaling-law", self._exponent("gamma"), part="gamma", note=note),
            *(claim("scaling-exponents", self._exponent(n), part=p, note=note) for n, p in PARTS.items()),
        ]
        return pd.concat(parts, ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """How far the law lies from what is measured."""
        widest = self.points["d_sae"].max() if len(self.points) else 0
        return {
            "off_one": _percent(self._error(ONE)), "off_column": _percent(self._error(COLUMN)),
            "widest": f"{widest:,}", "law_said": self.why_not or "The law is fitted to all of them.",
            "floor_share": self._floor(), "misfit": self._misfit(),
            **{f"law_{name}": str(self._exponent(name)) for name in PARTS},
            **{f"published_{name}": f"{value:g}" for name, value in PUBLISHED.items()},
        }  # fmt: skip

    def _misfit(self) -> str:
        """Root of the mean squared difference of logarithms, of the SAEs that the law is fitted to."""
        if self.law is None:
            return "(not measured)"
        n, k = (self.points[name].to_numpy(dtype=np.float64) for name in ("d_sae", "k"))
        return f"{np.sqrt(np.mean(np.log(self.law.loss(n, k) / self.points['value']) ** 2)):.1%}"

    def _floor(self) -> str:
        """The floor's share of the lowest error, in the law and over its resamples."""
        if self.law is None:
            return "(not measured)"
        lowest = self.points.to_dict("records")[int(self.points["value"].to_numpy().argmin())]
        at = np.array([float(lowest["d_sae"])]), np.array([float(lowest["k"])])
        shares = [float((one.floor(at[1]) / one.loss(*at))[0]) for one in [self.law, *self.resampled]]
        low, high = interval(np.array(shares[1:]))
        return f"{shares[0]:.0%} [{low:.0%}, {high:.0%}]"


def fit_law(numbers: Numbers) -> JointLaw:
    """Fit the law to every measured SAE of the grid; where they are too few, say so."""
    table, settings = numbers.points, numbers.settings
    n, k = (table[name].to_numpy(dtype=np.float64) for name in ("d_sae", "k"))
    how = {"n_resamples": settings.n_resamples, "seed": settings.seed}
    losses = points.unexplained(numbers.grid, list(table["sae"]), **how)
    predictions = _left_out(table, n, k, losses)
    try:
        law = fit(n, k, losses[0])
    except LawError as error:
        return JointLaw(table, None, [], predictions, str(error))
    few = losses[: 1 + settings.n_fits]
    return JointLaw(table, law, resampled_fits(n, k, few, law, seed=settings.seed), predictions, "")


def _left_out(table: pd.DataFrame, n: np.ndarray, k: np.ndarray, losses: np.ndarray) -> pd.DataFrame:
    widest = n == n.max()
    predicted = {
        ONE: left_out(n, k, losses[0], list(range(len(n)))),
        COLUMN: left_out(n, k, losses[0], list(n)),
    }
    parts = []
    for kind, of in predicted.items():
        off = np.log(of / losses)
        low, high = interval(off[1:])
        rows = table[["d_sae", "k"]].assign(kind=kind, value=off[0], low=low, high=high)
        parts.append(rows[widest] if kind == COLUMN else rows)
    return pd.concat(parts, ignore_index=True).dropna(subset=["value"], ignore_index=True)


def _ends(values: pd.Series) -> list[float]:
    return sorted({float(values.min()), float(values.max())})


def _values(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _percent(estimate: Estimate) -> str:
    if np.isnan(estimate.value):
        return "(not measured)"
    return f"{estimate.value:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"

"""How far a concept's rate lies above its null, with an interval that does not collapse where nothing was found.

A bootstrap of words of which none is absorbed gives zero every time, so its interval has no width, however few the
words. The score interval (Wilson 1927) of the same share does not: none of n words leaves room up to z² / (n + z²). It
is taken rather than an added half, since a half in each of many labels would itself lift their mean off zero. Where
labels differ more than one share allows, the bootstrap is wider; at each end the wider of the two counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate, interval, score_interval
from absorption.concepts.measure import Measured
from absorption.definitions.nulls import RANDOM, WRONG
from absorption.definitions.rates import Rate

LEAST_CANDIDATES = 10
"""Candidates over the labels that count, below which a rate is shown and not judged: as many as a label needs words."""


@dataclass(frozen=True)
class Excess:
    """A mean rate and how far it is above chance."""

    rate: Rate
    mean: Estimate
    """The rate with the wider of the bootstrap's and the score's interval."""
    above: Estimate
    """The rate minus the higher of its two mean nulls; the interval holds the words of both and, as the rate's ``p``
    does, the spread of the null over single directions."""
    candidates: int

    @property
    def judged(self) -> bool:
        """Whether there are enough candidates for a verdict."""
        return self.candidates >= LEAST_CANDIDATES


def excess_of(measured: Measured, definition: str) -> Excess | None:
    """Of the mean over the labels that count; None where there is none."""
    rate = measured.rate(definition)
    if rate is None or measured.found is None:
        return None
    every = measured.found.rates
    rows = every[(every["definition"] == definition) & every["letter"].isin(measured.valid)]
    mean = with_score(rate.value, interval(rate.samples), rows)
    return Excess(rate, mean, minus(mean, null_of(rate)), int(rows["n_candidates"].sum()))


def with_score(value: float, ends: tuple[float, float], rows: pd.DataFrame) -> Estimate:
    """A mean over labels with the wider of two intervals.

    Where not all words are judged, a label's rate is its share of candidates times the share of those judged; the score
    is of the latter. Labels weigh alike, so their words count as many as give one share's mean the same variance.

    Args:
        value: the mean of the labels' rates.
        ends: of its bootstrap interval.
        rows: ``n_right, n_candidates, n_judged``, one row a label.
    """
    right, candidates, judged = (
        rows[name].to_numpy(dtype=np.float64) for name in ("n_right", "n_candidates", "n_judged")
    )
    weight = np.where(judged == right, 1.0, candidates / right) / len(rows)
    asked = (judged > 0) & (weight > 0)
    whole = float(weight[asked].sum())
    if not asked.any() or np.isnan(value):
        return Estimate(value, float(ends[0]), float(ends[1]))
    words = whole**2 / float((weight[asked] ** 2 / judged[asked]).sum())
    low, high = (whole * end for end in score_interval(min(value / whole, 1.0), words))
    return Estimate(value, min(low, float(ends[0])), max(high, float(ends[1])))


def mean_nulls(rate: Rate) -> dict[str, float]:
    """Mean of the rate under wrong labels' and under random directions."""
    return {kind: float(np.nanmean(rate.null[kind])) for kind in (WRONG, RANDOM)}


def null_of(rate: Rate) -> Estimate:
    """The higher of the two mean nulls; its interval is over words and single directions."""
    nulls = mean_nulls(rate)
    kind = max(nulls, key=lambda name: nulls[name])
    low, high = interval(rate.null_samples[kind].ravel())
    return Estimate(nulls[kind], float(low), float(high))


def minus(one: Estimate, other: Estimate) -> Estimate:
    """A difference; the ends' distances from both values are squared and added (Newcombe 1998, method 10).

    Words that both share are taken as independent, which widens the interval where both rise together.
    """
    value = one.value - other.value
    down = np.hypot(max(one.value - one.low, 0.0), max(other.high - other.value, 0.0))
    up = np.hypot(max(one.high - one.value, 0.0), max(other.value - other.low, 0.0))
    return Estimate(value, float(value - down), float(value + up))

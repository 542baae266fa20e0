"""Each remedy minus its baseline, over training seeds and words.

Every arm's number is the mean over its seeds. The words' share of an interval is a bootstrap, paired: all SAEs have the
same resampled words. The seeds' share is Student's t of the difference of two means, with one spread for all arms: a
few seeds an arm say little about the spread of each, all arms together more. If remedies that absorb less also spread
less, intervals of those are a little too wide. Both shares are added in squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from absorption.base.statistics import LEVEL, Estimate, interval
from absorption.remedies.arms import BASELINE, baseline_of
from absorption.remedies.stored import Remedies

COLUMNS = [
    "arm", "baseline", "quantity", "seeds", "baseline_seeds", "value", "low", "high", "words_low", "words_high",
    "seeds_half_width", "relative",
]  # fmt: skip
"""One row an arm: the difference, its interval over words and seeds, that over words alone, half the width of that
over seeds alone (NaN with one seed everywhere), and the difference over the baseline."""


@dataclass(frozen=True)
class Spread:
    """Standard deviation over seeds of one number, from all arms together."""

    sd: float
    freedom: int

    def half_width(self, n: int, n_other: int) -> float:
        """Of the 95% interval of a difference of means over n and m seeds; NaN without a spread."""
        if self.freedom < 1:
            return np.nan
        return float(stats.t.ppf((1 + LEVEL) / 2, self.freedom) * self.sd * np.sqrt(1 / n + 1 / n_other))


def spread(stored: Remedies, quantity: str) -> Spread:
    """The pooled spread over the arms' seeds."""
    groups = [_values(stored, arm, quantity) for arm in stored.arms]
    freedom = sum(len(values) - 1 for values in groups if len(values))
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in groups if len(values))
    return Spread(float(np.sqrt(squares / freedom)) if freedom else np.nan, freedom)


def difference(stored: Remedies, arm: str, quantity: str, baseline: str = "") -> dict[str, Any] | None:
    """One row of ``COLUMNS``; None where an arm has no SAE with the number. ``baseline`` empty: the arm's own."""
    baseline = baseline or baseline_of(arm)
    mine, other = (_with(stored, name, quantity) for name in (arm, baseline))
    if not mine or not other:
        return None
    value = _mean(stored, mine, quantity) - _mean(stored, other, quantity)
    low, high = interval(_samples(stored, mine, quantity) - _samples(stored, other, quantity))
    chance = spread(stored, quantity).half_width(len(mine), len(other))
    reach = 0.0 if np.isnan(chance) else chance
    return {
        "arm": arm, "baseline": baseline, "quantity": quantity, "seeds": len(mine), "baseline_seeds": len(other),
        "value": value, "low": value - float(np.hypot(value - low, reach)),
        "high": value + float(np.hypot(high - value, reach)), "words_low": float(low), "words_high": float(high),
        "seeds_half_width": chance, "relative": value / _mean(stored, other, quantity),
    }  # fmt: skip


def differences(stored: Remedies, arms: Sequence[str], quantities: Sequence[str]) -> pd.DataFrame:
    """Arms minus their baselines, columns as in ``COLUMNS``; an arm without numbers has no row."""
    rows = [difference(stored, arm, quantity) for quantity in quantities for arm in arms if arm != BASELINE]
    return pd.DataFrame([row for row in rows if row is not None], columns=COLUMNS)


def estimate(row: dict[str, Any] | None) -> Estimate:
    """A difference as a claim judges it; NaN without one."""
    if row is None:
        return Estimate(np.nan, np.nan, np.nan)
    return Estimate(row["value"], row["low"], row["high"])


def over_seeds(stored: Remedies, quantity: str) -> pd.DataFrame:
    """``arm, seeds, value, lowest, highest, low, high, null``: mean over seeds with its interval over words, the range
    of the seeds, and the mean of their nulls."""
    rows = []
    for arm in stored.arms:
        saes = _with(stored, arm, quantity)
        if not saes:
            continue
        values = _values(stored, arm, quantity)
        low, high = interval(_samples(stored, saes, quantity))
        null = float(np.mean([stored.row(sae, quantity)["null"] for sae in saes]))
        rows.append(
            (arm, len(saes), values.mean(), values.min(), values.max(), float(low), float(high), null)
        )
    return pd.DataFrame(rows, columns=["arm", "seeds", "value", "lowest", "highest", "low", "high", "null"])


def _with(stored: Remedies, arm: str, quantity: str) -> list[str]:
    return [sae for sae in stored.of(arm) if not np.isnan(stored.value(sae, quantity))]


def _values(stored: Remedies, arm: str, quantity: str) -> np.ndarray:
    return np.array([stored.value(sae, quantity) for sae in _with(stored, arm, quantity)])


def _mean(stored: Remedies, saes: Sequence[str], quantity: str) -> float:
    return float(np.mean([stored.value(sae, quantity) for sae in saes]))


def _samples(stored: Remedies, saes: Sequence[str], quantity: str) -> np.ndarray:
    return np.mean([stored.samples(sae, quantity) for sae in saes], axis=0)

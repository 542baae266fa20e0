"""Each remedy minus its baseline, over training seeds and words.

Every arm's number is the mean over its seeds. The words' share of an interval is a bootstrap, paired: all SAEs have the
same resampled words. The seeds' share is Welch's t of the difference of two means, each arm with its own spread:
TopK's seeds lie much further apart than a Matryoshka SAE's, so one spread for all would judge remedies on TopK too
surely and the others too timidly. Both shares are added in squares.
"""

from __future__ import annotations

from collections.abc import Sequence
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
over seeds alone (NaN with one seed of either), and the difference over the baseline."""


def seeds_half_width(values: np.ndarray, others: np.ndarray) -> float:
    """Half the width of Welch's 95% interval of the difference of two means; NaN with one value of either."""
    n, m = len(values), len(others)
    if min(n, m) < 2:
        return np.nan
    mine, theirs = values.var(ddof=1) / n, others.var(ddof=1) / m
    if mine + theirs == 0:
        return 0.0
    freedom = (mine + theirs) ** 2 / (mine**2 / (n - 1) + theirs**2 / (m - 1))
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(mine + theirs))


def difference(stored: Remedies, arm: str, quantity: str, baseline: str = "") -> dict[str, Any] | None:
    """One row of ``COLUMNS``; None where an arm has no SAE with the number. ``baseline`` empty: the arm's own."""
    baseline = baseline or baseline_of(arm)
    mine, other = (_with(stored, name, quantity) for name in (arm, baseline))
    if not mine or not other:
        return None
    value = _mean(stored, mine, quantity) - _mean(stored, other, quantity)
    low, high = interval(_samples(stored, mine, quantity) - _samples(stored, other, quantity))
    chance = seeds_half_width(_values(stored, arm, quantity), _values(stored, baseline, quantity))
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

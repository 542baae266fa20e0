"""Which of several SAEs have a rate above their own null."""

from __future__ import annotations

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate, holm

LEVEL = 0.05
"""Of the family of tests, one an SAE."""


def share_above(p: pd.Series) -> tuple[Estimate, str]:
    """Share of SAEs whose rate is above its null, and the others by name.

    An SAE counts if its one-sided p-value is at most 5% after Holm's correction over the SAEs. The lower end of the
    interval is that share; the upper end also counts SAEs of which the words cannot tell, so that only an SAE whose
    rate exceeds its null in fewer than 5% of the resamples speaks against "every SAE".

    Args:
        p: one-sided p-values (``definitions.absorption_rates``), indexed by the SAE's name; NaN where there is no rate.
    """
    known = p.dropna()
    if not len(known):
        return Estimate(np.nan, np.nan, np.nan), "no rate stands beside a null"
    above = pd.Series(holm(known.to_numpy()) <= LEVEL, index=known.index)
    low, high = float(above.mean()), float((above | (known < 1 - LEVEL)).mean())
    others = ", ".join(map(str, above.index[~above])) or "none"
    unknown = f"; without a rate: {', '.join(map(str, p.index[p.isna()]))}" if p.isna().any() else ""
    return Estimate(low, low, high), f"{int(above.sum())} of {len(known)} SAEs; not above: {others}{unknown}"

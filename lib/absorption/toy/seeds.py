"""The spread over seeds: the interval of an experiment whose only randomness is the seed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def over_seeds(table: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """Mean, smallest and largest over seeds.

    Args:
        table: one row a seed and case, with a column ``seed``.
        by: columns that name a case.
        value: the column to summarise.

    Returns:
        ``by``, ``measured``, ``low``, ``high``, ``n_seeds``; cases in order of appearance.
    """
    groups = table.groupby(list(by), sort=False, dropna=False)[value]
    return groups.agg(measured="mean", low="min", high="max", n_seeds="size").reset_index()

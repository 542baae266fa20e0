"""A rate as what it is made of: the share of words that are candidates, times the share absorbed among them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from absorption.definitions.rates import MEAN


def with_factors(rates: pd.DataFrame) -> pd.DataFrame:
    """``definitions.absorption_rates`` with ``share_candidates`` and ``share_absorbed`` behind each rate's interval.

    A mean's share of candidates is the mean over the letters that count, and its share absorbed what makes their
    product the rate. A fraction judges all words, so its rate has no second factor.

    Args:
        rates: of one table of words.
    """
    table = rates.reset_index(drop=True)
    letters = table[table["letter"] != MEAN]
    share = letters["n_candidates"] / letters["n_right"]
    for _, mine in table.groupby("definition"):
        counted = mine[mine["valid"] == "yes"].index
        mean = mine.index[mine["letter"] == MEAN]
        share = pd.concat([share, pd.Series(share[counted].mean(), index=mean)])
    table.insert(5, "share_candidates", share.sort_index())
    with np.errstate(invalid="ignore", divide="ignore"):
        table.insert(6, "share_absorbed", table["rate"] / table["share_candidates"])
    every_word = table["definition"].str.startswith("absorption fraction")
    table.loc[every_word | (table["share_candidates"] == 0), "share_absorbed"] = np.nan
    return table

"""Rates as a reader sees them: what each rests on, and means over letters."""

from __future__ import annotations

import pandas as pd

from absorption.definitions.rates import MEAN
from absorption.definitions.rules import ABLATION, RELATIVE


def denominators(rates: pd.DataFrame) -> pd.DataFrame:
    """What each letter's rate rests on.

    Columns ``letter, n_right, n_candidates, n_ablated, absorbed_relative, absorbed_published``.
    """
    by = {name: rates[rates["definition"] == name].set_index("letter") for name in (RELATIVE, ABLATION)}
    table = by[RELATIVE][["n_right", "n_candidates", "n_judged", "n_absorbed"]]
    table = table.rename(columns={"n_judged": "n_ablated", "n_absorbed": "absorbed_relative"})
    table = table.assign(absorbed_published=by[ABLATION]["n_absorbed"]).reset_index()
    return table.replace({"letter": {MEAN: "all"}})


def mean_rows(rates: pd.DataFrame, *by: str) -> pd.DataFrame:
    """The rows that are means over letters: ``*by, definition, rate, low, high, null, null_low, null_high, p,
    all_letters, valid, spread, n_judged, n_right``."""
    names = [
        *by, "definition", "rate", "low", "high", "null", "null_low", "null_high", "p", "all_letters", "valid",
        "spread", "n_judged", "n_right",
    ]  # fmt: skip
    return rates.loc[rates["letter"] == MEAN, names].reset_index(drop=True)

"""Each SAE's mean rates as what they are made of, from its rates by letter."""

from __future__ import annotations

import pandas as pd

from absorption.base.quantities import rate
from absorption.definitions.factors import with_factors
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import ABLATION, FULL_ABSORPTION, RELATIVE
from absorption.several_saes.stored_numbers import SaeFamily

FACTORS = ["share_candidates", "share_absorbed"]


def rate_factors(family: SaeFamily) -> pd.DataFrame:
    """Share of the words that are candidates, times share absorbed among them: ``sae, quantity`` and ``FACTORS``.

    Of the SAEs whose rates by letter are kept, under the rules that look at candidates alone: all of them at the same
    ones, words on which every main latent is off.
    """
    full = family.letters[family.letters["definition"] == FULL_ABSORPTION]
    rows = []
    for sae, letters in full.groupby("sae", sort=False):
        table = with_factors(letters)
        share = float(table.loc[table["letter"] == MEAN, "share_candidates"].iloc[0])
        for quantity in map(rate, (ABLATION, RELATIVE, FULL_ABSORPTION)):
            absorbed = family.value(str(sae), quantity) / share if share else float("nan")
            rows.append((sae, quantity, share, absorbed))
    return pd.DataFrame(rows, columns=["sae", "quantity", *FACTORS])

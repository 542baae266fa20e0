"""Each SAE's mean rates as what they are made of, from its rates by letter."""

from __future__ import annotations

import pandas as pd

from absorption.base.quantities import rate
from absorption.definitions.factors import with_factors
from absorption.definitions.rates import MEAN
from absorption.several_saes.stored_numbers import SaeFamily

FACTORS = ["share_candidates", "share_absorbed"]


def rate_factors(family: SaeFamily) -> pd.DataFrame:
    """Share of the words that are candidates, times share absorbed among them: ``sae, quantity`` and ``FACTORS``.

    Only of the SAEs and rules whose rates by letter are kept.
    """
    tables = [with_factors(mine) for _, mine in family.letters.groupby("sae", sort=False)]
    if not tables:
        return pd.DataFrame(columns=["sae", "quantity", *FACTORS])
    means = pd.concat(tables, ignore_index=True)
    means = means[means["letter"] == MEAN]
    return means.assign(quantity=means["definition"].map(rate))[["sae", "quantity", *FACTORS]]

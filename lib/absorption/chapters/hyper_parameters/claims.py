"""Chapter 12: what the family says of the paper's claims, for the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.quantities import SPLITS, rate
from absorption.definitions.rules import ABLATION, FULL_ABSORPTION, RELATIVE
from absorption.several_saes.above_null import share_above
from absorption.several_saes.mixed_slopes import fit_slopes
from absorption.several_saes.quantities import CLAIMED, PRECISION, RECALL
from absorption.several_saes.seeds import PER_L0, PER_WIDTH, beside_seeds, changes, interval_with_seeds
from absorption.several_saes.stored_numbers import SaeFamily

REMEDY = "matryoshka minus batchtopk"
CHANGES = [
    ("pr-l0", "family-precision", PRECISION, PER_L0),
    ("pr-l0", "family-recall", RECALL, PER_L0),
    ("splits-l0", "family", SPLITS, PER_L0),
    ("rate-l0-width", "family-l0", rate(RELATIVE), PER_L0),
    ("rate-l0-width", "family-width", rate(RELATIVE), PER_WIDTH),
    ("matryoshka", "ablation", rate(RELATIVE), REMEDY),
    ("matryoshka", "projection", rate(FULL_ABSORPTION), REMEDY),
]
"""Claim, part, and the change that it is about."""
OVER_LETTERS = [("rate-l0-width", "fit-l0", PER_L0), ("rate-l0-width", "fit-width", PER_WIDTH)]
"""Likewise, of full absorption in the mixed model."""


def claims_table(family: SaeFamily) -> pd.DataFrame:
    """One row a part of a claim: ``claim, part, value, low, high, note``.

    A change is one between means over seeds, and its interval is over words and seeds; that of a mixed model is over
    letters and SAEs.
    """
    seeds = beside_seeds(family, CLAIMED).set_index(["quantity", "change"])
    saes = {
        (quantity, change): len(weights)
        for quantity in CLAIMED
        for change, weights in changes(family, quantity).items()
    }
    rows = [_change(seeds, saes, *one) for one in CHANGES]
    rows += [
        _above(family, "family-ablation", rate(ABLATION)),
        _above(family, "family-projection", rate(FULL_ABSORPTION)),
    ]
    slopes = fit_slopes(family, [FULL_ABSORPTION]).set_index("change")
    rows += [_over_letters(slopes, *one) for one in OVER_LETTERS]
    return pd.DataFrame(rows, columns=["claim", "part", "value", "low", "high", "note"])


def _change(
    seeds: pd.DataFrame,
    saes: Mapping[tuple[str, str], int],
    claim: str,
    part: str,
    quantity: str,
    change: str,
) -> Sequence[object]:
    if (quantity, change) not in seeds.index:
        return claim, part, np.nan, np.nan, np.nan, "no such SAE is shipped"
    row: Any = seeds.loc[quantity].loc[change]
    over = "words alone" if np.isnan(row["chance"]) else "words and seeds"
    note = f"{saes[quantity, change]} SAEs; interval over {over}"
    return claim, part, row["value"], *interval_with_seeds(row), note


def _over_letters(slopes: pd.DataFrame, claim: str, part: str, change: str) -> Sequence[object]:
    if change not in slopes.index:
        return claim, part, np.nan, np.nan, np.nan, "too few SAEs pass the bars of fitness"
    row: Any = slopes.loc[change]
    note = f"{row['saes']} SAEs, {row['letters']} letters; interval over both"
    return claim, part, row["value"], row["low"], row["high"], note


def _above(family: SaeFamily, part: str, quantity: str) -> Sequence[object]:
    rows = family.numbers[family.numbers["quantity"] == quantity]
    share, note = share_above(rows.set_index("sae")["p"])
    return "every-sae", part, share.value, share.low, share.high, note

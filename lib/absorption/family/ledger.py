"""What the family says of the paper's claims, for the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from absorption.criteria import ABLATION, FULL, RELATIVE
from absorption.family.contrasts import ARCHITECTURE, L0, WIDTH, differences, trends
from absorption.family.numbers import Family
from absorption.family.quantities import CLAIMED, PRECISION, RECALL, SPLITS
from absorption.family.seeds import PER_L0, PER_WIDTH, beside_seeds

MATRYOSHKA = "matryoshka"


def claims_table(family: Family) -> pd.DataFrame:
    """One row a part of a claim: ``claim, part, value, low, high, note``.

    Values and intervals are those of the first seed's SAEs, over words; the note says what the mean over seeds is and
    how far seeds alone would reach.
    """
    l0, width, other = trends(family, L0), trends(family, WIDTH), differences(family, ARCHITECTURE)
    mine = other[other[ARCHITECTURE] == MATRYOSHKA]
    rate = {name: f"rate, {name}" for name in (ABLATION, RELATIVE, FULL)}
    seeds = beside_seeds(family, CLAIMED)
    remedy = f"{MATRYOSHKA} minus batchtopk"
    rows = [
        _claim("pr-l0", "family-precision", l0, PRECISION, seeds, PER_L0),
        _claim("pr-l0", "family-recall", l0, RECALL, seeds, PER_L0),
        _claim("splits-l0", "family", l0, SPLITS, seeds, PER_L0),
        _claim("rate-l0-width", "family-l0", l0, rate[RELATIVE], seeds, PER_L0),
        _claim("rate-l0-width", "family-width", width, rate[RELATIVE], seeds, PER_WIDTH),
        _lowest(family, "family-ablation", rate[ABLATION]),
        _lowest(family, "family-projection", rate[FULL]),
        _claim("matryoshka", "ablation", mine, rate[RELATIVE], seeds, remedy),
        _claim("matryoshka", "projection", mine, rate[FULL], seeds, remedy),
    ]
    return pd.DataFrame(rows, columns=["claim", "part", "value", "low", "high", "note"])


def _claim(
    claim: str, part: str, table: pd.DataFrame, quantity: str, seeds: pd.DataFrame, change: str
) -> Sequence[object]:
    mine = table[table["quantity"] == quantity]
    if not len(mine):
        return claim, part, np.nan, np.nan, np.nan, "no such SAE is shipped"
    row = mine.iloc[0]
    note = f"{row['saes']} SAEs" if "saes" in row else f"{row['sae']} minus the base"
    beside = seeds[(seeds["quantity"] == quantity) & (seeds["change"] == change)].iloc[0]
    if beside["more_than_chance"]:
        note += f"; over seeds {beside['value']:.4f}, seeds alone up to {beside['by_chance_up_to']:.4f}"
    return claim, part, row["value"], row["low"], row["high"], note


def _lowest(family: Family, part: str, quantity: str) -> Sequence[object]:
    rows = family.numbers[family.numbers["quantity"] == quantity]
    row = rows.sort_values("value").iloc[0]
    note = f"lowest of {len(rows)} SAEs: {row['sae']}"
    return "every-sae", part, row["value"], row["low"], row["high"], note

"""The letters one by one against L0."""

from __future__ import annotations

import pandas as pd

from absorption.definitions.rates import MEAN
from absorption.several_saes.one_width import share_width

COLUMNS = ["letter", "sae", "d_sae", "l0_text", "l0_share", "value", "low", "high"]
NULL = ["null", "null_low", "null_high", "p", "valid"]


def rates_by_letter(rates: pd.DataFrame, definition: str) -> pd.DataFrame:
    """Absorption rate of each letter for the SAEs of one width (paper, Figure 23), beside its null.

    Args:
        rates: from ``several_saes.rates_by_sae``.
        definition: which rate.

    Returns:
        ``letter, sae, d_sae, l0_text, l0_share, value, low, high``, by letter and L0, and
        ``null, null_low, null_high, p, valid``: whether the letter's main latents in that SAE pass the gate.
    """
    mine = rates[(rates["definition"] == definition) & (rates["letter"] != MEAN)]
    return rows_of_one_width(mine.rename(columns={"rate": "value"}), [*COLUMNS, *NULL])


def rows_of_one_width(table: pd.DataFrame, columns: list[str] = COLUMNS) -> pd.DataFrame:
    """Rows of the width that most SAEs share, if two or more of a known L0 do, by letter and L0.

    Args:
        table: with the columns asked for.
        columns: those that are kept, and that a table without rows has.
    """
    saes = table.drop_duplicates("sae")
    shared = saes[share_width(saes["d_sae"], saes["l0_text"])]
    if len(shared) < 2:
        return pd.DataFrame(columns=columns)
    chosen = table[table["sae"].isin(shared["sae"])]
    return chosen.sort_values(["letter", "l0_text"], ignore_index=True)[columns]

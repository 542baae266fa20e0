"""The letters one by one against L0: F1 of their latents, and absorption rates."""

from __future__ import annotations

import pandas as pd

from absorption.definitions.rates import MEAN
from absorption.several_saes.comparison import ScoredSae

COLUMNS = ["letter", "sae", "d_sae", "l0_text", "value", "low", "high"]
NULL = ["null", "null_low", "null_high", "p", "valid"]


def f1_by_letter(scored: list[ScoredSae], selection: str) -> pd.DataFrame:
    """F1 of each letter's latent for the SAEs of one width (paper, Figure 20).

    Args:
        scored: from ``comparison.score_saes``.
        selection: how the latent was chosen.

    Returns:
        ``letter, sae, d_sae, l0_text, value, low, high``, by letter and L0; no rows without two SAEs of one width
        whose L0 on text is known.
    """
    tables = []
    for item in scored:
        mine = item.scores.query("metric == 'f1' and letter != 'mean'")
        mine = mine[mine["selection"] == selection]
        tables.append(mine.assign(sae=item.sae.name, d_sae=item.sae.d_sae, l0_text=item.l0_text))
    return _at_one_width(pd.concat(tables, ignore_index=True))


def rates_by_letter(rates: pd.DataFrame, definition: str) -> pd.DataFrame:
    """Absorption rate of each letter for the SAEs of one width (paper, Figure 23), beside its null.

    Args:
        rates: from ``several_saes.rates_by_sae``.
        definition: which rate.

    Returns:
        The columns of ``f1_by_letter``, and ``null, null_low, null_high, p, valid``: whether the letter's main latents
        in that SAE pass the gate.
    """
    mine = rates[(rates["definition"] == definition) & (rates["letter"] != MEAN)]
    return _at_one_width(mine.rename(columns={"rate": "value"}), [*COLUMNS, *NULL])


def _at_one_width(table: pd.DataFrame, columns: list[str] = COLUMNS) -> pd.DataFrame:
    """Rows of the width that most SAEs share, if two or more do."""
    known = table.dropna(subset=["l0_text"])
    widths = known.drop_duplicates("sae")["d_sae"].value_counts()
    if widths.empty or widths.iloc[0] < 2:
        return pd.DataFrame(columns=columns)
    chosen = known[known["d_sae"] == widths.index[0]]
    return chosen.sort_values(["letter", "l0_text"], ignore_index=True)[columns]

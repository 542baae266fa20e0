"""Differences between SAEs of the family that differ in one setting, paired over the same resampled words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate
from absorption.latents.score import slope_per_doubling
from absorption.several_saes.quantities import QUANTITIES
from absorption.several_saes.stored_numbers import SaeFamily, members

L0, WIDTH, ARCHITECTURE, LAYER, SEED = "k", "d_sae", "architecture", "layer", "seed"


def steps(family: SaeFamily, setting: str) -> pd.DataFrame:
    """Rows of ``members`` that differ from the base in ``setting`` alone, sorted by it (by name: the base first)."""
    rows, base = members(family), base_setting(family)
    same = np.logical_and.reduce([rows[name] == value for name, value in base.items() if name != setting])
    mine = rows[same]
    if setting == ARCHITECTURE:
        return mine.sort_values(ARCHITECTURE, key=lambda names: names != base[ARCHITECTURE], kind="stable")
    return mine.sort_values(setting)


def base_setting(family: SaeFamily) -> dict[str, Any]:
    """The setting that the others vary: the one from which most SAEs differ in at most one setting, at its first seed.

    Of several such settings, the first in the family's order.
    """
    rows = members(family)
    settings = rows[[ARCHITECTURE, WIDTH, L0, LAYER]]
    others = settings.to_numpy(dtype=object)
    near = [int(((others != own).sum(axis=1) <= 1).sum()) for own in others]
    centre = settings.iloc[int(np.argmax(near))]
    own = rows[(settings == centre).all(axis=1)]
    return {str(name): value for name, value in centre.items()} | {SEED: own[SEED].min()}


def trends(family: SaeFamily, setting: str) -> pd.DataFrame:
    """Least-squares change of every quantity each time L0 (measured on text) or width doubles.

    Returns:
        ``quantity, value, low, high, saes`` (how many have the quantity); no rows with fewer than two SAEs.
    """
    rows = steps(family, setting)
    if len(rows) < 2:
        return pd.DataFrame(columns=["quantity", "value", "low", "high", "saes"])
    with_it = {quantity: having(family, rows, quantity) for quantity in QUANTITIES}

    def slope(quantity: str) -> Estimate:
        mine = with_it[quantity]
        places = zip(position(mine, setting), mine["sae"], strict=True)
        return slope_per_doubling([(float(at), family.scores(sae)) for at, sae in places], quantity)

    return _table(slope).assign(saes=[len(with_it[quantity]) for quantity in QUANTITIES])


def having(family: SaeFamily, rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The rows whose SAE has the quantity: a rate is missing where no letter's main latents pass the gate."""
    return rows[[not np.isnan(family.value(sae, quantity)) for sae in rows["sae"]]]


def differences(family: SaeFamily, setting: str) -> pd.DataFrame:
    """Every SAE of ``steps`` minus the base: ``sae``, the setting, ``quantity, value, low, high``."""
    rows = steps(family, setting)
    base = str(rows.loc[rows[setting] == base_setting(family)[setting], "sae"].iloc[0])
    base_scores = family.scores(base)
    tables = [
        _table(partial(family.scores(row["sae"]).minus, base_scores)).assign(
            **{"sae": row["sae"], setting: row[setting]}
        )
        for row in rows.to_dict("records")
        if row["sae"] != base
    ]
    columns = ["sae", setting, "quantity", "value", "low", "high"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def position(rows: pd.DataFrame, setting: str) -> pd.Series:
    """Where each SAE is on the axis of a trend: L0 as measured on text, or the width."""
    return rows["l0_text" if setting == L0 else setting]


def _table(estimate: Callable[[str], Estimate]) -> pd.DataFrame:
    """One row a quantity."""
    found = {name: estimate(name) for name in QUANTITIES}
    rows = [(name, one.value, one.low, one.high) for name, one in found.items()]
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high"])

"""Differences between SAEs of the family that differ in one setting, paired over the same resampled words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from absorption.criteria import ABLATION, FULL, RELATIVE
from absorption.family.numbers import Family, members
from absorption.family.quantities import PRECISION, QUANTITIES, RECALL, SPLITS
from absorption.latents import slope_per_doubling
from absorption.statistics import Estimate

BASE = {"architecture": "batchtopk", "d_sae": 4096, "k": 32, "seed": 0}
"""The setting that the others vary, at the layer that most of the family reads."""
L0, WIDTH, ARCHITECTURE, LAYER, SEED = "k", "d_sae", "architecture", "layer", "seed"


def steps(family: Family, setting: str) -> pd.DataFrame:
    """Rows of ``members`` that differ from the base in ``setting`` alone, sorted by it (by name: the base first)."""
    rows = members(family)
    base = {**BASE, LAYER: rows[LAYER].mode()[0]}
    same = np.logical_and.reduce([rows[name] == value for name, value in base.items() if name != setting])
    mine = rows[same]
    if setting == ARCHITECTURE:
        return mine.sort_values(ARCHITECTURE, key=lambda names: names != base[ARCHITECTURE], kind="stable")
    return mine.sort_values(setting)


def trends(family: Family, setting: str) -> pd.DataFrame:
    """Least-squares change of every quantity each time L0 (measured on text) or width doubles.

    Returns:
        ``quantity, value, low, high, saes`` (how many); no rows with fewer than two SAEs.
    """
    rows = steps(family, setting)
    if len(rows) < 2:
        return pd.DataFrame(columns=["quantity", "value", "low", "high", "saes"])
    x = rows["l0_text" if setting == L0 else setting]
    points = [(float(at), family.scores(sae)) for at, sae in zip(x, rows["sae"], strict=True)]
    return _table(lambda quantity: slope_per_doubling(points, quantity)).assign(saes=len(rows))


def differences(family: Family, setting: str) -> pd.DataFrame:
    """Every SAE of ``steps`` minus the base: ``sae``, the setting, ``quantity, value, low, high``."""
    rows = steps(family, setting)
    base = _base(rows, setting)
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


def beside_seed(family: Family, quantities: Sequence[str]) -> pd.DataFrame:
    """Changes with L0, width and architecture beside what another training seed alone changes.

    Returns:
        ``quantity, change, value, low, high, seed`` (the seed's change; NaN with one seed) and ``larger``: whether
        the change exceeds the seed's in size (empty with one seed).
    """
    other = differences(family, ARCHITECTURE)
    changes = [
        trends(family, L0).assign(change="each doubling of L0"),
        trends(family, WIDTH).assign(change="each doubling of the width"),
        other.assign(change=other[ARCHITECTURE].astype(str) + " minus batchtopk"),
    ]
    table = pd.concat([one for one in changes if len(one)], ignore_index=True)
    table = table[table["quantity"].isin(list(quantities))]
    seeds = differences(family, SEED)
    seed = dict(zip(seeds["quantity"], seeds["value"].astype(float), strict=True))
    table = table.assign(seed=[seed.get(quantity, np.nan) for quantity in table["quantity"]])
    larger = np.where(table["value"].abs() > table["seed"].abs(), "yes", "no")
    table["larger"] = np.where(table["seed"].isna(), "", larger)  # with one seed nobody knows
    columns = ["quantity", "change", "value", "low", "high", "seed", "larger"]
    return table.sort_values("quantity", kind="stable")[columns].reset_index(drop=True)


def claims_table(family: Family) -> pd.DataFrame:
    """What the family says of the paper's claims: ``claim, part, value, low, high, note``, for the ledger."""
    l0, width = trends(family, L0), trends(family, WIDTH)
    rows = [
        _claim("pr-l0", "family-precision", l0, PRECISION),
        _claim("pr-l0", "family-recall", l0, RECALL),
        _claim("splits-l0", "family", l0, SPLITS),
        _claim("rate-l0-width", "family-l0", l0, f"rate, {RELATIVE}"),
        _claim("rate-l0-width", "family-width", width, f"rate, {RELATIVE}"),
        _lowest(family, "family-ablation", f"rate, {ABLATION}"),
        _lowest(family, "family-projection", f"rate, {FULL}"),
    ]
    other = differences(family, ARCHITECTURE)
    mine = other[other[ARCHITECTURE] == "matryoshka"] if len(other) else other
    rows += [
        _claim("matryoshka", part, mine, f"rate, {definition}")
        for part, definition in (("ablation", RELATIVE), ("projection", FULL))
    ]
    return pd.DataFrame(rows, columns=["claim", "part", "value", "low", "high", "note"])


def _base(rows: pd.DataFrame, setting: str) -> str:
    if setting in BASE:
        return str(rows.loc[rows[setting] == BASE[setting], "sae"].iloc[0])
    return str(rows["sae"].iloc[0])


def _table(estimate: Callable[[str], Estimate]) -> pd.DataFrame:
    """One row a quantity."""
    found = {name: estimate(name) for name in QUANTITIES}
    rows = [(name, one.value, one.low, one.high) for name, one in found.items()]
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high"])


def _claim(claim: str, part: str, table: pd.DataFrame, quantity: str) -> Sequence[object]:
    mine = table[table["quantity"] == quantity] if len(table) else table
    if not len(mine):
        return claim, part, np.nan, np.nan, np.nan, "no such SAE is shipped"
    row = mine.iloc[0]
    note = f"{row['saes']} SAEs" if "saes" in row else f"{row['sae']} minus the base"
    return claim, part, row["value"], row["low"], row["high"], note


def _lowest(family: Family, part: str, quantity: str) -> Sequence[object]:
    rows = family.numbers[family.numbers["quantity"] == quantity]
    row = rows.sort_values("value").iloc[0]
    note = f"lowest of {len(rows)} SAEs: {row['sae']}"
    return "every-sae", part, row["value"], row["low"], row["high"], note

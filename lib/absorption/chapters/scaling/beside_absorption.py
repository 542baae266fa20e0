"""Chapter 15: absorption rates of the grid's SAEs that the family's stored numbers have, by n and by k."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.chapters.findings import Findings
from absorption.several_saes.quantities import TITLES, rate
from absorption.several_saes.stored_numbers import SaeFamily, along, members, read_sae_family
from absorption.training.recipe import BASE, GRID

BY_K, BY_N = f"{BASE.d_sae:,} latents", f"k = {BASE.k:g}"


@dataclass(frozen=True)
class BesideAbsorption(Findings):
    """One row an SAE, panel and definition."""

    table: pd.DataFrame
    """``panel, size, definition, sae, seed, value, low, high``; ``size`` is k or n."""

    @property
    def spread(self) -> pd.DataFrame:
        """Range of each definition along k, along n, and over seeds at one size."""
        rows = []
        for name, found in self.table.groupby("definition", sort=False):
            first = found[found["seed"] == BASE.seed]
            ends = {panel: of["value"].max() - of["value"].min() for panel, of in first.groupby("panel")}
            base = found[(found["panel"] == BY_N) & (found["size"] == BASE.d_sae)]["value"]
            rows.append((name, ends.get(BY_K), ends.get(BY_N), base.max() - base.min(), len(base)))
        return pd.DataFrame(rows, columns=["definition", "along k", "along n", "over seeds", "seeds"])

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Both."""
        return {"grid-absorption": self.table, "grid-absorption-spread": self.spread}

    def numbers(self) -> Mapping[str, Any]:
        """How many SAEs there are, and where size moves the rate by more than seeds do."""
        spread = self.spread
        return {
            "n_rated": self.table["sae"].nunique(),
            "n_definitions": len(spread),
            "n_more_k": int((spread["along k"] > spread["over seeds"]).sum()),
            "n_more_n": int((spread["along n"] > spread["over seeds"]).sum()),
        }


def set_beside_absorption() -> BesideAbsorption:
    """Take the family's rates of the grid's members, and of further seeds of the same sizes.

    Raises:
        StoredNumbersError: the family's numbers are missing, or of other SAEs.
    """
    return BesideAbsorption(_rates(read_sae_family()))


def _rates(family: SaeFamily) -> pd.DataFrame:
    sizes = {(recipe.architecture, recipe.d_sae, recipe.k) for recipe in GRID}
    layer = int(BASE.hook_name.split(".")[1])
    about = members(family)
    found = zip(about["architecture"], about["d_sae"], about["k"], strict=True)
    of_grid = np.array([size in sizes for size in found], dtype=bool)
    rates = {rate(definition): title for title, definition in TITLES.items()}
    rows = along(family, about[of_grid & (about["layer"] == layer)], rates).dropna(subset=["value"])
    rows["definition"] = rows["quantity"].map(rates)
    parts = [
        rows[rows["d_sae"] == BASE.d_sae].assign(panel=BY_K, size=lambda part: part["k"].astype(int)),
        rows[rows["k"] == BASE.k].assign(panel=BY_N, size=lambda part: part["d_sae"]),
    ]
    columns = ["panel", "size", "definition", "sae", "seed", "value", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns]

"""Chapter 12: what training seeds alone change, and which changes of a setting are larger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.several_saes.quantities import CLAIMED, QUANTITIES, RATES, quantities
from absorption.several_saes.seeds import beside_seeds, repeated, statistics_over_seeds
from absorption.several_saes.stored_numbers import SaeFamily, along


@dataclass(frozen=True)
class Seeds(Findings):
    """SAEs that differ in the seed alone, and changes of a setting beside what seeds alone change."""

    by_seed: pd.DataFrame
    spread: pd.DataFrame
    beside: pd.DataFrame
    told: Mapping[str, Any]
    """What the text says of ``beside``."""

    @property
    def spread_shown(self) -> pd.DataFrame:
        """The columns of the spread that a reader sees."""
        return self.spread[
            ["quantity", "architecture", "d_sae", "seeds", "mean", "lowest", "highest", "sd", "null"]
        ]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Rates by seed, every number's spread, and changes beside it."""
        return {
            "family-by-seed": self.by_seed,
            "family-spread": self.spread,
            "family-beside-seeds": self.beside,
        }

    def numbers(self) -> Mapping[str, Any]:
        """How many changes are larger than seeds alone would make them."""
        return self.told


def compare_seeds(family: SaeFamily) -> Seeds:
    """Set every change beside the spread over seeds."""
    beside = beside_seeds(family, CLAIMED)
    by_seed = along(family, repeated(family), quantities(RATES))
    return Seeds(by_seed, statistics_over_seeds(family, QUANTITIES), beside, in_words(beside))


def in_words(beside: pd.DataFrame) -> dict[str, object]:
    """What a text says of ``beside_seeds``: counts of all and larger changes, and the names of larger ones of rates."""
    rules = [quantity for quantity in beside["quantity"].unique() if quantity in quantities(RATES)]
    rates, others = (beside[beside["quantity"].isin(rules) == of_rates] for of_rates in (True, False))
    more = rates[rates["larger"] == "yes"]
    return {
        "n_rates": len(rates), "n_rates_more": len(more), "n_others": len(others),
        "n_others_more": int((others["larger"] == "yes").sum()),
        "rates_more": "; ".join(more["change"] + " (" + more["quantity"] + ")") or "none",
    }  # fmt: skip

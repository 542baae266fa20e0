"""Chapter 17: the nth decoder projection of shipped SAEs that differ in L0 alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.models.language_model import LanguageModel
from absorption.remedies.collect import HeldOutRows
from absorption.remedies.projections import RANKS, nth_projections
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import SHIPPED, shipped_card, shipped_ids
from absorption.several_saes.stored_numbers import measured_of
from absorption.training.recipe import BASE, Recipe

COLUMNS = ["sae", "k", "l0_words", *(f"n = {n}" for n in RANKS)]


@dataclass(frozen=True)
class ByL0(Findings):
    """One row an SAE, sparse ones first."""

    saes: list[LoadedSae]
    table: pd.DataFrame
    """Columns as in ``COLUMNS``."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The table."""
        return {"remedies-projections-by-l0": self.table}

    def numbers(self) -> Mapping[str, Any]:
        """Which L0 has the smallest projection, at each n, and where the base stands."""
        rows = self.table.to_dict("records")
        least = {n: min(rows, key=lambda row: row[f"n = {n}"])["k"] for n in RANKS} if rows else {}
        named = ", ".join(f"{k:g} at n = {n}" for n, k in least.items())
        return {
            "by_l0_least": named or "(not measured)",
            "by_l0_all": ", ".join(f"{k:g}" for k in self.table["k"]) or "(not measured)",
        }


def members() -> list[str]:
    """The shipped SAEs that differ from the base in the number of active latents alone, sparse ones first."""
    recipes = {sae: Recipe(**shipped_card(sae)["recipe"]) for sae in shipped_ids()}
    alike = {
        sae: recipe
        for sae, recipe in recipes.items()
        if recipe.to_dict() | {"k": BASE.k, "lr": BASE.lr} == BASE.to_dict()
    }
    return sorted(alike, key=lambda sae: alike[sae].k)


def project_by_l0(model: LanguageModel | None) -> ByL0:
    """The diagnostic on the text that the arms' was taken on; nothing without a model."""
    if model is None:
        return ByL0([], pd.DataFrame(columns=COLUMNS))
    rows = HeldOutRows(model).rows
    saes = [load_sae(SHIPPED, sae, model) for sae in members()]
    found = []
    for sae in saes:
        card = shipped_card(sae.name)
        projections = {f"n = {n}": value for n, value in nth_projections(sae, rows).items()}
        found.append(
            {"sae": sae.name, "k": card["k"], "l0_words": measured_of(card)["l0_words"], **projections}
        )
    return ByL0(saes, pd.DataFrame(found, columns=COLUMNS))

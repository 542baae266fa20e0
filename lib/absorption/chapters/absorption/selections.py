"""The same SAE under every choice of main latents, and under rankings that have not converged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from absorption.chapters.absorption.basis import Basis
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.tables import mean_rows
from absorption.latents.main import K_SPARSE, reference_steps
from absorption.one_sae.study import CONVERGED, FEW_WORDS, UNCONVERGED, train_rows
from absorption.several_saes.rates import rates_by_selection

IN_TEXT = {
    "candidates_k_sparse": K_SPARSE,
    "candidates_encoder": "encoder cosine",
    "candidates_unconverged": UNCONVERGED,
    "candidates_converged": CONVERGED,
}
"""Selections of which the text tells the share of candidates, by the number's name."""


@dataclass(frozen=True)
class BySelection(Findings):
    """Rates by selection of the main latents."""

    rates: pd.DataFrame
    """As ``several_saes.rates_by_selection`` gives it."""
    n_train: int
    """Training words."""

    @property
    def means(self) -> pd.DataFrame:
        """Means over letters."""
        return mean_rows(self.rates, "selection", "n_main", "candidates")

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The rates."""
        return {"rates-by-selection": self.rates}

    def numbers(self) -> Mapping[str, Any]:
        """Shares of candidates, and the steps that the reference codes' ranking probe makes."""
        at = self.rates.drop_duplicates("selection").set_index("selection")["candidates"]
        n_few = min(self.n_train, FEW_WORDS)
        return {name: float(at[selection]) for name, selection in IN_TEXT.items()} | {
            "n_few": f"{n_few:,}",
            "steps_few": reference_steps(n_few),
            "steps_all": reference_steps(self.n_train),
        }


def judge_by_every_selection(basis: Basis, settings: AbsorptionSettings) -> BySelection:
    """Judge the chapter's own SAE under every selection, with fewer candidates a letter."""
    few = replace(basis.thresholds, max_candidates=settings.max_candidates_others)
    rates = rates_by_selection(
        basis.mine, few, basis.letters, mean_metric=basis.scale.value, seed=settings.seed
    )
    return BySelection(rates, len(train_rows(basis.mine.words)))

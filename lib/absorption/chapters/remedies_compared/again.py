"""Chapter 17: numbers of the arms' shipped SAE, measured again in this build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.remedies_compared.numbers import Numbers
from absorption.chapters.settings import ComparedRemediesSettings
from absorption.models.language_model import LanguageModel, load_model
from absorption.remedies.again import TOLERANCE, check_again, checked_sae
from absorption.saes.loaded import LoadedSae


@dataclass(frozen=True)
class Again(Findings):
    """Stored and new numbers; nothing where none was measured."""

    saes: list[LoadedSae]
    table: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row a number."""
        return {"remedies-check": self.table}

    def numbers(self) -> Mapping[str, Any]:
        """What was measured again."""
        return {
            "remedies_tolerance": TOLERANCE, "remedies_again": len(self.table),
            "remedies_checked": ", ".join(sae.name for sae in self.saes) or "none",
        }  # fmt: skip


def load(numbers: Numbers, settings: ComparedRemediesSettings) -> LanguageModel | None:
    """The model that the numbers are of; None if nothing is to be measured again."""
    if not settings.check_again:
        return None
    return load_model(numbers.stored.subject["model"], settings.device, "float32")


def measure_again(numbers: Numbers, model: LanguageModel | None) -> Again:
    """The numbers that need no ablation, of the SAE whose weights ship; nothing without a model.

    Raises:
        StaleRemediesError: a number comes out differently.
    """
    if model is None:
        return Again([], pd.DataFrame(columns=["quantity", "stored", "now", "difference"]))
    sae = checked_sae(numbers.stored, model)
    return Again([sae], check_again(numbers.stored, sae, model))

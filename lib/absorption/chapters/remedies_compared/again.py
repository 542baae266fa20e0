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

    model: LanguageModel | None
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


def measure_again(numbers: Numbers, settings: ComparedRemediesSettings) -> Again:
    """The numbers that need no ablation, of the SAE whose weights ship.

    Raises:
        StaleRemediesError: a number comes out differently.
    """
    if not settings.check_again:
        return Again(None, [], pd.DataFrame(columns=["quantity", "stored", "now", "difference"]))
    model = load_model(numbers.stored.subject["model"], settings.device, "float32")
    sae = checked_sae(numbers.stored, model)
    return Again(model, [sae], check_again(numbers.stored, sae, model))

"""Chapter 12: a part of the stored numbers, measured again in this build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.settings import SaeFamilySettings
from absorption.models.language_model import LanguageModel, load_model
from absorption.several_saes.stored_check import TOLERANCE, again, chosen_for_check
from absorption.several_saes.stored_numbers import SaeFamily


@dataclass(frozen=True)
class Again(Findings):
    """Stored and measured numbers of the SAEs drawn; nothing where none was."""

    chosen: list[str]
    model: LanguageModel | None
    table: pd.DataFrame | None

    @property
    def names(self) -> str:
        """The SAEs drawn, for a text."""
        return ", ".join(self.chosen) or "none"

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row a number."""
        return {} if self.table is None else {"family-check": self.table}

    def numbers(self) -> Mapping[str, Any]:
        """What was drawn, and by how much a number may be off."""
        return {"tolerance": TOLERANCE, "chosen": self.names}


def measure_again(family: SaeFamily, settings: SaeFamilySettings) -> Again:
    """Draw SAEs with the seed and measure them as they were measured.

    Raises:
        StaleNumbersError: a number comes out differently.
    """
    chosen = chosen_for_check(family, settings.n_checked, settings.seed)
    if not chosen:
        return Again(chosen, None, None)
    model = load_model(family.parameters["model"], settings.device, family.parameters["dtype"])
    return Again(chosen, model, again(family, chosen, model))

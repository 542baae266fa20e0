"""The page of results: every claim with what the chapters measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption import claims
from absorption.base.settings import Settings
from absorption.chapters.findings import Findings


@dataclass(frozen=True)
class Ledger(Findings):
    """Every claim, part by part; columns as in ``claims.records.LEDGER_COLUMNS``."""

    table: pd.DataFrame

    def numbers(self) -> Mapping[str, Any]:
        """Claims by verdict, and rules by whether they were set before their number was seen."""
        verdicts = {
            f"claims_{verdict}".replace(" ", "_"): count
            for verdict, count in claims.tally(self.table).items()
        }
        return verdicts | {f"rules_{name}": count for name, count in claims.restated(self.table).items()}


def read(settings: Settings) -> Ledger:
    """What the chapters left in ``results_dir``."""
    return Ledger(claims.ledger(settings.results_dir))

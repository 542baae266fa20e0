"""What a step of a chapter found, as one frozen object: tables to keep, claims to record, numbers for the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from absorption.base.settings import Settings
from absorption.claims.records import record_table

CLAIM_COLUMNS = ["claim", "part", "value", "low", "high", "note"]
"""One row a part of a claim; see ``claims.record_table``."""


@dataclass(frozen=True)
class Findings:
    """Base of every step's result: its fields are what the notebook draws; ``tell`` keeps and tells the rest.

    A step overrides what it has of ``tables``, ``claims`` and ``numbers``. A notebook then reads::

        splits = chapter.split_letters(study, settings).tell(settings)
        plots.show(plots.splitting.f1_against_k(splits.scores, splits.split), caption=..., alt=...)
    """

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Tables for ``results_dir``, by name."""
        return {}

    def claims(self) -> pd.DataFrame:
        """Measurements of claims, columns as in ``CLAIM_COLUMNS``."""
        return pd.DataFrame(columns=CLAIM_COLUMNS)

    def numbers(self) -> Mapping[str, Any]:
        """What the page's text shows, by the name it shows it under."""
        return {}

    def tell(self, settings: Settings) -> Self:
        """Write the tables, record the claims, and glue the numbers with each claim's verdict.

        A verdict's name is ``verdict_``, the claim and its part, with underscores for hyphens.
        """
        from myst_nb import glue  # a page's own need: the tables alone are had without it

        for name, table in self.tables().items():
            settings.write(name, table)
        verdicts = record_table(settings, self.claims())
        numbers = dict(self.numbers()) | {f"verdict_{name}": verdict for name, verdict in verdicts.items()}
        for name, value in numbers.items():
            glue(name, value, display=False)
        return self


def claim(name: str, estimate: Any, *, part: str = "", note: str = "") -> pd.DataFrame:
    """One measurement of a claim as a table.

    Args:
        name: the claim's id.
        estimate: with ``value``, ``low`` and ``high``.
        part: of the claim; empty for a claim of one.
        note: what a reader must know.
    """
    row = (name, part, estimate.value, estimate.low, estimate.high, note)
    return pd.DataFrame([row], columns=CLAIM_COLUMNS)

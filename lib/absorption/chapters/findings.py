"""What a step of a chapter found, as one frozen object: tables to keep, claims to record, numbers for the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import pandas as pd

from absorption.base.settings import Settings
from absorption.claims.records import record_table
from absorption.claims.rules import combine

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

        A verdict's name is ``verdict_``, the claim and its part, with underscores for hyphens; without a part it is
        the verdict on the parts that this step measured, if there are several.

        Raises:
            ValueError: another step of the page has told a number of this name.
        """
        from myst_nb import glue  # a page's own need: the tables alone are had without it

        tables = self.tables()
        for name, table in tables.items():
            settings.write(name, table)
        numbers, known = dict(self.numbers()), dict[str, Any]()
        for name, parts in self.claims().groupby("claim", sort=False):
            verdicts = record_table(settings, parts, known)
            known |= verdicts
            # One part of several is not the claim, and another step may tell another.
            several = len(parts) > 1
            whole = {str(name).replace("-", "_"): combine(list(verdicts.values()))} if several else {}
            numbers |= {f"verdict_{part}": verdict for part, verdict in (whole | verdicts).items()}
        step = " ".join([type(self).__name__, *tables])
        for name, value in numbers.items():
            settings.note_told(name, step)
            glue(name, value, display=False)
        return self


@dataclass(frozen=True)
class OneTable(Findings):
    """What a step found where that is one table, kept under ``name``, and ``said`` of it in the text."""

    name: str
    table: pd.DataFrame
    said: Mapping[str, Any] = field(default_factory=dict)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The table."""
        return {self.name: self.table}

    def numbers(self) -> Mapping[str, Any]:
        """What is said of it."""
        return self.said


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


def claim_parts(name: str, parts: pd.DataFrame, *, note: str = "") -> pd.DataFrame:
    """Measurements of a claim's parts as a table.

    Args:
        name: the claim's id.
        parts: ``part``, ``measured``, ``low``, ``high``, one row a part.
        note: what a reader must know.
    """
    return parts.rename(columns={"measured": "value"}).assign(claim=name, note=note)[CLAIM_COLUMNS]

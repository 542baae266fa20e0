"""Small tables for figures, and the list of what each figure must show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from tests.plots.reading import Panel

Case = Callable[[], tuple[Any, list[Panel]]]
CASES: dict[str, Case] = {}
"""By ``module.function`` of ``absorption.plots``: makes the figure, and says what it must show."""


def shows(name: str) -> Callable[[Case], Case]:
    """Enters a case under the name of its plot function."""

    def enter(case: Case) -> Case:
        assert name not in CASES
        CASES[name] = case
        return case

    return enter


def frame(columns: str, *rows: tuple) -> pd.DataFrame:
    """A table, its columns named in one string."""
    return pd.DataFrame(list(rows), columns=columns.split())


def upper(table: pd.DataFrame, column: str = "letter") -> pd.DataFrame:
    """Letters as figures write them."""
    return table.assign(**{column: table[column].str.upper()})

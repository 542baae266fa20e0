"""The page that sets reports on single SAEs side by side."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.settings import SideBySideSettings
from absorption.several_saes.side_by_side import read_reports, wide_table


@dataclass(frozen=True)
class Reports(Findings):
    """The numbers of several reports."""

    reports: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """One row a number, one column a report."""
        return wide_table(self.reports)


def read(settings: SideBySideSettings) -> Reports:
    """The reports in the folders given.

    Raises:
        ValueError: no folder is given, or one holds no report.
    """
    return Reports(read_reports(settings.folders))

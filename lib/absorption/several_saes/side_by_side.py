"""Any number of reports side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

SUMMARY = "sae-summary"
"""Table that a report leaves in its folder of results."""


def read_reports(folders: Sequence[Path]) -> pd.DataFrame:
    """The summaries in folders of results, one below the other, with a column ``report``: the SAE's name.

    A folder is one report's, or holds several, at any depth (a sweep's output, say). Reports are named after
    the SAE, and after their place as well where two are called the same.

    Raises:
        ValueError: a folder without any report.
    """
    found: dict[tuple[Path, str], pd.DataFrame] = {}
    for folder in folders:
        paths = sorted(folder.rglob(f"{SUMMARY}.parquet"))
        if not paths:
            raise ValueError(f"{str(folder)!r} holds no report (no {SUMMARY}.parquet).")
        for path in paths:
            for sae, table in pd.read_parquet(path).groupby("sae", sort=False):
                found[path.resolve(), str(sae)] = table
    names = [sae for _, sae in found]
    tables = []
    for (path, sae), table in found.items():
        name = sae if names.count(sae) == 1 else f"{sae} ({_place(path)})"
        tables.append(table.assign(report=name))
    return pd.concat(tables, ignore_index=True)


def wide_table(reports: pd.DataFrame) -> pd.DataFrame:
    """One row a quantity, one column a report: ``value [low, high]`` and a rate's null; empty where a report lacks
    it."""
    text = reports.apply(_cell, axis=1)
    wide = reports.assign(text=text).pivot(index=["section", "quantity"], columns="report", values="text")
    order = reports.drop_duplicates(["section", "quantity"])[["section", "quantity"]]
    columns = list(dict.fromkeys(reports["report"]))
    wide = wide.reindex(pd.MultiIndex.from_frame(order))[columns].fillna("")
    return wide.reset_index().rename_axis(columns=None)


def _cell(row: pd.Series) -> str:
    null = row.get("null", float("nan"))
    beside = "" if pd.isna(null) else f"; null {null:.3f}, p {row['p']:.3f}"
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]{beside}"


def _place(path: Path) -> str:
    parts = [part for part in path.parts[:-1] if part != "results"]
    return "/".join(parts[-2:])

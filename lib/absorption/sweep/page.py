"""The end of a sweep as one HTML file that needs nothing else: every SAE's numbers side by side, and what failed."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from absorption.base import cache
from absorption.sweep.gather import Sweep

NAME = "comparison.html"
DIGITS = 3
"""Significant digits."""
STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0}
div{overflow-x:auto;max-width:100%}th,td{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left;
vertical-align:top}td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}small{color:#555}
thead th{background:#f4f4f4}tbody th{position:sticky;left:0;background:#fff}.failed{color:#a30000}"""


def write(output: Path, sweep: Sweep) -> Path:
    """Write ``comparison.html`` beside the tables, and return where it is."""
    cache.write_text(output / NAME, to_html(sweep, output.name))
    return output / NAME


def to_html(sweep: Sweep, title: str) -> str:
    """The page: a table a chapter, one row an SAE, one column a quantity as ``value [low, high]``; then the runs.

    Behind a value lies a bar from the column's smallest (or 0) to its largest. Everything from elsewhere is escaped.
    """
    done = int((sweep.status["status"] == "done").sum())
    chapters = sweep.comparison.groupby("chapter", sort=False) if len(sweep.comparison) else []
    parts = [_chapter(str(name), numbers) for name, numbers in chapters]
    body = "\n".join([f"<p>{done} of {len(sweep.status)} runs done.</p>", *parts, _runs(sweep.status)])
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>Sweep {escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n<h1>Sweep {escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def _chapter(chapter: str, numbers: pd.DataFrame) -> str:
    columns = list(dict.fromkeys(numbers["quantity"]))
    head = "".join(f'<th scope="col">{escape(str(column))}</th>' for column in ["SAE", *columns])
    cells = {(row["sample"], row["quantity"]): row for row in numbers.to_dict("records")}
    span = {name: (min(0.0, mine.min()), mine.max()) for name, mine in numbers.groupby("quantity")["value"]}
    rows = [
        f'<tr><th scope="row">{escape(str(sample))}</th>'
        + "".join(_number(cells.get((sample, column)), *span[column]) for column in columns)
        + "</tr>"
        for sample in dict.fromkeys(numbers["sample"])
    ]
    return f"<h2>{escape(chapter)}</h2>\n{_table(head, rows)}"


def _number(row: dict[Any, Any] | None, smallest: float, largest: float) -> str:
    if row is None or pd.isna(row["value"]):
        return "<td></td>"
    value, low, high = (f"{row[name]:.{DIGITS}g}" for name in ("value", "low", "high"))
    share = 100 * (row["value"] - smallest) / (largest - smallest) if largest > smallest else 0.0
    bar = f"background:linear-gradient(90deg,#cfe3f3 {share:.0f}%,transparent {share:.0f}%)"
    interval = "" if pd.isna(row["low"]) else f" <small>[{low}, {high}]</small>"
    return f'<td class="n" style="{bar}">{value}{interval}</td>'


def _runs(status: pd.DataFrame) -> str:
    names = ["SAE", "chapter", "status", "seconds", "GB", "error"]
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return f"<h2>Runs</h2>\n{_table(head, [_run(row) for row in status.to_dict('records')])}"


def _run(row: dict[Any, Any]) -> str:
    sample, chapter = str(row["sample"]), str(row["chapter"])
    page = f'<a href="{quote(f"runs/{sample}/{chapter}/page.ipynb")}">{escape(chapter)}</a>'
    if row["status"] != "done":
        cells = ("", "", escape(str(row["error"])))
        told = f'<td class="failed">{escape(str(row["status"]))}</td>' + "".join(
            f"<td>{cell}</td>" for cell in cells
        )
        return f'<tr><th scope="row">{escape(sample)}</th><td>{escape(chapter)}</td>{told}</tr>'
    told = f'<td>done</td><td class="n">{row["seconds"]:.0f}</td><td class="n">{row["peak_gb"]:.1f}</td><td></td>'
    return f'<tr><th scope="row">{escape(sample)}</th><td>{page}</td>{told}</tr>'


def _table(head: str, rows: list[str]) -> str:
    return (
        f"<div><table><thead><tr>{head}</tr></thead>\n<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>"
    )

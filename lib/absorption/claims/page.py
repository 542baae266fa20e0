"""The ledger as HTML: a table on a wide screen, one card a claim on a phone."""

from __future__ import annotations

import math
from collections.abc import Hashable
from html import escape
from itertools import groupby
from typing import Any

import pandas as pd

SIGNS = {"reproduced": "✓", "not reproduced": "✗", "unclear": "?", "not measured": "–"}
"""A sign beside the word, so that no verdict rests on colour."""
AFTER = "↻"
"""Beside rules that were set or restated after a number was seen."""
HEADINGS = ("Claim", "Published", "Measured here", "Verdict", "Chapter")
EMPTY = "Nothing has been measured yet: no chapter has left results here."
STYLE = """<style>
.ledger {border-collapse: collapse; width: 100%; font-size: .9em}
.ledger th, .ledger td {text-align: left; vertical-align: top; padding: .5em;
  border-bottom: 1px solid var(--pst-color-border, #bbb); overflow-wrap: break-word}
.ledger p {margin: 0 0 .5em}
.ledger small {display: block}
.ledger th:nth-child(3) {width: 40%}
.ledger .verdict {font-weight: bold}
@media (max-width: 700px) {
  .ledger thead {display: none}
  .ledger tbody, .ledger tr, .ledger td {display: block}
  .ledger tr {border: 1px solid var(--pst-color-border, #bbb); margin-bottom: 1em}
  .ledger td {border-bottom: none; padding: .3em .6em}
  .ledger td::before {content: attr(data-label); display: block; font-size: .8em; opacity: .75}
}
</style>"""


class Page:
    """HTML that a notebook shows."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return "The ledger of claims; shown as a table where HTML is."


def page(table: pd.DataFrame) -> Page:
    """The ledger (see ``records.ledger``), one row a claim, its parts beneath each other."""
    rows = table.to_dict("records")
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row["id"])]
    head = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
    body = "\n".join(_row(group) for group in groups)
    html = f'{STYLE}\n<table class="ledger"><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>'
    if all(row["verdict"] == "not measured" for row in rows):
        html = f"<p><strong>{EMPTY}</strong></p>\n{html}"
    return Page(html)


def _row(group: list[dict[Hashable, Any]]) -> str:
    first = group[0]
    chapters = dict.fromkeys(part["chapter"] for part in group)
    cells = (
        f"<p>{escape(first['statement'])}</p><small>{escape(first['id'])}: {escape(first['where'])}</small>",
        escape(first["published"]),
        "".join(_part(part) for part in group),
        f'<span class="verdict">{_signed(first["verdict"])}</span>',
        "<br>".join(f'<a href="{escape(stem)}.html">{escape(_title(stem))}</a>' for stem in chapters),
    )
    columns = zip(HEADINGS, cells, strict=True)
    return "<tr>" + "".join(f'<td data-label="{name}">{cell}</td>' for name, cell in columns) + "</tr>"


def _part(part: dict[Hashable, Any]) -> str:
    note = f"<small>{escape(part['note'])}</small>" if part["note"] else ""
    return (
        f"<p>{_interval(part)} <small>{escape(part['measures'])}</small>"
        f"<small>predicted: {escape(part['rule'])}: {_signed(part['part_verdict'])}</small>{note}"
        f"<small>rule of {escape(part['rule_set'])}{_mark(part)}</small></p>"
    )


def _mark(part: dict[Hashable, Any]) -> str:
    sign = f"{AFTER} " if part["number_seen"] == "yes" else ""
    return f", {sign}{escape(part['restated'])}" if part["restated"] else ""


def _interval(part: dict[Hashable, Any]) -> str:
    if math.isnan(part["measured"]):
        return "–"
    return f"<strong>{part['measured']:.3g}</strong> [{part['low']:.3g}, {part['high']:.3g}]"


def _signed(verdict: str) -> str:
    return f"{SIGNS[verdict]} {verdict}"


def _title(stem: str) -> str:
    return stem.lstrip("0123456789-").replace("-", " ").capitalize()

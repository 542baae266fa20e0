"""Figures that set several SAEs side by side: of the one-SAE page, and of the family of SAEs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing


def one_section(reports: pd.DataFrame, section: str) -> theme.Drawing:
    """One row a quantity of a section, one dot a report, with 95% intervals.

    Args:
        reports: from ``several_saes.side_by_side.read_reports``: ``report, section, quantity, value, low, high``.
        section: which part.
    """
    mine = reports[reports["section"] == section]
    panels = {quantity: {"": quantity} for quantity in dict.fromkeys(mine["quantity"])}
    return dots(mine, panels, "report", section)


MOST_NAMED = 14
"""SAEs that have a colour and a symbol of their own; more are dots without names."""


@drawing
def dots(table: pd.DataFrame, panels: Mapping[str, Mapping[str, str]], label: str, axis: str) -> Canvas:
    """One row a quantity, one dot an SAE, with 95% intervals; in grey a rate's null, if it has one.

    Args:
        table: ``sae``, the label, ``quantity, value, low, high``, one row a number, and where there is a null,
            ``null, null_low, null_high``.
        panels: the quantities, by two names that together call the row (one may be empty).
        label: column that names the SAEs in the legend.
        axis: name of the axis of values.
    """
    names = {
        quantity: ", ".join(filter(None, (title, name)))
        for title, lines in panels.items()
        for name, quantity in lines.items()
    }
    rows = table[table["quantity"].isin(names)]
    rows = rows.assign(row=rows["quantity"].map(names))
    n_saes = rows[label].nunique()
    if n_saes > MOST_NAMED:
        return _cloud(rows, label, list(names.values()), axis)
    height = 0.5 + max(0.34, 0.11 * n_saes) * len(names) + 0.14 * n_saes
    fig, ax = theme.axes(axis, height=height)
    marks.groups(ax, rows, "row", "value", label, order=list(names.values()), sideways=True, null=True)
    return theme.shows(fig, rows.drop(columns="row"))


def _cloud(rows: pd.DataFrame, label: str, order: list[str], axis: str) -> Canvas:
    """Many SAEs: a dot each, from the top in their order, so that all are seen."""
    fig, ax = theme.axes(axis, height=0.6 + 0.5 * len(order))
    places = theme.categories(ax, order, sideways=True)
    saes = {sae: number for number, sae in enumerate(dict.fromkeys(rows[label]))}
    spread = marks.DODGE * ((rows[label].map(saes) + 0.5) / len(saes) - 0.5)
    at = rows["row"].map(places) + spread
    marks.points(ax, rows.assign(place=at), "value", "place", size=1.6, alpha=0.6)
    fig.note = f"{len(saes)} {label}s, a dot each; their intervals are in the tables, not drawn."
    return theme.shows(fig, rows.drop(columns="row"))

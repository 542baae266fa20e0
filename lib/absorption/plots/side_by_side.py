"""Figures that set several SAEs side by side: of the one-SAE page, and of the family of SAEs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from absorption.plots import marks, theme
from absorption.plots.theme import drawing


def one_section(reports: pd.DataFrame, section: str) -> theme.Drawing:
    """One row a quantity of a section, one dot a report, with 95% intervals.

    Args:
        reports: from ``several_saes.side_by_side.read_reports``: ``report, section, quantity, value, low, high``.
        section: which part.
    """
    mine = reports[reports["section"] == section]
    panels = {quantity: {"": quantity} for quantity in dict.fromkeys(mine["quantity"])}
    return dots(mine, panels, "report", section)


@drawing
def dots(table: pd.DataFrame, panels: Mapping[str, Mapping[str, str]], label: str, axis: str) -> Figure:
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
    height = 0.5 + max(0.34, 0.11 * n_saes) * len(names) + 0.14 * n_saes
    fig, ax = theme.axes(axis, height=height)
    marks.groups(ax, rows, "row", "value", label, order=list(names.values()), sideways=True, null=True)
    return theme.shows(fig, rows.drop(columns="row"))

"""Figures of the chapter on other hierarchies: rates beside their nulls by concept, and by depth."""

from __future__ import annotations

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing


@drawing
def rates(table: pd.DataFrame) -> Canvas:
    """Mean rate over labels of each concept beside its null, a panel a definition.

    Args:
        table: ``concept, definition, rate, low, high, null, null_low, null_high``.
    """
    names, order = (list(dict.fromkeys(table[column])) for column in ("definition", "concept"))
    fig, grid = theme.panels(len(names), height=0.8 + 0.24 * len(order))
    for ax, name in zip(grid, names, strict=True):
        ax.set_title(name, pad=3)
        rows = table[table["definition"] == name]
        marks.groups(ax, rows, "concept", "rate", order=order, sideways=True, null=True)
        theme.from_zero(ax, "x")
        theme.percent(ax, "x")
    grid[-1].set_xlabel("mean rate over labels")
    return theme.shows(fig, table)


@drawing
def by_depth(table: pd.DataFrame) -> Canvas:
    """Rate of words by how many steps up their label lies, and the mean null of the same words.

    Args:
        table: ``steps, value, low, high, null``.
    """
    order = list(table["steps"])
    fig, ax = theme.axes("steps from the word up to its label", "fully absorbed")
    marks.groups(ax, table, "steps", "value", order=order)
    places = {name: number for number, name in enumerate(order)}
    drawn = table.assign(steps=table["steps"].map(places).astype(float))
    marks.series(ax, drawn, "steps", "null", name="mean null", colour=theme.GREY, symbol="s", ends=None)
    theme.from_zero(ax)
    theme.percent(ax)
    return theme.shows(fig, table)

"""Figures that set several SAEs side by side: of the one-SAE page, and of the family of SAEs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from absorption.plots.theme import NULL, PALETTE, SYMBOLS, add_null, error_bars, figure, wrapped


def one_section(reports: pd.DataFrame, section: str) -> go.Figure:
    """One row a quantity of a section, one dot a report, with 95% intervals.

    Args:
        reports: from ``several_saes.side_by_side.read_reports``: ``report, section, quantity, value, low, high``.
        section: which part.
    """
    mine = reports[reports["section"] == section]
    panels = {quantity: {"": quantity} for quantity in dict.fromkeys(mine["quantity"])}
    return dots(mine, panels, "report", section)


def dots(table: pd.DataFrame, panels: Mapping[str, Mapping[str, str]], label: str, axis: str) -> go.Figure:
    """One row a quantity, one dot an SAE, with 95% intervals; in grey a rate's null, if it has one.

    Args:
        table: ``sae``, the label, ``quantity, value, low, high``, one row a number, and where there is a null,
            ``null, null_low, null_high``.
        panels: the quantities, by two names that together call the row (one may be empty).
        label: column that names the SAEs in the legend.
        axis: name of the axis of values.
    """
    saes = list(dict.fromkeys(table[label]))
    rows_of = {
        quantity: ", ".join(filter(None, (title, name)))
        for title, lines in panels.items()
        for name, quantity in lines.items()
    }
    below = 56 + 22 * len(saes)  # room for the axis title and, on a phone, one line of the legend each
    height = 36 + max(48, 16 + 11 * len(saes)) * len(rows_of) + below
    fig = figure(axis, height=height, margin={"l": 10, "r": 12, "b": below})
    fig.update_layout(legend={"yref": "container", "y": 0, "yanchor": "bottom"})
    order = list(rows_of)
    drawn = False  # the null's entry in the legend
    for number, sae in enumerate(saes):
        rows = table[(table[label] == sae) & table["quantity"].isin(order)]
        shift = 0.7 * ((number + 0.5) / len(saes) - 0.5)
        style = number % len(PALETTE)
        fig.add_scatter(
            x=rows["value"], y=[order.index(quantity) + shift for quantity in rows["quantity"]], mode="markers",
            name=str(sae), text=rows["sae"], hovertemplate="%{text}: %{x:.3f}<extra></extra>",
            error_x=error_bars(rows),
            marker={"size": 8, "color": PALETTE[style], "symbol": SYMBOLS[style]},
        )  # fmt: skip
        nulls = rows.reindex(columns=[*rows.columns.difference(NULL), *NULL]).dropna(subset=["null"])
        if nulls.empty:
            continue
        heights = [order.index(quantity) + shift for quantity in nulls["quantity"]]
        add_null(
            fig, nulls, "null", x=nulls["null"], y=heights, orientation="h", text=nulls["sae"],
            showlegend=not drawn,
        )  # fmt: skip
        drawn = True
    fig.update_yaxes(
        tickvals=list(range(len(order))),
        ticktext=wrapped(rows_of.values()),
        range=[len(order) - 0.5, -0.5],
    )
    return fig

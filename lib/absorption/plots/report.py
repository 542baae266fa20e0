"""Figures of the one-SAE page: several SAEs side by side."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from absorption.plots.theme import PALETTE, SYMBOLS, error_bars, figure, wrapped


def side_by_side(reports: pd.DataFrame, section: str) -> go.Figure:
    """One row a quantity of a section, one dot a report, with 95% intervals.

    Args:
        reports: from ``report.read_reports``: ``report, section, quantity, value, low, high``.
        section: which part.
    """
    mine = reports[reports["section"] == section]
    quantities = list(dict.fromkeys(mine["quantity"]))
    names = list(dict.fromkeys(mine["report"]))
    below = 56 + 22 * len(names)  # room for the axis title and, on a phone, one line of the legend each
    fig = figure(x=section, height=36 + 48 * len(quantities) + below, margin={"l": 10, "r": 12, "b": below})
    fig.update_layout(legend={"yref": "container", "y": 0, "yanchor": "bottom"})
    for number, name in enumerate(names):
        rows = mine[mine["report"] == name]
        shift = 0.5 * ((number + 0.5) / len(names) - 0.5)
        fig.add_scatter(
            x=rows["value"],
            y=[quantities.index(quantity) + shift for quantity in rows["quantity"]],
            mode="markers",
            name=name,
            text=rows["quantity"],
            hovertemplate="%{text}: %{x:.3f}",
            error_x=error_bars(rows),
            marker={
                "size": 8,
                "color": PALETTE[number % len(PALETTE)],
                "symbol": SYMBOLS[number % len(SYMBOLS)],
            },
        )
    fig.update_yaxes(
        tickvals=list(range(len(quantities))),
        ticktext=wrapped(quantities),
        range=[len(quantities) - 0.5, -0.5],
    )
    return fig

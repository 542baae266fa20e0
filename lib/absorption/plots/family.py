"""Figures of the chapter on hyper-parameters: numbers of several SAEs against one setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from absorption.plots import theme


def against(table: pd.DataFrame, x: str, panels: Mapping[str, Mapping[str, str]], axis: str) -> go.Figure:
    """Panels of values against a setting that doubles from SAE to SAE.

    Args:
        table: ``sae``, the setting, ``quantity, value, low, high``, as in ``family.along``.
        x: the setting's column.
        panels: quantity of each line, by the panel's title and the line's name (empty: no legend).
        axis: name of the setting.
    """
    columns = 2
    lines = -(-len(panels) // columns)
    fig = make_subplots(
        rows=lines, cols=columns, subplot_titles=theme.wrapped(panels, 24), horizontal_spacing=0.14,
        vertical_spacing=0.34 / lines,
    )  # fmt: skip
    ticks = sorted({round(value) for value in table[x]})
    names = list(dict.fromkeys(name for drawn in panels.values() for name in drawn))
    shown: set[str] = set()
    for number, drawn in enumerate(panels.values()):
        where: dict[str, Any] = {"row": number // columns + 1, "col": number % columns + 1}
        for name, quantity in drawn.items():
            rows, style = table[table["quantity"] == quantity].sort_values(x), names.index(name)
            fig.add_scatter(
                x=rows[x], y=rows["value"], error_y=theme.error_bars(rows), mode="lines+markers",
                text=rows["sae"], line={"color": theme.PALETTE[style]}, name=name, legendgroup=name,
                marker={"size": 8, "symbol": theme.SYMBOLS[style]}, hovertemplate="%{text}: %{y:.3f}",
                showlegend=bool(name) and name not in shown, **where,
            )  # fmt: skip
            shown.add(name)
        ticktext = [f"{tick:,}" for tick in ticks]
        fig.update_xaxes(type="log", tickvals=ticks, ticktext=ticktext, tickangle=0, **where)
        fig.update_yaxes(rangemode="tozero", **where)
    for column in range(1, columns + 1):
        fig.update_xaxes(title=axis, row=lines, col=column)
    fig.update_layout(template=theme.TEMPLATE, height=110 + 210 * lines, margin={"l": 44, "r": 8, "t": 48})
    fig.update_annotations(font={"size": 13})
    return fig


def dots(table: pd.DataFrame, panels: Mapping[str, Mapping[str, str]], label: str, axis: str) -> go.Figure:
    """One row a quantity, one dot an SAE, with 95% intervals.

    Args:
        table: as for ``against``.
        panels: likewise; a row is called by both names.
        label: column that names the SAEs in the legend.
        axis: name of the axis of values.
    """
    saes = list(dict.fromkeys(table[label]))
    rows_of = {
        quantity: ", ".join(filter(None, (title, name)))
        for title, drawn in panels.items()
        for name, quantity in drawn.items()
    }
    below = 56 + 22 * len(saes)  # room for the axis title and, on a phone, one line of the legend each
    height = 36 + (16 + 11 * len(saes)) * len(rows_of) + below
    fig = theme.figure(axis, height=height, margin={"l": 10, "r": 12, "b": below})
    fig.update_layout(legend={"yref": "container", "y": 0, "yanchor": "bottom"})
    order = list(rows_of)
    for number, sae in enumerate(saes):
        rows = table[(table[label] == sae) & table["quantity"].isin(order)]
        shift = 0.7 * ((number + 0.5) / len(saes) - 0.5)
        style = number % len(theme.PALETTE)
        fig.add_scatter(
            x=rows["value"], y=[order.index(quantity) + shift for quantity in rows["quantity"]], mode="markers",
            name=str(sae), text=rows["sae"], hovertemplate="%{text}: %{x:.3f}<extra></extra>",
            error_x=theme.error_bars(rows),
            marker={"size": 8, "color": theme.PALETTE[style], "symbol": theme.SYMBOLS[style]},
        )  # fmt: skip
    fig.update_yaxes(
        tickvals=list(range(len(order))),
        ticktext=theme.wrapped(rows_of.values()),
        range=[len(order) - 0.5, -0.5],
    )
    return fig

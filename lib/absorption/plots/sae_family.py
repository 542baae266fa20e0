"""Figures of the chapter on hyper-parameters: numbers of several SAEs against one setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from absorption.plots import theme


def against_setting(
    table: pd.DataFrame,
    x: str,
    panels: Mapping[str, Mapping[str, str]],
    axis: str,
    *,
    percent: bool = False,
) -> go.Figure:
    """Panels of values against a setting that doubles from SAE to SAE.

    Args:
        table: ``sae``, the setting, ``quantity, value, low, high``, as in ``several_saes.along``.
        x: the setting's column.
        panels: quantity of each line, by the panel's title and the line's name (empty: no legend).
        axis: name of the setting.
        percent: the setting is a share, named in percent.
    """
    columns = 2
    lines = -(-len(panels) // columns)
    fig = make_subplots(
        rows=lines, cols=columns, subplot_titles=theme.wrapped(panels, 24), horizontal_spacing=0.14,
        vertical_spacing=0.34 / lines,
    )  # fmt: skip
    ticks = sorted(set(table[x]) if percent else {round(value) for value in table[x]})
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
            if "null" in rows and rows["null"].notna().any():
                theme.add_null(
                    fig, rows, "null", x=rows[x], y=rows["null"], text=rows["sae"],
                    showlegend="null" not in shown, **where,
                )  # fmt: skip
                shown.add("null")
            shown.add(name)
        ticktext = [f"{tick:.1%}" if percent else f"{tick:,}" for tick in ticks]
        fig.update_xaxes(type="log", tickvals=ticks, ticktext=ticktext, tickangle=0, **where)
        fig.update_yaxes(rangemode="tozero", **where)
    for column in range(1, columns + 1):
        fig.update_xaxes(title=axis, row=lines, col=column)
    fig.update_layout(template=theme.TEMPLATE, height=110 + 210 * lines, margin={"l": 44, "r": 8, "t": 48})
    fig.update_annotations(font={"size": 13})
    return fig

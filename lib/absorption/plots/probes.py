"""Figures of chapter 2: probe baselines."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from absorption.plots import theme

METHODS = {
    "LR probe": (theme.BLUE, "circle", "solid"),
    "difference in means": (theme.ORANGE, "diamond", "dash"),
}


def scores_by_letter(table: pd.DataFrame, metric: str) -> go.Figure:
    """One metric of both probes, letter by letter: ``method, letter, value, low, high``."""
    table = table[(table["metric"] == metric) & (table["letter"] != "mean")]
    order = table[table["method"] == "LR probe"].sort_values("value", ascending=False)["letter"]
    fig = theme.figure("first letter", metric.upper() if metric in ("f1", "auroc") else metric)
    for method, (colour, symbol, _dash) in METHODS.items():
        rows = table[table["method"] == method].set_index("letter").loc[order].reset_index()
        fig.add_scatter(
            x=rows["letter"].str.upper(), y=rows["value"], error_y=theme.error_bars(rows), mode="markers",
            name=method, marker={"color": colour, "symbol": symbol, "size": 8},
            hovertemplate="%{x}: %{y:.3f}<extra>" + method + "</extra>",
        )  # fmt: skip
    fig.update_xaxes(type="category", tickfont={"size": 10})
    fig.update_yaxes(range=[0, 1.02])
    return fig


def scores_by_depth(table: pd.DataFrame, metrics: tuple[str, ...] = ("f1", "auroc")) -> go.Figure:
    """Means over letters against depth: ``method, depth, metric, value, low, high``."""
    fig = theme.figure("blocks applied (0 is the embedding)", "mean over letters", yaxis_range=[0, 1.02])
    for metric, width in zip(metrics, (2, 1), strict=True):
        for method, (colour, symbol, dash) in METHODS.items():
            rows = table[(table["metric"] == metric) & (table["method"] == method)].sort_values("depth")
            fig.add_scatter(
                x=rows["depth"], y=rows["value"], error_y=theme.error_bars(rows), mode="lines+markers",
                name=f"{method}, {metric.upper()}", line={"color": colour, "dash": dash, "width": width},
                marker={"symbol": symbol if metric == "f1" else f"{symbol}-open", "size": 7},
                hovertemplate="depth %{x}: %{y:.3f}<extra></extra>",
            )  # fmt: skip
    return fig

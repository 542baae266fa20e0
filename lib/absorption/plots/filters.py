"""The figure that explains filter and pattern."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from absorption.plots import theme

LENGTH = 3.0
"""Arrows are drawn this many times as long as the unit vectors."""


def filter_and_pattern(points: pd.DataFrame, arrows: pd.DataFrame) -> go.Figure:
    """Two kinds of points in the plane, and the directions fitted to them as arrows from their middle.

    Args:
        points: ``x, y, kind``.
        arrows: ``name, x, y``, unit vectors.
    """
    fig = theme.figure("x: along what the letter is written", "y: something that varies with x", height=460)
    for (kind, rows), colour, symbol in zip(
        points.groupby("kind", sort=False), (theme.BLUE, theme.GREY), theme.SYMBOLS, strict=False
    ):
        fig.add_scatter(
            x=rows["x"], y=rows["y"], mode="markers", name=str(kind), hoverinfo="skip",
            marker={"color": colour, "symbol": symbol, "size": 5, "opacity": 0.4},
        )  # fmt: skip
    middle = points[["x", "y"]].mean()
    for arrow, colour, dash in zip(
        arrows.itertuples(), (theme.RED, theme.GREEN, theme.ORANGE), theme.DASHES, strict=False
    ):
        ends = [[middle[axis], middle[axis] + LENGTH * getattr(arrow, axis)] for axis in ("x", "y")]
        fig.add_scatter(
            x=ends[0], y=ends[1], mode="lines+markers", name=str(arrow.name),
            line={"color": colour, "width": 3, "dash": dash},
            marker={"symbol": "arrow", "angleref": "previous", "size": [0, 16], "color": colour},
            hovertemplate=f"{arrow.name}: ({arrow.x:.2f}, {arrow.y:.2f})<extra></extra>",
        )  # fmt: skip
    fig.update_yaxes(scaleanchor="x")
    return fig

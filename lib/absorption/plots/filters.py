"""The figure that explains filter and pattern."""

from __future__ import annotations

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing

LENGTH = 3.0
"""Arrows are drawn this many times as long as the unit vectors."""
KINDS, ARROWS = (theme.BLUE, theme.GREY), (theme.RED, theme.GREEN, theme.ORANGE)


@drawing
def filter_and_pattern(points: pd.DataFrame, arrows: pd.DataFrame) -> Canvas:
    """Two kinds of points in the plane, and the directions fitted to them as arrows from their middle.

    Args:
        points: ``x, y, kind``.
        arrows: ``name, x, y``, unit vectors.
    """
    fig, ax = theme.axes("x: along what the letter is written", "y: something that varies with x", height=3.6)
    for (kind, rows), colour, symbol in zip(
        points.groupby("kind", sort=False), KINDS, theme.SYMBOLS, strict=False
    ):
        marks.points(ax, rows, "x", "y", name=str(kind), colour=colour, symbol=symbol, size=2.5, alpha=0.4)
    middle = points[["x", "y"]].mean()
    for (_, arrow), colour in zip(arrows.iterrows(), ARROWS, strict=False):
        ends = pd.DataFrame([middle, middle + LENGTH * arrow[["x", "y"]].astype(float)])
        look = {"colour": colour, "line": True, "ends": None, "linewidth": 2}
        marks.series(ax, ends, "x", "y", name=str(arrow["name"]), symbol="", **look)
        start, end = ((float(x), float(y)) for x, y in ends.to_numpy())
        head = {"arrowstyle": "-|>", "color": colour, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", xy=end, xytext=start, arrowprops=head)
    ax.set_aspect("equal", adjustable="datalim")
    return fig

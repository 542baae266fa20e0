"""Reads a figure back: where its marks are, how far its bars reach, what its axes are called.

The one place of the tests on figures that knows with which library figures are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedFormatter

from absorption.plots.theme import Drawing, Names

NAMELESS = "_nameless"
INTERVAL = "_interval of "


class Point(NamedTuple):
    """A mark, and the ends of its bars along either axis; None where it has none."""

    x: Any
    y: Any
    x_low: float | None = None
    x_high: float | None = None
    y_low: float | None = None
    y_high: float | None = None


@dataclass
class Panel:
    """One pair of axes."""

    x: str
    """Title of the x axis."""
    y: str
    series: dict[str, list[Point]] = field(default_factory=dict)
    """The marks, by name in the legend."""
    title: str = ""
    lines: list[tuple[str, float]] = field(default_factory=list)
    """Lines across the panel: the axis on which they stand, and where."""
    spans: list[tuple[str, float, float]] = field(default_factory=list)
    """Shaded ranges across the panel: the axis, from, to."""
    bands: list[tuple[float, float, float]] = field(default_factory=list)
    """Shaded intervals: x, low, high."""
    cells: dict[tuple[str, str], float] = field(default_factory=dict)
    """A heatmap's values, by the names of row and column."""
    order: list[str] | None = None
    """Names along the axis of categories from left to right (top to bottom); expected ones may be None: any order."""
    ticks: dict[float, str] | None = None
    """Names written at places of the numeric axis that has any; expected ones may be None: any."""


def points(
    table: pd.DataFrame,
    x: str,
    y: str,
    *,
    x_ends: tuple[str, str] | None = None,
    y_ends: tuple[str, str] | None = None,
) -> list[Point]:
    """What a figure should show of a table: a mark a row, with the columns that give bars their ends."""
    return [
        Point(row[x], row[y], *(row[n] for n in x_ends or ()), *([] if x_ends else [None, None]),
              *(row[n] for n in y_ends or ()))
        for row in table.to_dict("records")
    ]  # fmt: skip


def assert_shows(drawn: Drawing, expected: list[Panel]) -> None:
    """Every mark, bar, line, cell and title of the figure is an expected one, none is missing, none is cut off."""
    assert isinstance(drawn, Drawing)
    found = panels(drawn.figure)
    names = dict.fromkeys(name for one in found for name in one.series if name)
    assert legend(drawn.figure) == sorted(names, key="null".__eq__), (
        "the order in which they are drawn, nulls last"
    )
    for ax in _axes(drawn.figure):
        _assert_within(ax)
    assert [(one.x, one.y, one.title) for one in found] == [(one.x, one.y, one.title) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert set(one.series) == set(other.series)
        for name, marks in other.series.items():
            _assert_alike(one.series[name], marks)
        _assert_alike(one.lines, other.lines)
        _assert_alike(one.spans, other.spans)
        _assert_alike(one.bands, other.bands)
        assert one.cells == pytest.approx(other.cells, nan_ok=True)
        assert other.order is None or one.order == other.order
        assert other.ticks is None or one.ticks == pytest.approx(other.ticks)


def _assert_alike(found: list[Any], expected: list[Any]) -> None:
    """The same rows in any order; numbers to rounding."""
    ordered = [sorted(map(tuple, rows), key=_rank) for rows in (found, expected)]
    assert len(found) == len(expected), (ordered[0], ordered[1])
    for one, other in zip(*ordered, strict=True):
        for mine, wanted in zip(one, other, strict=False):
            exact = isinstance(wanted, str) or wanted is None
            assert mine == (wanted if exact else pytest.approx(wanted, abs=1e-9)), (one, other)


def _rank(row: tuple) -> list:
    return [
        (isinstance(v, str), v if isinstance(v, str) else -np.inf if v is None else round(v, 9)) for v in row
    ]


def panels(drawn: Drawing | Figure) -> list[Panel]:
    """The figure's panels, row by row from the left."""
    fig = drawn.figure if isinstance(drawn, Drawing) else drawn
    return [_panel(fig, ax) for ax in _axes(fig)]


def drawn_series(drawn: Drawing) -> dict[str, tuple[list[Any], list[Any]]]:
    """Places along x and y of every series of a figure with one panel, by name."""
    (panel,) = panels(drawn)
    return {
        name: ([mark.x for mark in marks], [mark.y for mark in marks]) for name, marks in panel.series.items()
    }


def legend(fig: Figure) -> list[str]:
    """Names in the legend, in order."""
    return [text.get_text() for one in fig.legends for text in one.get_texts()]


def _axes(fig: Figure) -> list[Axes]:
    """Panels, without the scales of heatmaps and without empty ones that are switched off."""
    return [ax for ax in fig.axes if ax.get_label() != "<colorbar>" and ax.axison]


def _panel(fig: Figure, ax: Axes) -> Panel:
    found = Panel(_title(fig, ax, "x"), _title(fig, ax, "y"), title=_plain(ax.get_title()))
    for name, marks in _series(ax):
        found.series.setdefault(name, []).extend(marks)
    for line in ax.lines:
        if line.get_label() == "_rule":
            (x, y), (other_x, _) = np.asarray(line.get_xydata())
            found.lines.append(("x", float(x)) if x == other_x else ("y", float(y)))
    for patch in ax.patches:
        if isinstance(patch, Rectangle) and patch.get_label() == "_span":
            found.spans.append(("x", patch.get_x(), patch.get_x() + patch.get_width()))
    for one in ax.collections:
        if one.get_label() == "_band":
            found.bands += _band(one)
        if isinstance(one, QuadMesh):
            found.cells |= _cells(ax, one)
    found.order, found.ticks = _names(ax), _ticks(ax)
    return found


def _title(fig: Figure, ax: Axes, which: str) -> str:
    """The axis's own title, or that of the panel below or to the left that shares it, or that of all panels."""
    own = _axis_title(ax, which)
    sharing = [other for other in _axes(fig) if _shares(ax, other, which)]
    overall = fig.get_supxlabel() if which == "x" else fig.get_supylabel()
    return _plain(next(filter(None, [own, *(_axis_title(other, which) for other in sharing), overall]), ""))


def _axis_title(ax: Axes, which: str) -> str:
    return ax.get_xlabel() if which == "x" else ax.get_ylabel()


def _shares(ax: Axes, other: Axes, which: str) -> bool:
    joined = ax.get_shared_x_axes() if which == "x" else ax.get_shared_y_axes()
    mine, its = ax.get_subplotspec(), other.get_subplotspec()
    if ax is other or mine is None or its is None or not joined.joined(ax, other):
        return False
    return mine.colspan == its.colspan if which == "x" else mine.rowspan == its.rowspan


def _series(ax: Axes) -> Iterator[tuple[str, list[Point]]]:
    """Marks of scatter plots, lines and bars, with the intervals that stand at them."""
    names = {axis: _categories(ax, axis) for axis in ("x", "y")}
    for label, places in _places(ax):
        bars = [bar for one in ax.collections for bar in _intervals(one, label)]
        yield (
            "" if label == NAMELESS else label,
            [
                Point(
                    _place_of(x, names["x"]),
                    _place_of(y, names["y"]),
                    *_ends(x, y, bars, 0),
                    *_ends(x, y, bars, 1),
                )
                for x, y in places
            ],
        )


def _places(ax: Axes) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    for one in ax.get_children():
        if isinstance(one, Line2D) and _is_series(one.get_label()):
            yield str(one.get_label()), _pairs(one.get_xydata())
        if isinstance(one, PathCollection) and _is_series(one.get_label()):
            yield str(one.get_label()), _pairs(one.get_offsets())
    for bars in ax.containers:
        label = str(bars.get_label())
        sideways = getattr(bars, "orientation", "vertical") == "horizontal"
        places = [
            (bar.get_width(), bar.get_y() + bar.get_height() / 2) if sideways
            else (bar.get_x() + bar.get_width() / 2, bar.get_height())
            for bar in bars
        ]  # fmt: skip
        yield (label if _is_series(label) else NAMELESS), places


def _is_series(label: object) -> bool:
    return label == NAMELESS or not str(label).startswith("_")


def _pairs(values: Any) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in np.asarray(values) if not np.isnan([x, y]).any()]


def _intervals(one: Any, label: str) -> list[np.ndarray]:
    name = "" if label == NAMELESS else label
    if not isinstance(one, LineCollection) or one.get_label() != INTERVAL + name:
        return []
    return [np.asarray(segment) for segment in one.get_segments()]


def _ends(x: float, y: float, bars: list[np.ndarray], along: int) -> tuple[float | None, float | None]:
    """Ends along one axis of the interval that lies at the mark; of several, of the one that contains it."""
    at, other = ((x, y), (y, x))[along]
    here = [
        (float(min(bar[:, along])), float(max(bar[:, along])))
        for bar in bars
        if np.ptp(bar[:, 1 - along]) < 1e-12 and abs(bar[0, 1 - along] - other) < 1e-9
    ]
    around = [(low, high) for low, high in here if low - 1e-9 <= at <= high + 1e-9]
    return next(iter([*around, *here]), (None, None))


def _place_of(value: float, names: list[str] | None) -> Any:
    return names[round(value)] if names else value


def _categories(ax: Axes, which: str) -> list[str] | None:
    """Names of an axis of categories; they stand at 0, 1, 2, ...."""
    formatter = (ax.xaxis if which == "x" else ax.yaxis).get_major_formatter()
    return [_plain(name) for name in formatter.seq] if isinstance(formatter, Names) else None


def _names(ax: Axes) -> list[str] | None:
    """Categories from the left, or from the top."""
    if names := _categories(ax, "x"):
        return names
    names = _categories(ax, "y")
    return names if names is None or ax.yaxis_inverted() else names[::-1]


def _ticks(ax: Axes) -> dict[float, str] | None:
    for axis in (ax.xaxis, ax.yaxis):
        formatter = axis.get_major_formatter()
        if (
            type(formatter) is FixedFormatter
            and ax.axison
            and not any(isinstance(c, QuadMesh) for c in ax.collections)
        ):
            places = [float(place) for place in axis.get_major_locator()()]
            return dict(zip(places, map(_plain, formatter.seq), strict=True))
    return None


def _band(one: Any) -> list[tuple[float, float, float]]:
    outline = pd.DataFrame(one.get_paths()[0].vertices, columns=["x", "y"]).groupby("x")["y"]
    ends = outline.agg(["min", "max"]).reset_index()
    return [(float(x), float(low), float(high)) for x, low, high in ends.to_numpy()]


def _cells(ax: Axes, mesh: QuadMesh) -> dict[tuple[str, str], float]:
    values = np.ma.filled(np.ma.asarray(mesh.get_array(), dtype=float), np.nan)
    rows, columns = (
        [label.get_text() for label in labels] for labels in (ax.get_yticklabels(), ax.get_xticklabels())
    )
    values = values.reshape(len(rows), len(columns))
    assert ax.yaxis_inverted(), "rows run from the top, as in the table"
    return {
        (row, column): float(values[i, j]) for i, row in enumerate(rows) for j, column in enumerate(columns)
    }


def _assert_within(ax: Axes) -> None:
    """No mark and no interval lies outside its axes, where it would be cut off."""
    for which, (low, high) in enumerate((sorted(ax.get_xlim()), sorted(ax.get_ylim()))):
        room = 1e-6 * (high - low)
        for name, marks in _places(ax):
            bars = [bar for one in ax.collections for bar in _intervals(one, name)]
            reached = [pair[which] for pair in marks] + [float(end) for bar in bars for end in bar[:, which]]
            assert all(low - room <= end <= high + room for end in reached), (name, reached, low, high)


def _plain(text: Any) -> str:
    return " ".join(str(text).split())

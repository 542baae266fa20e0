"""Reads a figure back: where its marks are, how far its bars reach, what its axes are called.

The one place of the tests on figures that knows with which library figures are drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

OVERALL: dict[str, Callable[[Any], bool]] = {
    "x": lambda note: note.y == 0 and note.yanchor == "top",
    "y": lambda note: note.textangle == -90,
}
"""How a title of all panels together is told from a panel's own: by where it stands."""


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


def assert_shows(fig: Any, expected: list[Panel]) -> None:
    """Every mark, bar, line, cell and title of the figure is an expected one, and none is missing."""
    found = panels(fig)
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


def panels(fig: Any) -> list[Panel]:
    """The figure's panels, row by row from the left."""
    layout, grouped = fig.layout, defaultdict(list)
    for trace in fig.data:
        grouped[trace.xaxis or "x", trace.yaxis or "y"].append(trace)
    ordered = sorted(grouped.items(), key=lambda item: int(item[0][0][1:] or 1))
    return [_panel(layout, x, y, traces) for (x, y), traces in ordered]


def _axis(layout: Any, name: str) -> Any:
    return layout[f"{name[0]}axis{name[1:]}"]


def _panel(layout: Any, x: str, y: str, traces: list[Any]) -> Panel:
    axes = {"x": _axis(layout, x), "y": _axis(layout, y)}
    found = Panel(_title(layout, axes, "x"), _title(layout, axes, "y"), title=_own_title(layout, axes))
    for trace in traces:
        if trace.type == "heatmap":
            found.cells |= _cells(trace)
        elif getattr(trace, "fill", None) == "toself":
            found.bands += _band(trace)
        else:
            found.series.setdefault(trace.name or "", []).extend(_marks(trace))
    for shape in layout.shapes:
        if shape.type == "line" and _belongs(shape, x, y):
            found.lines.append(("x", shape.x0) if shape.x0 == shape.x1 else ("y", shape.y0))
        if shape.type == "rect" and _belongs(shape, x, y):
            across = "x" if shape.yref.endswith("domain") else "y"
            found.spans.append((across, shape[f"{across}0"], shape[f"{across}1"]))
    names = [value for t in traces if t.type != "heatmap" for value in _column(t, "x") + _column(t, "y")]
    found.order = list(dict.fromkeys(_plain(name) for name in names if isinstance(name, str)))
    for axis in axes.values():
        if axis.ticktext:
            found.ticks = {at: _plain(text) for at, text in zip(axis.tickvals, axis.ticktext, strict=True)}
    return found


def _belongs(shape: Any, x: str, y: str) -> bool:
    return shape.xref.split()[0] == x and shape.yref.split()[0] == y


def _title(layout: Any, axes: dict[str, Any], which: str) -> str:
    """The axis's own title, or that of the panel which shares it (below, or to the left), or that of all panels."""
    own = axes[which].title.text
    if own:
        return _plain(own)
    other = "y" if which == "x" else "x"
    for name in layout:
        axis = layout[name]
        if name.startswith(f"{which}axis") and axis.title.text and axis.domain == axes[which].domain:
            partner = _axis(layout, axis.anchor or other)
            if (partner.domain or (0, 1))[0] < (axes[other].domain or (0, 1))[0]:
                return _plain(axis.title.text)
    overall = [n.text for n in layout.annotations if n.xref == n.yref == "paper" and OVERALL[which](n)]
    return _plain(overall[0]) if overall else ""


def _own_title(layout: Any, axes: dict[str, Any]) -> str:
    if not axes["x"].domain or not axes["y"].domain:
        return ""
    middle, top = sum(axes["x"].domain) / 2, axes["y"].domain[1]
    for note in layout.annotations:
        here = note.xref == note.yref == "paper" and note.yanchor == "bottom"
        if here and abs(note.x - middle) < 1e-6 and abs(note.y - top) < 1e-6:
            return _plain(note.text)
    return ""


def _plain(text: Any) -> str:
    for tag, by in (("<br>", " "), ("<b>", ""), ("</b>", "")):
        text = str(text).replace(tag, by)
    return text


def _column(trace: Any, name: str) -> list[Any]:
    return [] if trace[name] is None else list(trace[name])


def _marks(trace: Any) -> list[Point]:
    x, y = _column(trace, "x"), _column(trace, "y")
    ends = [_ends(values, trace[f"error_{name}"]) for name, values in (("x", x), ("y", y))]
    assert len(x) == len(y)
    return [
        Point(_place_of(a), _place_of(b), *along_x, *along_y)
        for a, b, along_x, along_y in zip(x, y, *ends, strict=True)
        if a is not None
    ]


def _place_of(value: Any) -> Any:
    return _plain(value) if isinstance(value, str) else float(value)


def _ends(values: list[Any], bars: Any) -> list[tuple[float | None, float | None]]:
    if bars.array is None:
        return [(None, None)] * len(values)
    below = bars.array if bars.symmetric is not False else bars.arrayminus
    return [
        (float(value - low), float(value + high))
        for value, low, high in zip(values, below, bars.array, strict=True)
    ]


def _band(trace: Any) -> list[tuple[float, float, float]]:
    """The outline runs along the upper ends and back along the lower ones."""
    n = len(trace.x) // 2
    assert list(trace.x[:n]) == list(trace.x[n:])[::-1]
    return list(zip(trace.x[:n], list(trace.y[n:])[::-1], trace.y[:n], strict=True))


def _cells(trace: Any) -> dict[tuple[str, str], float]:
    return {
        (str(row), str(column)): float(trace.z[i][j])
        for i, row in enumerate(trace.y)
        for j, column in enumerate(trace.x)
    }

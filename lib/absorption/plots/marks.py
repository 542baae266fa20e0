"""What figures are drawn with: values with the intervals of their table, nulls, bands, rules, heatmaps.

Seaborn draws the marks. The intervals are the table's: seaborn would make its own from raw rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from absorption.plots import theme

ENDS = ("low", "high")
NULL = ("null", "null_low", "null_high")
"""Columns of a rate's null: what the definition finds under directions that are not the letter's."""
INTERVAL = "_interval of "
"""Begins the hidden label of intervals, before the name of their series."""
DODGE = 0.66
"""Marks of one category stand side by side within this share of its place."""


def groups(
    ax: Axes,
    rows: pd.DataFrame,
    at: str,
    value: str,
    by: str = "",
    *,
    order: list[str] | None = None,
    ends: tuple[str, str] | None = ENDS,
    sideways: bool = False,
    line: bool = False,
    null: bool = False,
    named: Callable[[Any], str] = str,
    looks: Mapping[Any, tuple[str, str]] | None = None,
    **mark: Any,
) -> None:
    """A value against a column, a series for each group, with the table's intervals.

    Args:
        ax: where.
        rows: the table.
        at: column of the places: numbers, or names of categories if ``order`` is given.
        value: column of the values.
        by: column of the groups; empty: one series without a name.
        order: the categories, from the left, or from the top; groups stand side by side in them.
        ends: columns of the intervals' ends; None: no intervals.
        sideways: values run along x.
        line: join a group's marks, sorted by place.
        null: draw the rows' nulls too.
        named: a group's name in the legend.
        looks: colour and symbol by group; by default in the order of the rows.
        mark: what ``series`` takes besides.
    """
    found = list(dict.fromkeys(rows[by])) if by else [""]
    looks = looks or theme.looks(found)
    places = theme.categories(ax, order, sideways=sideways) if order is not None else None
    for number, name in enumerate(found):
        mine = rows[rows[by] == name] if by else rows
        shift = 0.0
        if places is not None:
            mine = mine[mine[at].isin(places)].assign(**{at: lambda part: part[at].map(places).astype(float)})
            shift = DODGE * ((number + 0.5) / len(found) - 0.5) if len(found) > 1 else 0.0
        mine = mine.assign(**{at: mine[at] + shift}) if shift else mine
        if null and NULL[0] in mine:
            nulls(ax, mine, at, sideways=sideways)
        if line:
            mine = mine.sort_values(at)
        colour, symbol = looks[name]
        how = {"ends": ends, "sideways": sideways, "line": line, "name": named(name), **mark}
        series(ax, mine, at, value, colour=colour, symbol=symbol, **how)


def against_l0(ax: Axes, rows: pd.DataFrame, value: str) -> None:
    """One value of SAEs, with its ends in ``_low`` and ``_high``, against L0 over d_model, a line a width."""
    groups(
        ax, rows.sort_values("d_sae"), "l0_share", value, "d_sae", line=True,
        ends=(f"{value}_low", f"{value}_high"), named=lambda width: f"{width:,.0f} latents",
    )  # fmt: skip
    theme.share_axis(ax)


def series(
    ax: Axes,
    rows: pd.DataFrame,
    at: str,
    value: str,
    *,
    name: str = "",
    colour: str = theme.BLUE,
    symbol: str = "o",
    ends: tuple[str, str] | None = ENDS,
    sideways: bool = False,
    line: bool = False,
    dash: Any = "-",
    size: float = 3.6,
    **mark: Any,
) -> None:
    """Marks of one series, with intervals; ``line`` joins them; ``symbol`` empty: a bare line."""
    x, y = (value, at) if sideways else (at, value)
    if ends and len(rows):
        _bars(ax, rows, at, value, ends, sideways, INTERVAL + name, color=colour, linewidth=0.8)
    hidden = "\u200b" if name.startswith("_") else ""  # matplotlib leaves names with "_" out of legends
    label = hidden + name or "_nameless"
    shared = {"x": x, "y": y, "ax": ax, "color": colour, "label": label, "legend": False}
    with _titles_of(ax):
        if line:
            look = {"marker": symbol or None, "markersize": size, "markeredgewidth": 0, "linestyle": dash}
            sns.lineplot(rows, estimator=None, errorbar=None, sort=False, **shared | look | mark)
        else:
            look = {"marker": symbol, "s": size**2 * 1.2, "linewidth": 0}
            sns.scatterplot(rows, **shared | look | mark)


def nulls(ax: Axes, rows: pd.DataFrame, at: str, *, sideways: bool = False) -> None:
    """The nulls of some rates in grey: a stroke at the mean, a bar over 95% of draws."""
    rows = rows.dropna(subset=[NULL[0]])
    if rows.empty:
        return
    x, y = (NULL[0], at) if sideways else (at, NULL[0])
    grey = {"color": theme.GREY, "alpha": 0.45, "linewidth": 3}
    _bars(ax, rows, at, NULL[0], NULL[1:], sideways, INTERVAL + "null", **grey)
    look = {"color": theme.GREY, "marker": "|" if sideways else "_", "s": 26, "linewidth": 1}
    with _titles_of(ax):
        sns.scatterplot(rows, x=x, y=y, ax=ax, label="null", legend=False, **look)


def points(ax: Axes, rows: pd.DataFrame, x: str, y: str, **how: Any) -> None:
    """Marks without intervals; thousands of them are kept as one picture, so that a page stays small."""
    series(ax, rows, x, y, ends=None, rasterized=len(rows) > 500, **how)


def cross(
    ax: Axes, rows: pd.DataFrame, x: str, y: str, *, name: str, look: tuple[str, str], **mark: Any
) -> None:
    """Marks with an interval along either axis, in columns that end in ``_low`` and ``_high``."""
    _bars(ax, rows, y, x, (f"{x}_low", f"{x}_high"), True, INTERVAL + name, color=look[0], linewidth=0.8)
    ends = (f"{y}_low", f"{y}_high")
    series(ax, rows, x, y, name=name, colour=look[0], symbol=look[1], ends=ends, **mark)


def band(ax: Axes, rows: pd.DataFrame, at: str, colour: str, ends: tuple[str, str] = ENDS) -> None:
    """A shaded interval along a line."""
    ax.fill_between(rows[at], rows[ends[0]], rows[ends[1]], color=colour, alpha=0.15, lw=0, label="_band")


def rule(
    ax: Axes, *, x: float | None = None, y: float | None = None, text: str = "", colour: str = theme.GREY,
    dash: Any = ":",
) -> None:  # fmt: skip
    """A line across a panel at one value, named beside it."""
    look: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": 0.9, "label": "_rule"}
    if y is not None:
        ax.axhline(y, **look)
        _note(ax, text, (1.0, y), ax.get_yaxis_transform(), "right", colour)
    if x is not None:
        ax.axvline(x, **look)
        _note(ax, text, (x, 1.0), ax.get_xaxis_transform(), "center", colour)


def diagonal(ax: Axes, values: pd.DataFrame, name: str = "equal") -> None:
    """The line on which both axes are equal, from the smallest of the values to the largest."""
    ends = [values.to_numpy().min(), values.to_numpy().max()]
    look: dict[str, Any] = {"colour": theme.GREY, "symbol": "", "line": True, "dash": ":"}
    series(ax, pd.DataFrame({"x": ends, "y": ends}), "x", "y", name=name, ends=None, **look)


def heatmap(
    ax: Axes, wide: pd.DataFrame, *, low: float, high: float, colours: Any, title: str, written: bool = True
) -> None:
    """Cells, with their values written in or not; rows from the top, as in the table; missing cells stay empty."""
    values = wide.mask(wide.abs() < 0.005, 0.0)  # no "-0.00"
    sns.heatmap(
        values, ax=ax, vmin=low, vmax=high, cmap=colours, annot=written, fmt=".2f", annot_kws={"size": 6},
        xticklabels=True, yticklabels=True, rasterized=wide.size > 200,
        cbar_kws={"label": title, "shrink": 0.8, "aspect": 25},
    )  # fmt: skip
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.set(xlabel="", ylabel="")


def _bars(
    ax: Axes, rows: pd.DataFrame, at: str, value: str, ends: tuple[str, str] | tuple[str, ...], sideways: bool,
    label: str, **look: Any,
) -> None:  # fmt: skip
    """From the low end to the high one, as the table has them."""
    unknown = rows[list(ends)].isna().any(axis=1)
    for place in rows.loc[unknown & rows[value].notna(), at]:
        _tell_unknown(ax, label.removeprefix(INTERVAL), place, sideways)
    known = rows[~unknown]
    draw = ax.hlines if sideways else ax.vlines
    draw(known[at], known[ends[0]], known[ends[1]], label=label, zorder=1.8, **look)


def _tell_unknown(ax: Axes, name: str, place: Any, sideways: bool) -> None:
    """Keep for the caption that a value stands without its interval."""
    formatter = (ax.yaxis if sideways else ax.xaxis).get_major_formatter()
    where = str(formatter.seq[round(place)]) if isinstance(formatter, theme.Names) else f"{place:g}"
    theme.canvas(ax).unknown.append(" at ".join(filter(None, [name, where.replace("\n", " ")])))


def _note(ax: Axes, text: str, where: tuple[float, float], transform: Any, side: str, colour: str) -> None:
    if text:
        ink = theme.INK if colour == theme.GREY else colour
        ax.text(*where, text, transform=transform, ha=side, va="bottom", color=ink, fontsize=6.5)


@contextmanager
def _titles_of(ax: Axes) -> Iterator[None]:
    """Seaborn names axes after columns; here their titles are the figure's."""
    titles = {"xlabel": ax.get_xlabel(), "ylabel": ax.get_ylabel()}
    yield
    ax.set(**titles)

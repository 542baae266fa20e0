"""Figures of the chapter on scaling: error by latents and L0, dead latents, other numbers of latents, shrinkage."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from absorption.plots import marks, theme
from absorption.plots.theme import GREY, Canvas, drawing

LATENTS = "latents of the SAE"
UNEXPLAINED = "share of variance unexplained"
LEFT_OUT = "log of predicted over measured error"
RECOVERED = "cross-entropy recovered"
RATIO = "refined over original activations"


@drawing
def law(points: pd.DataFrame, curves: pd.DataFrame) -> Canvas:
    """Error against the number of latents, a series an L0, and the fitted law as lines.

    Args:
        points: ``d_sae, k, value, low, high``.
        curves: ``k, d_sae, value``; no rows: no law was fitted.
    """
    fig, ax = theme.axes(LATENTS, UNEXPLAINED, height=3.6)
    looks = _by_k(ax, points)
    for k, rows in curves.groupby("k"):
        line = {"colour": looks[k][0], "symbol": "", "ends": None, "line": True}
        marks.series(ax, rows, "d_sae", "value", name="the law", **line)
    _log_widths(ax, points["d_sae"])
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    theme.ticks(
        ax, {place / 10: f"{place / 10:g}" for place in range(1, 11) if low < place / 10 < high}, which="y"
    )
    return fig


@drawing
def left_out(table: pd.DataFrame) -> Canvas:
    """How far the law, fitted without an SAE, lies from its error, a panel for each way of leaving out.

    Args:
        table: ``d_sae, k, kind, value, low, high``.
    """
    kinds = list(dict.fromkeys(table["kind"]))
    fig, grid = theme.panels(len(kinds), height=1.9, sharex=True)
    for ax, kind in zip(grid, kinds, strict=True):
        ax.set_title(kind, pad=3)
        _by_k(ax, table[table["kind"] == kind], theme.looks(sorted(table["k"].unique())))
        marks.rule(ax, y=0.0)
        ax.set_ylabel("")
        _log_widths(ax, table["d_sae"])
    grid[-1].set_xlabel(LATENTS)
    fig.supylabel(LEFT_OUT, fontsize=7.5)
    return fig


@drawing
def dead(course: pd.DataFrame) -> Canvas:
    """Share of dead latents over training, a line a run.

    Args:
        course: ``run, tokens, value``.
    """
    fig, ax = theme.axes("million tokens trained on", "share of latents dead", height=3.2)
    rows = course.assign(tokens=course["tokens"] / 1e6)
    marks.groups(ax, rows, "tokens", "value", "run", line=True, ends=None, size=2.4)
    theme.percent(ax)
    theme.from_zero(ax)
    return fig


@drawing
def kept(table: pd.DataFrame) -> Canvas:
    """Error against the number of latents kept at test time, a line an SAE.

    Args:
        table: ``sae, kept, value, low, high``.
    """
    fig, ax = theme.axes("latents kept", UNEXPLAINED, height=3.6)
    marks.groups(ax, table, "kept", "value", "sae", line=True)
    ax.set_xscale("log")
    theme.ticks(ax, {float(k): str(k) for k in sorted(table["kept"].unique())})
    theme.percent(ax)
    theme.from_zero(ax)
    return fig


@drawing
def shrinkage(table: pd.DataFrame) -> Canvas:
    """Refined over original activations, a row an SAE, with intervals.

    Args:
        table: ``sae, architecture, value, low, high``.
    """
    names = list(table["sae"])
    fig, ax = theme.axes(RATIO, height=1.2 + 0.2 * len(names))
    marks.groups(ax, table, "sae", "value", order=names, sideways=True)
    theme.categories(ax, names, sideways=True, width=32)  # two lines at most: a row has room for no more
    marks.rule(ax, x=1.0)
    ax.tick_params(axis="y", labelsize=5.5)
    return fig


@drawing
def recovered(points: pd.DataFrame) -> Canvas:
    """Cross-entropy recovered against the number of latents, a series an L0.

    Args:
        points: ``d_sae, k, value, low, high``.
    """
    fig, ax = theme.axes(LATENTS, RECOVERED, height=3.2)
    _by_k(ax, points, line=True)
    _log_widths(ax, points["d_sae"])
    return fig


@drawing
def absorption(table: pd.DataFrame) -> Canvas:
    """Absorption rates against k and against n, a panel a definition and setting; other seeds as grey marks.

    Args:
        table: ``panel, size, definition, seed, value, low, high``; the lowest seed is the first.
    """
    return _by_size(table, "definition", "absorption rate", {})


@drawing
def quality(table: pd.DataFrame, baselines: Mapping[str, float]) -> Canvas:
    """Measures of quality against k and against n, a panel a measure and setting; other seeds as grey marks.

    Args:
        table: ``panel, size, measure, seed, value, low, high``; the lowest seed is the first.
        baselines: of some measures, drawn as lines.
    """
    return _by_size(table, "measure", "measure of quality", baselines)


def _by_size(table: pd.DataFrame, by: str, named: str, lines: Mapping[str, float]) -> Canvas:
    panels, rows_of = (list(dict.fromkeys(table[column])) for column in ("panel", by))
    fig, grid = theme.panels(len(rows_of), len(panels), height=1.5, sharey="row")
    cells = [(row, panel) for row in rows_of for panel in panels]
    for ax, (row, panel) in zip(grid, cells, strict=True):
        ax.set_title(f"{row}, {panel}", pad=3, fontsize=6)
        rows = table[(table[by] == row) & (table["panel"] == panel)]
        first = rows["seed"] == table["seed"].min()
        others = {"colour": GREY, "symbol": "D", "name": "other seeds", "size": 2.6}
        marks.series(ax, rows[first], "size", "value", name="first seed", line=True)
        marks.series(ax, rows[~first], "size", "value", **others)
        if row in lines:
            marks.rule(ax, y=lines[row])
        ax.set_xscale("log")
        theme.ticks(ax, {float(size): f"{size:,}" for size in sorted(rows["size"].unique())}, fontsize=5.5)
        ax.set(xlabel="", ylabel="")
    fig.supxlabel("active latents a token (left), latents (right)", fontsize=7.5)
    fig.supylabel(named, fontsize=7.5)
    return fig


def _by_k(ax: Axes, rows: pd.DataFrame, looks: dict | None = None, *, line: bool = False) -> dict:
    looks = looks or theme.looks(sorted(rows["k"].unique()))
    ordered = rows.sort_values(["k", "d_sae"])
    marks.groups(ax, ordered, "d_sae", "value", "k", looks=looks, line=line, named=lambda k: f"k = {k}")
    return looks


def _log_widths(ax: Axes, widths: pd.Series) -> None:
    ax.set_xscale("log")
    theme.ticks(ax, {float(width): f"{width:,}" for width in sorted(widths.unique())})
    ax.xaxis.set_minor_locator(NullLocator())

"""Figures of the chapters that test the definitions on planted truth: tables in, figures out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import GREY, Canvas, drawing

SIZES, WIDTHS = (6.0, 4.4, 2.8), (3.0, 1.8, 0.8)
"""Markers and lines of the three definitions, largest first: equal values lie on top of each other."""
LOG_FROM = 1e-5
"""Smallest false-positive rate drawn on a logarithmic axis."""


@drawing
def found_and_fooled(table: pd.DataFrame) -> Canvas:
    """Recall where words were made to absorb, share wrongly called absorbed where they were not.

    Args:
        table: from ``planted.study.scores``, with ``case``, ``definition``, ``recall``, ``false_rate`` and their ends.
    """
    panels = {
        "recall": ("absorbing: share of the absorbed words found", table[table["n_true"] > 0]),
        "false_rate": ("not absorbing: share of the words called absorbed", table[table["n_true"] == 0]),
    }
    fig, grid = theme.panels(2, height=2.6)
    for ax, (column, (title, rows)) in zip(grid, panels.items(), strict=True):
        ax.set_title(title, pad=3)
        look = {"order": list(dict.fromkeys(rows["case"])), "sideways": True, "looks": _looks(table)}
        marks.groups(ax, rows, "case", column, "definition", ends=_ends(column), **look)
        theme.from_zero(ax, "x")
    grid[0].set_xlim(-0.03, 1.03)
    return fig


@drawing
def found_by_silence(table: pd.DataFrame) -> Canvas:
    """Share of the words made to absorb that a definition finds, a panel a definition, a colour a rule of silence.

    Args:
        table: as ``study.scores`` gives it, with ``silence``; cases in which no word absorbs are left out.
    """
    rows = table[table["n_true"] > 0]
    order, looks = list(dict.fromkeys(rows["case"])), theme.looks(table["silence"])
    by_definition = list(rows.groupby("definition", sort=False))
    fig, grid = theme.panels(len(by_definition), height=0.7 + 0.36 * len(order))
    for ax, (definition, mine) in zip(grid, by_definition, strict=True):
        ax.set_title(f"{definition}: share of the absorbed words found", pad=3)
        look = {"order": order, "sideways": True, "looks": looks, "size": 3}
        marks.groups(ax, mine, "case", "recall", "silence", ends=_ends("recall"), **look)
        ax.set_xlim(-0.03, 1.03)
    return theme.shows(fig, rows)


@drawing
def sweeps(table: pd.DataFrame, titles: dict[str, tuple[str, str]]) -> Canvas:
    """One panel a factor: recall (or false rate) of each definition against it.

    Args:
        table: from ``chapters.metric.sweep``.
        titles: factor -> (column drawn, its title).
    """
    fig, grid = theme.panels(len(titles), height=2.1)
    for ax, (factor, (column, title)) in zip(grid, titles.items(), strict=True):
        ax.set_title(theme.wrapped([title], 55)[0], pad=3)
        rows = table[table["factor"] == factor]
        _on_each_other(ax, rows, column, table)
        if factor in ("strength", "small half"):
            ax.set_xscale("log")
            theme.ticks(ax, {value: f"{value:g}" for value in sorted(rows["setting"].unique())})
    return fig


@drawing
def thresholds(table: pd.DataFrame) -> Canvas:
    """Precision and recall as one threshold at a time moves, a row a threshold.

    Args:
        table: from ``chapters.metric.sensitivity``.
    """
    cells = [
        (name, column) for name in dict.fromkeys(table["threshold"]) for column in ("recall", "precision")
    ]
    fig, grid = theme.panels(len(cells) // 2, 2, height=1.5)
    for ax, (name, column) in zip(grid, cells, strict=True):
        ax.set_title(theme.wrapped([f"{column}: {name}"], 28)[0], pad=3)
        _on_each_other(ax, table[table["threshold"] == name], column, table)
        ax.set_ylim(-0.05, 1.05)
    return fig


@drawing
def roc(table: pd.DataFrame, *, log: bool = False) -> Canvas:
    """ROC curves of several scores with the line of chance.

    Args:
        table: from ``toy.roc.curves``.
        log: logarithmic false-positive rate: where true pairs are rare, only its left end matters.
    """
    fig, ax = theme.axes(
        "share of the other pairs ranked as high", "share of the absorbing pairs found", height=3.6
    )
    looks = theme.looks(table["score"])
    for number, (score, rows) in enumerate(table.groupby("score", sort=False)):
        part = rows[rows["false_rate"] >= LOG_FROM] if log else rows
        look: dict[str, Any] = {"colour": looks[score][0], "symbol": "", "dash": "-" if number < 3 else "--"}
        marks.series(ax, part, "false_rate", "true_rate", name=str(score), ends=None, line=True, **look)
    at = [LOG_FROM, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 1] if log else [0, 1]
    chance = pd.DataFrame({"x": at, "y": at})
    dotted = {"colour": GREY, "symbol": "", "dash": ":", "ends": None, "line": True}
    marks.series(ax, chance, "x", "y", name="chance", **dotted)
    if log:
        ax.set_xscale("log")
        theme.ticks(ax, {place: f"{place:g}" for place in (LOG_FROM, 1e-4, 1e-3, 1e-2, 0.1, 1)})
    ax.set_ylim(-0.02, 1.02)
    return fig


@drawing
def areas(table: pd.DataFrame) -> Canvas:
    """Area under the ROC curve and average precision of every score, a colour for each set of pairs.

    Args:
        table: from ``toy.roc.areas``, with ``pairs`` naming the set.
    """
    titles = {
        "auc": "area under the ROC curve\n(chance: 0.5)",
        "precision": "average precision\n(chance: base rate)",
    }
    order, looks = list(dict.fromkeys(table["score"])), theme.looks(table["pairs"])
    fig, grid = theme.panels(2, height=0.8 + 0.3 * len(order))
    for ax, (column, title) in zip(grid, titles.items(), strict=True):
        ax.set_title(title, pad=3)
        look = {"order": order, "sideways": True, "looks": looks}
        marks.groups(ax, table, "score", column, "pairs", ends=_ends(column), **look)
        for pairs, rows in table.groupby("pairs", sort=False):
            chance = 0.5 if column == "auc" else float(rows["base_rate"].iloc[0])
            marks.rule(ax, x=chance, colour=looks[pairs][0])
        ax.set_xlim(-0.03, 1.03)
    return fig


@drawing
def precision_at(table: pd.DataFrame) -> Canvas:
    """Share of labelled pairs among the first k, with the base rate.

    Args:
        table: from ``toy.roc.precision_at``.
    """
    fig, ax = theme.axes("first k pairs", "share that the labelled metric confirms")
    marks.series(ax, table, "k", "precision", name="by score", ends=None, line=True)
    dotted = {"colour": GREY, "symbol": "", "dash": ":", "ends": None, "line": True}
    marks.series(ax, table, "k", "base_rate", name="base rate", **dotted)
    ax.set_xscale("log")
    theme.ticks(ax, {k: f"{k:g}" for k in table["k"]})
    theme.from_zero(ax)
    return fig


def _looks(table: pd.DataFrame) -> dict[Any, tuple[str, str]]:
    return theme.looks(table["definition"])


def _ends(column: str) -> tuple[str, str]:
    return f"{column}_low", f"{column}_high"


def _on_each_other(ax: theme.Axes, rows: pd.DataFrame, column: str, table: pd.DataFrame) -> None:
    """Lines of the definitions, each thinner than the one under it, so that equal ones are all seen."""
    looks = _looks(table)
    for number, definition in enumerate(looks):
        mine = rows[rows["definition"] == definition]
        if len(mine):
            one = {"line": True, "size": SIZES[number % 3], "linewidth": WIDTHS[number % 3]}
            marks.groups(ax, mine, "setting", column, "definition", ends=_ends(column), looks=looks, **one)

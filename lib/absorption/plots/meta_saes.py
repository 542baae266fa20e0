"""Figures of the chapter on meta-SAEs: what they explain, what they resemble, and whether they hold the letter."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing

COLUMNS = 2


@drawing
def explained(table: pd.DataFrame) -> Canvas:
    """Share of the decoder's variance that each kind of direction explains, a series a number of meta-latents.

    Args:
        table: ``meta_latents, directions, value, low, high``.
    """
    order = list(dict.fromkeys(table["directions"]))
    fig, ax = theme.axes("share of the decoder's variance explained", height=0.9 + 0.38 * len(order))
    marks.groups(ax, table, "directions", "value", "meta_latents", order=order, sideways=True)
    theme.from_zero(ax, "x")
    theme.percent(ax, "x")
    return fig


@drawing
def matches(curves: pd.DataFrame) -> Canvas:
    """How many directions have a latent of a smaller SAE as near as each cosine, a panel a smaller SAE.

    Args:
        curves: ``panel, kind, cosine, share``.
    """
    names = list(dict.fromkeys(curves["panel"]))
    looks = theme.looks(curves["kind"])
    fig, grid = theme.panels(-(-len(names) // COLUMNS), COLUMNS, height=1.7, sharex=True, sharey=True)
    for ax, name in zip(grid, names, strict=False):
        ax.set_title("\n".join(theme.wrapped([name], 24)), pad=3)
        for kind, rows in curves[curves["panel"] == name].groupby("kind", sort=False):
            line = {"colour": looks[kind][0], "symbol": "", "ends": None, "line": True}
            marks.series(ax, rows, "cosine", "share", name=str(kind), **line)
        theme.percent(ax)
    for ax in grid[len(names) :]:
        ax.set_axis_off()
    fig.supxlabel("largest decoder cosine with the smaller SAE, at least", fontsize=7.5)
    fig.supylabel("share of directions", fontsize=7.5)
    return fig


@drawing
def recovered(table: pd.DataFrame) -> Canvas:
    """Share of latents that have a meta-latent of their letter: a panel a number of meta-latents, a series a group.

    Args:
        table: ``meta_latents, judge, group, value, low, high``.
    """
    fig, grid = _by_group(table, "judge", "share of latents with a meta-latent of their letter", 0.3)
    for ax in grid:
        ax.set_xlim(-0.02, 1.02)
    return fig


@drawing
def effect_parts(table: pd.DataFrame) -> Canvas:
    """Where the effect of a latent on the answer lies: a panel a number of meta-latents, a series a group of latents.

    Args:
        table: ``meta_latents, group, part, value, low, high``.
    """
    fig, grid = _by_group(table, "part", "effect of the part, over that of the whole latent", 0.26)
    for ax in grid:
        marks.rule(ax, x=0.0)
    return fig


def _by_group(table: pd.DataFrame, rows: str, said: str, height: float) -> tuple[Canvas, list[Axes]]:
    """Shares as dots along x: a panel a number of meta-latents, a row each of ``rows``, a series a group."""
    names, order = (list(dict.fromkeys(table[column])) for column in ("meta_latents", rows))
    looks = theme.looks(table["group"])
    fig, grid = theme.panels(len(names), height=0.9 + height * len(order), sharex=True)
    for ax, name in zip(grid, names, strict=True):
        ax.set_title(name, pad=3)
        mine = table[table["meta_latents"] == name]
        marks.groups(ax, mine, rows, "value", "group", order=order, sideways=True, looks=looks)
        theme.percent(ax, "x")
    grid[-1].set_xlabel(said)
    return fig, list(grid)


@drawing
def rates(table: pd.DataFrame) -> Canvas:
    """Mean rate of absorption before and after, a panel a definition, a series a choice of main latents.

    Args:
        table: ``parts, main, definition, value, low, high``.
    """
    names, order = (list(dict.fromkeys(table[column])) for column in ("definition", "parts"))
    looks = theme.looks(table["main"])
    fig, grid = theme.panels(len(names), height=0.9 + 0.26 * len(order))
    for ax, name in zip(grid, names, strict=True):
        ax.set_title(name, pad=3)
        mine = table[table["definition"] == name]
        marks.groups(ax, mine, "parts", "value", "main", order=order, sideways=True, looks=looks, named=_main)
        theme.from_zero(ax, "x")
    grid[-1].set_xlabel("mean rate over letters")
    return fig


def _main(name: str) -> str:
    return f"main latents {name}"

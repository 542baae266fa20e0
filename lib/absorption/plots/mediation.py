"""Figures of chapter 6: ablation mediation."""

from __future__ import annotations

from typing import Any

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing

MAIN_ON = {True: "a main latent is on", False: "all main latents are off"}
ON_LOOKS = {True: (theme.BLUE, "o"), False: (theme.RED, "D")}


@drawing
def shares(table: pd.DataFrame) -> Canvas:
    """Share of the whole state's effect that each part has, where a main latent is on and where none is.

    Args:
        table: ``main_on, part, share, low, high``, as ``parts_removed.both_shares`` gives it.
    """
    order = list(dict.fromkeys(table["part"]))
    rows = table.sort_values("main_on", ascending=False, kind="stable")
    fig, ax = theme.axes("share of the whole state's effect", height=1 + 0.36 * len(order))
    look = {"named": MAIN_ON.__getitem__, "looks": ON_LOOKS}
    marks.groups(ax, rows, "part", "share", "main_on", order=order, sideways=True, **look)
    marks.rule(ax, x=1, dash="--")
    return fig


@drawing
def letter_shares(table: pd.DataFrame, parts: list[str]) -> Canvas:
    """The same, letter by letter, for some parts.

    Args:
        table: ``letter, part, share, low, high``.
        parts: which to draw; letters are sorted by the first.
    """
    rows = theme.upper(table[table["part"].isin(parts)])
    order = list(rows[rows["part"] == parts[0]].sort_values("share", ascending=False)["letter"])
    rows = rows.sort_values("part", key=lambda names: names.map(parts.index), kind="stable")
    fig, ax = theme.axes("first letter", "share of the whole state's effect", height=3.4)
    marks.groups(ax, rows, "letter", "share", "part", order=order, size=3)
    marks.rule(ax, y=1, dash="--")
    return theme.shows(fig, rows)


@drawing
def curve(table: pd.DataFrame) -> Canvas:
    """Share of the effect of removing all latents, against the number removed, by order of removal.

    Args:
        table: ``order, n_latents, share, low, high``.
    """
    fig, ax = theme.axes("number of latents removed", "share of the effect of removing all of them")
    _banded(ax, table, "n_latents", "order", named=lambda order: f"by {order}")
    ax.set_xscale("log")
    theme.ticks(ax, {n: f"{n:,}" for n in sorted(table["n_latents"].unique())})
    return fig


@drawing
def estimates(points: pd.DataFrame, limit: int = 3000) -> Canvas:
    """Estimated against exact effect, a point a latent and word.

    Args:
        points: ``exact, estimated, word, latent``; of more than ``limit`` those with the largest effects.
        limit: points drawn.
    """
    both = points[["exact", "estimated"]]
    rows = points.loc[both.abs().max(axis=1).sort_values(ascending=False).index[:limit]]
    fig, ax = theme.axes("exact effect (logits)", "integrated gradients (logits)", height=3.4)
    marks.points(ax, rows, "exact", "estimated", name="latent on a word", size=2.2, alpha=0.5)
    marks.diagonal(ax, rows[["exact", "estimated"]])
    return theme.shows(fig, rows)


@drawing
def layers(table: pd.DataFrame, departure: float) -> Canvas:
    """Share of the metric lost when the word's token is changed at each depth.

    Args:
        table: ``depth, kind, share, low, high``.
        departure: the depth at which the word's token stops mattering.
    """
    fig, ax = theme.axes("depth (blocks applied)", "share of the metric lost")
    _banded(ax, table, "depth", "kind")
    if departure == departure:
        marks.rule(ax, x=departure, dash="--")
    return fig


EDIT_NAMES = {"p_own": "P(own letter)", "p_new": "P(new letter)", "edited": "answers edited"}


@drawing
def set_edits(rates: pd.DataFrame) -> Canvas:
    """Change of both letters' probabilities, and share of answers edited, a row an SAE, a symbol a strength.

    Args:
        rates: ``sae, strength, quantity, value, low, high``, as ``edit_tables.set_rates`` gives it.
    """
    mine = rates[rates["quantity"].isin(EDIT_NAMES)]
    names = mine["quantity"].map(EDIT_NAMES) + mine["strength"].map(", {:g} times the mean".format)
    strengths = sorted(mine["strength"].unique())
    colours = dict(zip(EDIT_NAMES, theme.PALETTE, strict=False))
    symbols = dict(zip(strengths, theme.SYMBOLS, strict=False))
    rows = mine.assign(name=names, rank=mine["quantity"].map(list(EDIT_NAMES).index))
    rows = rows.sort_values(["rank", "strength"], kind="stable")
    looks = {
        name: (colours[str(quantity)], symbols[strength])
        for name, quantity, strength in rows[["name", "quantity", "strength"]].itertuples(
            index=False, name=None
        )
    }
    order = list(dict.fromkeys(mine["sae"]))
    height = 1.8 + 0.12 * len(looks) * len(order)
    fig, ax = theme.axes("change of the probability; share of answers edited", height=height)
    marks.groups(ax, rows, "sae", "value", "name", order=order, sideways=True, looks=looks)
    marks.rule(ax, x=0, dash="--")
    return fig


@drawing
def edited_by_f1(by_letter: pd.DataFrame) -> Canvas:
    """Share of words edited against the F1 of the latent put in, a point a letter, a colour an SAE.

    Args:
        by_letter: ``sae, new, f1, edited, words``, as ``edit_tables.edited_by_letter`` gives it.
    """
    fig, ax = theme.axes("F1 of the latent put in", "answers that become the new letter", height=3.4)
    marks.groups(ax, by_letter, "f1", "edited", "sae", ends=None, alpha=0.7)
    theme.from_zero(ax)
    theme.percent(ax)
    return fig


@drawing
def edits(table: pd.DataFrame) -> Canvas:
    """Share of words whose answer becomes the target letter, by method, a colour an SAE.

    Args:
        table: ``sae, method, value, low, high``.
    """
    order = list(dict.fromkeys(table["method"]))
    fig, ax = theme.axes("answers that become the target letter", height=1.2 + 0.42 * len(order))
    marks.groups(ax, table, "method", "value", "sae", order=order, sideways=True)
    theme.from_zero(ax, "x")
    theme.percent(ax, "x")
    return fig


def _banded(ax: theme.Axes, table: pd.DataFrame, at: str, by: str, **names: Any) -> None:
    """Lines of shares with their intervals shaded."""
    looks = theme.looks(table[by])
    for name, rows in table.groupby(by, sort=False):
        marks.band(ax, rows.sort_values(at), at, looks[name][0])
    marks.groups(ax, table, at, "share", by, ends=None, line=True, looks=looks, **names)

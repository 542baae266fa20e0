"""Letter by letter: cosines and F1 (chapter 3), absorption rates (chapter 5)."""

from __future__ import annotations

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing

COLUMNS = 4


@drawing
def letters_against_l0(table: pd.DataFrame, title: str) -> Canvas:
    """A small panel for each letter, all on one scale.

    Args:
        table: ``letter, l0_share, value, low, high``, as ``recall_gap.f1_by_letter`` gives it, and of rates also
            ``null, null_low, null_high``, drawn in grey.
        title: what the value is.
    """
    by_letter = list(theme.upper(table).sort_values("l0_share").groupby("letter"))
    fig, grid = theme.panels(-(-len(by_letter) // COLUMNS), COLUMNS, height=0.85, sharex=True, sharey=True)
    for ax, (letter, rows) in zip(grid, by_letter, strict=False):
        ax.set_title(str(letter), pad=2)
        marks.groups(ax, rows, "l0_share", "value", line=True, null=True, size=2.5)
        ax.set_xscale("log")
        places = sorted(rows["l0_share"])
        theme.ticks(ax, {place: f"{place:.0%}" for place in (places[0], places[-1])}, fontsize=6)
        ax.tick_params(axis="y", labelsize=6)
    for ax in grid[len(by_letter) :]:
        ax.set_axis_off()
    for ax in grid[max(0, len(by_letter) - COLUMNS) : len(by_letter)]:
        ax.tick_params(labelbottom=True)  # the lowest of its column
    theme.from_zero(grid[0])
    fig.supxlabel(theme.L0_SHARE, fontsize=7.5)
    fig.supylabel(title, fontsize=7.5)
    return fig


@drawing
def cosines_by_letter(table: pd.DataFrame) -> Canvas:
    """Each letter's largest decoder cosines, a dot a latent; the largest is coloured.

    Args:
        table: ``letter, rank, latent, cosine``, as ``latents.cosines_by_letter`` gives it.
    """
    rows = theme.upper(table)
    fig, ax = theme.axes("probe of the letter", "decoder cosine")
    places = theme.categories(ax, list(dict.fromkeys(rows["letter"])))
    rows = rows.assign(place=rows["letter"].map(places))
    largest = rows["rank"] == 1
    marks.points(ax, rows[~largest], "place", "cosine", name="the next", colour=theme.GREY, size=2)
    marks.points(ax, rows[largest], "place", "cosine", name="the largest", colour=theme.RED, symbol="D")
    return fig

"""Figures of the chapter on stitching: latents of one SAE in another, and SAEs made of two."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.ticker import StrMethodFormatter

from absorption.plots import marks, theme
from absorption.plots.theme import BLUE, GREY, ORANGE, Canvas, drawing

CHANGE = "change of the squared error, over what the latent writes"
KIND_COLOURS = {"novel": BLUE, "similar": ORANGE}
FATE_LOOKS = {
    "kept": (BLUE, "o"), "split": (theme.GREEN, "s"), "narrower": (theme.SKY, "^"), "absorbed": (theme.RED, "D"),
    "gone": (GREY, "X"),
}  # fmt: skip
COLUMNS = 2


@drawing
def histograms(table: pd.DataFrame) -> Canvas:
    """How often each change of the error occurs, a panel a pair and a line a kind of latent.

    Args:
        table: ``pair, kind, change, share``.
    """
    names = list(dict.fromkeys(table["pair"]))
    fig, grid = theme.panels(-(-len(names) // COLUMNS), COLUMNS, height=1.5)
    for ax, name in zip(grid, names, strict=False):
        ax.set_title(name, pad=3)
        for kind, rows in table[table["pair"] == name].groupby("kind", sort=False):
            look = {"colour": KIND_COLOURS[str(kind)], "symbol": "", "ends": None, "line": True}
            marks.series(ax, rows, "change", "share", name=str(kind), **look)
        marks.rule(ax, x=0.0)
        theme.from_zero(ax)
        theme.percent(ax, decimals=1)
    for ax in grid[len(names) :]:
        ax.set_axis_off()
    fig.supxlabel(CHANGE, fontsize=7.5)
    fig.supylabel("share of latents", fontsize=7.5)
    return fig


@drawing
def against_cosine(table: pd.DataFrame, predicted: pd.DataFrame, threshold: float) -> Canvas:
    """Change of the error against the largest decoder cosine: medians with quartiles, and what theory says.

    Args:
        table: ``pair, cosine, value, low, high``.
        predicted: ``cosine, value``.
        threshold: the cosine that parts novel from similar.
    """
    fig, ax = theme.axes("largest decoder cosine with the smaller SAE", CHANGE, height=3.6)
    curve = {"colour": GREY, "symbol": "", "dash": ":", "ends": None, "line": True}
    marks.series(ax, predicted, "cosine", "value", name="one feature, one latent", **curve)
    marks.groups(ax, table, "cosine", "value", "pair", line=True)
    marks.rule(ax, y=0.0)
    marks.rule(ax, x=threshold, text=f"{threshold:g}", dash="--")
    return fig


@drawing
def roc(curves: pd.DataFrame) -> Canvas:
    """ROC curves of the cosine for "inserting the latent raises the error", a line a pair.

    Args:
        curves: ``pair, false_rate, true_rate``.
    """
    fig, ax = theme.axes(
        "latents that lower the error, flagged", "latents that raise it, flagged", height=3.6
    )
    marks.diagonal(ax, pd.DataFrame({"x": [0.0, 1.0]}), name="chance")
    for (name, rows), (colour, _) in zip(
        curves.groupby("pair", sort=False), theme.looks(curves["pair"]).values(), strict=True
    ):
        line = {"colour": colour, "symbol": "", "ends": None, "line": True}
        marks.series(ax, rows, "false_rate", "true_rate", name=str(name), **line)
    return fig


@drawing
def shares(table: pd.DataFrame) -> Canvas:
    """Shares against the cosine that parts novel from similar latents: a panel a share, a line a pair.

    Args:
        table: ``pair, threshold, quantity, value, low, high``.
    """
    quantities = list(dict.fromkeys(table["quantity"]))
    fig, grid = theme.panels(len(quantities), height=1.6, sharex=True)
    for ax, quantity in zip(grid, quantities, strict=True):
        ax.set_title(quantity, pad=3)
        marks.groups(ax, table[table["quantity"] == quantity], "threshold", "value", "pair", line=True)
        ax.set_ylim(-0.02, 1.02)
        theme.percent(ax)
    grid[-1].set_xlabel("cosine below which a latent is novel")
    return fig


@drawing
def ways(walks: pd.DataFrame, trained: pd.DataFrame, stitched: pd.DataFrame) -> Canvas:
    """Squared error against L0 on the way from SAE to SAE, with the trained and the stitched SAEs.

    Args:
        walks: ``pair, error, l0``, steps in order.
        trained: ``error, l0``.
        stitched: the same.
    """
    fig, ax = theme.axes("L0", "squared error, per token", height=3.8)
    for (name, rows), (colour, _) in zip(
        walks.groupby("pair", sort=False), theme.looks(walks["pair"]).values(), strict=True
    ):
        line = {"colour": colour, "symbol": ".", "ends": None, "line": True, "size": 3.0}
        marks.series(ax, rows, "l0", "error", name=str(name), **line)
    marks.points(ax, trained, "l0", "error", name="trained", colour=theme.INK, symbol="s", size=5)
    marks.points(
        ax, stitched, "l0", "error", name="narrowest with novel latents", colour=theme.RED, symbol="D", size=5
    )
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.yaxis.set_minor_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.tick_params(axis="y", which="minor", labelsize=6)
    return fig


@drawing
def single_losses(table: pd.DataFrame) -> Canvas:
    """What inserting single latents does to the loss, against what it does to the squared error: a point a latent.

    Args:
        table: ``kind, error, loss``.
    """
    fig, ax = theme.axes(
        "change of the squared error, per token", "change of the next-token loss, nats", height=3.4
    )
    for kind, colour in KIND_COLOURS.items():
        marks.points(
            ax, table[table["kind"] == kind], "error", "loss", name=kind, colour=colour, symbol="o", size=3.5
        )
    marks.rule(ax, x=0.0)
    marks.rule(ax, y=0.0)
    ax.set_xscale("symlog", linthresh=1.0)
    ax.set_yscale("symlog", linthresh=0.001)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    return fig


@drawing
def letters(table: pd.DataFrame, widths: Sequence[str]) -> Canvas:
    """What becomes of each letter's latent from SAE to SAE: a row a letter, a line a step, coloured by its fate.

    Args:
        table: ``letter, step`` (0: from the first SAE to the second) and ``fate``.
        widths: names of the SAEs, narrow to wide.
    """
    rows = theme.upper(table)
    order = sorted(set(rows["letter"]))
    fig, ax = theme.axes("latents of the SAE", height=1.0 + 0.15 * len(order))
    places = theme.categories(ax, order, sideways=True)
    for name, (colour, symbol) in FATE_LOOKS.items():
        for row in rows[rows["fate"] == name].to_dict("records"):
            ends = [row["step"], row["step"] + (0.5 if name == "gone" else 1)]
            line = pd.DataFrame({"x": ends, "y": [places[row["letter"]]] * 2})
            look = {"colour": colour, "symbol": symbol, "ends": None, "line": True, "linewidth": 1.6}
            marks.series(ax, line, "x", "y", name=name, **look)
    theme.ticks(ax, {float(place): name for place, name in enumerate(widths)})
    ax.set_xlim(-0.1, len(widths) - 0.9)
    return fig

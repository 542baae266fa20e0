"""Figures of the toy chapters: tables in, figures out."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from absorption.plots import marks, theme
from absorption.plots.theme import BLUE, GREEN, GREY, ORANGE, Canvas, drawing

RISING = LinearSegmentedColormap.from_list("white to blue", ["#ffffff", BLUE])
SEQUENTIAL = "cividis"


@drawing
def cosines(table: pd.DataFrame) -> Canvas:
    """Heatmaps of latent-feature cosines: a row for each world, encoder and decoder side by side.

    Args:
        table: ``world``, ``side``, ``latent``, ``feature``, ``cosine``.
    """
    worlds, sides = list(dict.fromkeys(table["world"])), ("encoder", "decoder")
    fig, grid = theme.panels(len(worlds), 2, height=2)
    for place, ax in enumerate(grid):
        world, side = worlds[place // 2], sides[place % 2]
        part = table[(table["world"] == world) & (table["side"] == side)]
        wide = part.pivot(index="latent", columns="feature", values="cosine")
        scale = {"low": -1.0, "high": 1.0, "colours": theme.DIVERGING, "title": "cosine" if place % 2 else ""}
        marks.heatmap(ax, wide, **scale)
        ax.set_title(side, pad=3)
        ax.set(xlabel="feature", ylabel="" if place % 2 else f"{world}: latent")
    return fig


@drawing
def firing(table: pd.DataFrame) -> Canvas:
    """Which latent fires on which input: one heatmap a world, one below the other so that phones fit.

    Args:
        table: ``world``, ``pattern``, ``latent``, ``activation``.
    """
    worlds = list(dict.fromkeys(table["world"]))
    fig, grid = theme.panels(len(worlds), height=2.2)
    top = max(1.5, float(table["activation"].max()))
    for ax, world in zip(grid, worlds, strict=True):
        part = table[table["world"] == world]
        order = list(dict.fromkeys(part["pattern"]))
        wide = part.pivot(index="pattern", columns="latent", values="activation").loc[order]
        marks.heatmap(ax, wide, low=0, high=top, colours=RISING, title="activation")
        ax.set_title(world, pad=3)
        ax.set(xlabel="latent", ylabel="features that fire")
    return fig


@drawing
def closed_form_losses(curve: pd.DataFrame, point: pd.DataFrame) -> Canvas:
    """Losses of the closed-form family against ``d``, with the trained SAE on them.

    Args:
        curve: ``d``, ``reconstruction``, ``sparsity``, ``sparsity_weighted``.
        point: one row with the same columns.
    """
    names = {
        "sparsity": ("sum of activations", BLUE, "-"),
        "sparsity_weighted": ("weighted by decoder norm", GREEN, "--"),
        "reconstruction": ("squared error", GREY, "-."),
    }
    fig, ax = theme.axes("d, share of the parent that the child's latent writes", "expected loss")
    for column, (name, colour, dash) in names.items():
        look = {"colour": colour, "symbol": "", "ends": None, "line": True, "dash": dash}
        marks.series(ax, curve, "d", column, name=name, **look)
    for column, (name, colour, _) in names.items():
        edged = {"edgecolor": theme.INK, "linewidth": 0.8, "zorder": 3}
        trained = {"name": f"trained: {name}", "colour": colour, "symbol": "D", "size": 5}
        marks.points(ax, point, "d", column, **trained, **edged)
    return fig


@drawing
def beside_published(table: pd.DataFrame) -> Canvas:
    """Measured numbers with their seed spread beside the published ones.

    Args:
        table: ``pattern``, ``latent``, ``published``, ``measured``, ``low``, ``high``.
    """
    rows = table.assign(label=table["pattern"] + ", latent " + table["latent"])
    fig, ax = theme.axes("activation", height=0.9 + 0.3 * len(rows))
    places = theme.categories(ax, list(rows["label"]), sideways=True, width=26)
    rows = rows.assign(place=rows["label"].map(places))
    published = {"name": "published", "colour": ORANGE, "symbol": "|", "size": 10, "linewidth": 2}
    marks.series(ax, rows, "place", "published", sideways=True, ends=None, **published)
    marks.series(ax, rows, "place", "measured", sideways=True, name="measured here (range over seeds)")
    return fig


@drawing
def surface(table: pd.DataFrame, x: str, x_title: str, value: str = "absorbed") -> Canvas:
    """Heatmap of absorption over P(parent | child) and another factor.

    Args:
        table: ``p_parent``, ``x``, ``value`` and, where theory has one, ``predicted``.
        x: column along the horizontal axis.
        x_title: its name.
    """
    columns = [value, *(["predicted"] if "predicted" in table else [])]
    fig, grid = theme.panels(len(columns), height=2.6)
    for ax, column in zip(grid, columns, strict=True):
        wide = table.pivot(index="p_parent", columns=x, values=column)
        wide.index, wide.columns = wide.index.map("{:g}".format), wide.columns.map("{:g}".format)
        marks.heatmap(ax, wide, low=0, high=1, colours=SEQUENTIAL, title="absorbed")
        ax.set_title({"absorbed": "trained", "predicted": "predicted"}.get(column, column), pad=3)
        ax.set(xlabel=x_title, ylabel="P(parent | child)")
    return fig


@drawing
def agreement(table: pd.DataFrame) -> Canvas:
    """Trained against predicted absorption, one point a setting.

    Args:
        table: ``predicted``, ``absorbed``, ``p_parent``, ``l1``.
    """
    fig, ax = theme.axes("absorbed share, predicted", "absorbed share, trained", height=3.6)
    marks.diagonal(ax, pd.DataFrame({"x": [0, 1]}))
    rows = table.sort_values("p_parent", kind="stable")
    named = "P = {:g}".format
    marks.groups(ax, rows, "predicted", "absorbed", "p_parent", ends=None, named=named)
    return fig


@drawing
def lines(table: pd.DataFrame, x: str, x_title: str, by: str = "", value: str = "absorbed") -> Canvas:
    """Absorption against one factor, a line for each value of ``by``; a dotted line where theory predicts.

    Args:
        table: ``x``, ``value``, perhaps ``by`` and ``predicted``.
    """
    fig, ax = theme.axes(x_title, "absorbed share" if value == "absorbed" else value)
    rows = table if by else table.assign(series="trained")
    marks.groups(ax, rows, x, value, by or "series", ends=None, line=True)
    if "predicted" in table:
        look: dict[str, Any] = {"name": "predicted", "colour": GREY, "symbol": "", "dash": ":"}
        marks.series(ax, table, x, "predicted", ends=None, line=True, **look)
    ax.set_ylim(-0.05, 1.05)
    return fig


@drawing
def chain(table: pd.DataFrame) -> Canvas:
    """Who carries whose direction in a deep hierarchy: mean over seeds.

    Args:
        table: ``ancestor``, ``descendant``, ``absorbed``, ``seed``.
    """
    wide = table.pivot_table(index="descendant", columns="ancestor", values="absorbed", aggfunc="mean")
    fig, ax = theme.axes(height=2.8)
    marks.heatmap(ax, wide, low=0, high=1, colours=SEQUENTIAL, title="absorbed")
    ax.set(xlabel="ancestor whose direction is carried", ylabel="deepest feature that fires")
    return fig


@drawing
def trade_off(table: pd.DataFrame, world: str, against: str, against_title: str) -> Canvas:
    """Absorption against what it costs, a line for each remedy over its strengths.

    Args:
        table: ``world``, ``remedy``, ``strength``, ``seed``, ``absorbed`` and ``against``.
    """
    by = table[table["world"] == world].groupby(["remedy", "strength"], sort=False, as_index=False)
    means = by[["absorbed", against]].mean()
    looks = theme.looks(means["remedy"])
    fig, ax = theme.axes(against_title, "absorbed share, mean over pairs", height=3.8)
    for remedy, rows in means.groupby("remedy", sort=False):
        colour, symbol = looks[remedy]
        marks.series(
            ax,
            rows,
            against,
            "absorbed",
            name=str(remedy),
            colour=colour,
            symbol=symbol,
            ends=None,
            line=True,
        )
    return fig


@drawing
def remedies_side_by_side(table: pd.DataFrame, columns: dict[str, str]) -> Canvas:
    """Remedies side by side, a panel for each column and a colour for each world.

    Args:
        table: from ``chapters.remedies.best_strengths``.
        columns: column -> its title.
    """
    order = list(dict.fromkeys(table["remedy"]))
    fig, grid = theme.panels(len(columns), height=0.5 + 0.22 * len(order))
    for ax, (column, title) in zip(grid, columns.items(), strict=True):
        ax.set_title(theme.wrapped([title], 50)[0], pad=3)
        ends = (f"{column}_low", f"{column}_high")
        marks.groups(ax, table, "remedy", column, "world", order=order, ends=ends, sideways=True)
    return fig

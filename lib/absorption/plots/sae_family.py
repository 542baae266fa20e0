"""Figures of the chapter on hyper-parameters: numbers of several SAEs against one setting."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing

COLUMNS = 2
SHARE = "L0, share of d_model"


@drawing
def against_setting(
    table: pd.DataFrame,
    x: str,
    panels: Mapping[str, Mapping[str, str]],
    axis: str,
    *,
    percent: bool = False,
) -> Canvas:
    """Panels of values against a setting that doubles from SAE to SAE.

    Args:
        table: ``sae``, the setting, ``quantity, value, low, high``, as in ``several_saes.along``.
        x: the setting's column.
        panels: quantity of each line, by the panel's title and the line's name (empty: no legend).
        axis: name of the setting.
        percent: the setting is a share, named in percent.
    """
    fig, grid = theme.panels(-(-len(panels) // COLUMNS), COLUMNS, height=1.75)
    at = sorted(set(table[x]) if percent else {round(value) for value in table[x]})
    looks = theme.looks(name for drawn in panels.values() for name in drawn)
    for ax, (title, drawn) in zip(grid, panels.items(), strict=False):
        ax.set_title(theme.wrapped([title], 30)[0], pad=3)
        names = {quantity: name for name, quantity in drawn.items()}
        rows = table[table["quantity"].isin(names)]
        rows = rows.assign(line=rows["quantity"].map(names))
        rows = rows.sort_values("line", key=lambda lines: lines.map(list(looks).index), kind="stable")
        marks.groups(ax, rows, x, "value", "line", line=True, null=True, looks=looks)
        ax.set_xscale("log")
        theme.ticks(ax, {tick: f"{tick:.1%}" if percent else f"{tick:,}" for tick in _apart(at)}, fontsize=6)
        theme.from_zero(ax)
    for ax in grid[len(panels) :]:
        ax.set_axis_off()
    fig.supxlabel(axis, fontsize=7.5)
    drawn = {quantity for lines in panels.values() for quantity in lines.values()}
    return theme.shows(fig, table[table["quantity"].isin(drawn)])


def _apart(at: list[float], factor: float = 1.3) -> list[float]:
    """Values to name on a narrow logarithmic axis: none closer to the one before than by ``factor``."""
    kept: list[float] = []
    for value in at:
        if not kept or value >= factor * kept[-1]:
            kept.append(value)
    return kept


@drawing
def beside_published(published: pd.DataFrame, ours: pd.DataFrame) -> Canvas:
    """Absorption that others published and ours against L0 over d_model, a panel a definition.

    Args:
        published: ``panel, series, l0_share, value``.
        ours: the same with ``_low`` and ``_high`` of the last two columns.
    """
    titles = list(dict.fromkeys(published["panel"]))
    fig, grid = theme.panels(len(titles), height=1.75, sharex=True)
    looks = theme.looks([*ours["series"], *published["series"]])
    for ax, title in zip(grid, titles, strict=True):
        ax.set_title(title, pad=3)
        for name, rows in published[published["panel"] == title].groupby("series", sort=False):
            colour, symbol = looks[name]
            marks.points(
                ax, rows, "l0_share", "value", name=str(name), colour=colour, symbol=symbol, alpha=0.8
            )
        for name, rows in ours[ours["panel"] == title].groupby("series", sort=False):
            marks.cross(ax, rows, "l0_share", "value", name=str(name), look=looks[name])
        theme.from_zero(ax)
    for ax in grid:  # all share one axis
        theme.share_axis(ax)
    grid[-1].set_xlabel(SHARE)
    fig.supylabel("mean over letters", fontsize=7.5)
    return fig

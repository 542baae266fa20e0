"""Figures of chapter 5: absorption."""

from __future__ import annotations

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing

MEAN = "mean"


@drawing
def ablation_bars(effects: pd.DataFrame, absorber: int) -> Canvas:
    """Effect of removing each latent of one word, the strongest first; the absorbing latent is coloured.

    Args:
        effects: ``name, latent, effect``, the latents to show.
        absorber: the absorbing latent.
    """
    fig, ax = theme.axes("change of the metric (logits)", height=0.6 + 0.3 * len(effects))
    colours = [theme.RED if latent == absorber else theme.SKY for latent in effects["latent"]]
    places = theme.categories(ax, list(effects["name"]), sideways=True, width=26)
    ax.barh(effects["name"].map(places), effects["effect"], color=colours, height=0.7)
    return fig


@drawing
def rates_by_letter(rates: pd.DataFrame) -> Canvas:
    """Absorption rate of each letter under each definition, with intervals, sorted by the first definition.

    Args:
        rates: as ``definitions.absorption_rates`` gives them; the mean row is left out.
    """
    rows = theme.upper(rates[rates["letter"] != MEAN])
    first = rows[rows["definition"] == rows["definition"].iloc[0]]
    order = list(first.sort_values("rate", ascending=False)["letter"])
    fig, ax = theme.axes("first letter", "absorbed, share of the words the probe gets", height=3.6)
    marks.groups(ax, rows, "letter", "rate", "definition", order=order, null=True, size=2.8)
    theme.from_zero(ax)
    theme.percent(ax)
    return theme.shows(fig, rows)


@drawing
def mean_rates(rates: pd.DataFrame, by: str, label: str) -> Canvas:
    """Mean rate over letters for each SAE or selection (rows) and definition (colours).

    Args:
        rates: rows of ``definitions.absorption_rates`` with a column ``by``; only the mean rows are drawn.
        by: ``sae`` or ``selection``.
        label: its axis title.
    """
    rows = rates[rates["letter"] == MEAN]
    order = list(dict.fromkeys(rows[by]))
    fig, ax = theme.axes("absorbed, mean over letters", label, height=1.1 + 0.5 * len(order))
    marks.groups(ax, rows, by, "rate", "definition", order=order, sideways=True, null=True)
    theme.from_zero(ax, "x")
    theme.percent(ax, "x")
    return theme.shows(fig, rows)


@drawing
def sensitivity(table: pd.DataFrame, titles: dict[str, str]) -> Canvas:
    """Mean rate as one threshold moves, a panel a threshold, a colour a definition.

    Args:
        table: ``threshold, setting, definition, rate, low, high`` and the nulls' ``null, null_low, null_high``.
        titles: axis title by threshold, in the order of the panels.
    """
    names = [name for name in titles if (table["threshold"] == name).any()]
    looks = theme.looks(table["definition"])
    fig, grid = theme.panels(len(names), height=1.8)
    for ax, name in zip(grid, names, strict=True):
        ax.set(xlabel=titles[name], ylabel="mean rate")
        rows = table[table["threshold"] == name]
        marks.groups(ax, rows, "setting", "rate", "definition", line=True, null=True, looks=looks)
        theme.from_zero(ax)
        theme.percent(ax, decimals=1)
    return fig

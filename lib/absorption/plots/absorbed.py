"""Figures of chapter 5: absorption."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from absorption.plots import theme

MEAN = "mean"


def ablation_bars(effects: pd.DataFrame, absorber: int) -> go.Figure:
    """Effect of removing each latent of one word, the strongest first; the absorbing latent is coloured.

    Args:
        effects: ``name, latent, effect``, the latents to show.
        absorber: the absorbing latent.
    """
    rows = effects.iloc[::-1]
    colours = [theme.RED if latent == absorber else theme.SKY for latent in rows["latent"]]
    fig = theme.figure(
        "change of the metric (logits)",
        height=90 + 44 * len(rows),
        margin={"l": 10, "r": 12, "t": 16, "b": 48},
    )
    fig.add_bar(
        x=rows["effect"], y=theme.wrapped(rows["name"]), orientation="h", marker={"color": colours},
        hovertemplate="%{y}: %{x:.2f}<extra></extra>",
    )  # fmt: skip
    fig.update_yaxes(automargin=True, tickfont={"size": 11})
    return fig


def rates_by_letter(rates: pd.DataFrame) -> go.Figure:
    """Absorption rate of each letter under each definition, with intervals, sorted by the first definition.

    Args:
        rates: as ``definitions.absorption_rates`` gives them; the mean row is left out.
    """
    rows = rates[rates["letter"] != MEAN]
    first = rows["definition"].iloc[0]
    order = rows[rows["definition"] == first].sort_values("rate", ascending=False)["letter"]
    names = rows["definition"].unique()
    fig = theme.figure("first letter", "absorbed, share of the words the probe gets", height=460)
    for (name, mine), colour, symbol in zip(
        rows.groupby("definition", sort=False), theme.PALETTE, theme.SYMBOLS, strict=False
    ):
        mine = mine.set_index("letter").loc[order].reset_index()
        fig.add_scatter(
            x=mine["letter"].str.upper(), y=mine["rate"], error_y=theme.error_bars(mine, "rate"),
            mode="markers", name=str(name), marker={"color": colour, "symbol": symbol, "size": 8},
            hovertemplate="%{x}: %{y:.3f}<extra>" + str(name) + "</extra>",
        )  # fmt: skip
        theme.add_null(
            fig,
            mine,
            f"null of {name}",
            x=mine["letter"].str.upper(),
            y=mine["null"],
            showlegend=name == names[0],
        )
    fig.update_xaxes(type="category", tickfont={"size": 10})
    fig.update_yaxes(rangemode="tozero", tickformat=".0%")
    return fig


def mean_rates(rates: pd.DataFrame, by: str, label: str) -> go.Figure:
    """Mean rate over letters for each SAE or selection (rows) and definition (colours).

    Args:
        rates: rows of ``definitions.absorption_rates`` with a column ``by``; only the mean rows are drawn.
        by: ``sae`` or ``selection``.
        label: its axis title.
    """
    rows = rates[rates["letter"] == MEAN]
    n = rows[by].nunique()
    fig = theme.figure("absorbed, mean over letters", label, height=150 + 75 * n)
    for (name, mine), colour, symbol in zip(
        rows.groupby("definition", sort=False), theme.PALETTE, theme.SYMBOLS, strict=False
    ):
        fig.add_scatter(
            x=mine["rate"], y=theme.wrapped(mine[by]), error_x=theme.error_bars(mine, "rate"), mode="markers",
            orientation="h", name=str(name), marker={"color": colour, "symbol": symbol, "size": 9},
            hovertemplate="%{y}: %{x:.3f}<extra>" + str(name) + "</extra>", offsetgroup=str(name),
        )  # fmt: skip
        theme.add_null(
            fig, mine, f"null of {name}", x=mine["null"], y=theme.wrapped(mine[by]), orientation="h",
            offsetgroup=str(name), showlegend=name == rows["definition"].iloc[0],
        )  # fmt: skip
    fig.update_layout(scattermode="group", legend_y=-100 / (150 + 75 * n))
    fig.update_xaxes(rangemode="tozero", tickformat=".0%")
    fig.update_yaxes(autorange="reversed", type="category", title=None)
    return fig


def sensitivity(table: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Mean rate as one threshold moves, a panel a threshold, a colour a definition.

    Args:
        table: ``threshold, setting, definition, rate, low, high`` and the nulls' ``null, null_low, null_high``.
        titles: axis title by threshold, in the order of the panels.
    """
    names = [name for name in titles if (table["threshold"] == name).any()]
    fig = make_subplots(rows=len(names), cols=1, vertical_spacing=0.5 / len(names) ** 1.6)
    fig.update_layout(template=theme.TEMPLATE, height=230 * len(names) + 60)
    colours = dict(zip(table["definition"].unique(), theme.PALETTE, strict=False))
    symbols = dict(zip(colours, theme.SYMBOLS, strict=False))
    shown: set[str] = set()
    for row, name in enumerate(names, start=1):
        for definition, mine in table[table["threshold"] == name].groupby("definition", sort=False):
            definition = str(definition)
            fig.add_scatter(
                x=mine["setting"], y=mine["rate"], error_y=theme.error_bars(mine, "rate"),
                mode="lines+markers", name=definition, legendgroup=definition,
                showlegend=definition not in shown, line={"color": colours[definition]},
                marker={"symbol": symbols[definition], "size": 7},
                hovertemplate="%{x}: %{y:.3f}<extra>" + definition + "</extra>", row=row, col=1,
            )  # fmt: skip
            theme.add_null(
                fig, mine, f"null of {definition}", x=mine["setting"], y=mine["null"],
                showlegend="null" not in shown, row=row, col=1,
            )  # fmt: skip
            shown |= {definition, "null"}
        fig.update_xaxes(title_text=titles[name], row=row, col=1)
        fig.update_yaxes(title_text="mean rate", rangemode="tozero", tickformat=".1%", row=row, col=1)
    fig.update_layout(legend_y=-60 / (230 * len(names)))
    return fig

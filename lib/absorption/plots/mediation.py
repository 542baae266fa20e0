"""Figures of chapter 6: ablation mediation."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from absorption.plots import theme


def shares(table: pd.DataFrame) -> go.Figure:
    """Share of the whole state's effect that each part has, where a main latent is on and where none is.

    Args:
        table: ``main_on, part, share, low, high``, as ``parts_removed.both_shares`` gives it.
    """
    names = {True: "a main latent is on", False: "all main latents are off"}
    fig = theme.figure("share of the whole state's effect", height=480)
    for on, colour, symbol in ((True, theme.BLUE, "circle"), (False, theme.RED, "diamond")):
        rows = table[table["main_on"] == on]
        fig.add_scatter(
            x=rows["share"], y=theme.wrapped(rows["part"]), error_x=theme.error_bars(rows, "share"), mode="markers",
            orientation="h", name=names[on], marker={"color": colour, "symbol": symbol, "size": 9},
            hovertemplate="%{y}: %{x:.2f}<extra></extra>",
        )  # fmt: skip
    fig.add_vline(x=1, line={"dash": "dash", "color": theme.GREY, "width": 1})
    fig.update_layout(scattermode="group")
    fig.update_yaxes(autorange="reversed", type="category")
    return fig


def letter_shares(table: pd.DataFrame, parts: list[str]) -> go.Figure:
    """The same, letter by letter, for some parts.

    Args:
        table: ``letter, part, share, low, high``.
        parts: which to draw; letters are sorted by the first.
    """
    order = table[table["part"] == parts[0]].sort_values("share", ascending=False)["letter"]
    fig = theme.figure("first letter", "share of the whole state's effect")
    for part, colour, symbol in zip(parts, theme.PALETTE, theme.SYMBOLS, strict=False):
        rows = table[table["part"] == part].set_index("letter").loc[order].reset_index()
        fig.add_scatter(
            x=rows["letter"].str.upper(), y=rows["share"], error_y=theme.error_bars(rows, "share"),
            mode="markers", name=part, marker={"color": colour, "symbol": symbol, "size": 8},
            hovertemplate="%{x}: %{y:.2f}<extra></extra>",
        )  # fmt: skip
    fig.add_hline(y=1, line={"dash": "dash", "color": theme.GREY, "width": 1})
    fig.update_xaxes(type="category", tickfont={"size": 10})
    return fig


def curve(table: pd.DataFrame) -> go.Figure:
    """Share of the effect of removing all latents, against the number removed, by order of removal.

    Args:
        table: ``order, n_latents, share, low, high``.
    """
    fig = theme.figure("number of latents removed", "share of the effect of removing all of them")
    for (order, rows), colour, symbol in zip(
        table.groupby("order", sort=False), theme.PALETTE, theme.SYMBOLS, strict=False
    ):
        rows = rows.sort_values("n_latents")
        theme.band(fig, rows["n_latents"], rows["low"], rows["high"], colour)
        fig.add_scatter(
            x=rows["n_latents"], y=rows["share"], mode="lines+markers", name=f"by {order}",
            line={"color": colour}, marker={"symbol": symbol, "size": 7},
            hovertemplate="%{x} latents: %{y:.2f}<extra></extra>",
        )  # fmt: skip
    fig.update_xaxes(type="log", tickvals=sorted(table["n_latents"].unique()))
    return fig


def estimates(points: pd.DataFrame, limit: int = 3000) -> go.Figure:
    """Estimated against exact effect, a point a latent and word.

    Args:
        points: ``exact, estimated, word, latent``; of more than ``limit`` those with the largest effects.
        limit: points drawn.
    """
    size = points[["exact", "estimated"]].abs().max(axis=1)
    rows = points.loc[size.sort_values(ascending=False).index[:limit]]
    fig = theme.figure("exact effect (logits)", "integrated gradients (logits)", height=460)
    fig.add_scattergl(
        x=rows["exact"], y=rows["estimated"], mode="markers", name="latent on a word",
        marker={"color": theme.BLUE, "size": 5, "opacity": 0.5}, showlegend=False, text=rows["word"],
        customdata=rows["latent"],
        hovertemplate="%{text}, latent %{customdata}: exact %{x:.2f}, estimated %{y:.2f}<extra></extra>",
    )  # fmt: skip
    ends = [float(rows[["exact", "estimated"]].min().min()), float(rows[["exact", "estimated"]].max().max())]
    fig.add_scatter(
        x=ends, y=ends, mode="lines", line={"dash": "dash", "color": theme.GREY, "width": 1},
        name="equal", hoverinfo="skip",
    )  # fmt: skip
    return fig


def layers(table: pd.DataFrame, departure: float) -> go.Figure:
    """Share of the metric lost when the word's token is changed at each depth.

    Args:
        table: ``depth, kind, share, low, high``.
        departure: the depth at which the word's token stops mattering.
    """
    fig = theme.figure("depth (blocks applied)", "share of the metric lost")
    for (kind, rows), colour, symbol in zip(
        table.groupby("kind", sort=False), theme.PALETTE, theme.SYMBOLS, strict=False
    ):
        rows = rows.sort_values("depth")
        theme.band(fig, rows["depth"], rows["low"], rows["high"], colour)
        fig.add_scatter(
            x=rows["depth"], y=rows["share"], mode="lines+markers", name=str(kind),
            line={"color": colour}, marker={"symbol": symbol, "size": 7},
            hovertemplate="depth %{x}: %{y:.2f}<extra></extra>",
        )  # fmt: skip
    if departure == departure:
        fig.add_vline(x=departure, line={"dash": "dash", "color": theme.GREY, "width": 1})
    return fig


EDIT_NAMES = {"p_own": "P(own letter)", "p_new": "P(new letter)", "edited": "answers edited"}


def set_edits(rates: pd.DataFrame) -> go.Figure:
    """Change of both letters' probabilities, and share of answers edited, a row an SAE, a symbol a strength.

    Args:
        rates: ``sae, strength, quantity, value, low, high``, as ``edit_tables.set_rates`` gives it.
    """
    fig = theme.figure("change of the probability; share of answers edited", height=480)
    for (quantity, name), colour in zip(EDIT_NAMES.items(), theme.PALETTE, strict=False):
        mine = rates[rates["quantity"] == quantity]
        for (strength, rows), symbol in zip(mine.groupby("strength"), theme.SYMBOLS, strict=False):
            label = f"{name}, {strength:g} times the mean"
            fig.add_scatter(
                x=rows["value"], y=theme.wrapped(rows["sae"]), error_x=theme.error_bars(rows), mode="markers",
                name=label, orientation="h", marker={"color": colour, "symbol": symbol, "size": 8},
                hovertemplate="%{y}: %{x:.2f}<extra>" + label + "</extra>",
            )  # fmt: skip
    fig.add_vline(x=0, line={"dash": "dash", "color": theme.GREY, "width": 1})
    fig.update_layout(scattermode="group")
    fig.update_yaxes(autorange="reversed", type="category")
    return fig


def edited_by_f1(by_letter: pd.DataFrame) -> go.Figure:
    """Share of words edited against the F1 of the latent put in, a point a letter, a colour an SAE.

    Args:
        by_letter: ``sae, new, f1, edited, words``, as ``edit_tables.edited_by_letter`` gives it.
    """
    fig = theme.figure("F1 of the latent put in", "answers that become the new letter", height=460)
    for (name, rows), colour, symbol in zip(
        by_letter.groupby("sae", sort=False), theme.PALETTE, theme.SYMBOLS, strict=False
    ):
        fig.add_scatter(
            x=rows["f1"], y=rows["edited"], mode="markers", name=str(name), text=rows["new"].str.upper(),
            marker={"color": colour, "symbol": symbol, "size": 8, "opacity": 0.7},
            hovertemplate="%{text}: F1 %{x:.2f}, %{y:.0%} edited<extra>" + str(name) + "</extra>",
        )  # fmt: skip
    fig.update_yaxes(tickformat=".0%", rangemode="tozero")
    return fig


def edits(table: pd.DataFrame) -> go.Figure:
    """Share of words whose answer becomes the target letter, by method, a colour an SAE.

    Args:
        table: ``sae, method, value, low, high``.
    """
    fig = theme.figure("answers that become the target letter", height=440)
    for (name, rows), colour, symbol in zip(
        table.groupby("sae", sort=False), theme.PALETTE, theme.SYMBOLS, strict=False
    ):
        fig.add_scatter(
            x=rows["value"], y=theme.wrapped(rows["method"]), error_x=theme.error_bars(rows), mode="markers",
            name=str(name), orientation="h", marker={"color": colour, "symbol": symbol, "size": 8},
            hovertemplate="%{y}: %{x:.0%}<extra>" + str(name) + "</extra>",
        )  # fmt: skip
    fig.update_layout(scattermode="group")
    fig.update_xaxes(tickformat=".0%", rangemode="tozero")
    fig.update_yaxes(autorange="reversed", type="category")
    return fig

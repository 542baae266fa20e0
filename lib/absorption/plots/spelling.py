"""Figures of chapter 1: can the model spell?"""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from absorption.plots import theme

CHANCE = 1 / 26


def _chance(fig: go.Figure) -> None:
    fig.add_hline(
        y=CHANCE,
        line={"dash": "dot", "color": theme.GREY},
        annotation_text="chance",
        annotation_position="top left",
    )


def accuracy_by_examples(table: pd.DataFrame) -> go.Figure:
    """Accuracy against the number of in-context examples: ``n_examples, value, low, high``."""
    fig = theme.figure("in-context examples", "first-letter accuracy", yaxis_range=[0, 1], showlegend=False)
    fig.add_scatter(
        x=table["n_examples"], y=table["value"], error_y=theme.error_bars(table), mode="lines+markers",
        line={"color": theme.BLUE}, hovertemplate="%{x} examples: %{y:.1%}<extra></extra>",
    )  # fmt: skip
    _chance(fig)
    return fig


def accuracy_by_letter(table: pd.DataFrame) -> go.Figure:
    """Accuracy of each letter, best first: ``letter, value, low, high, words``."""
    table = table.sort_values("value", ascending=False)
    fig = theme.figure("first letter", "accuracy", yaxis_range=[0, 1], showlegend=False)
    fig.add_scatter(
        x=table["letter"].str.upper(), y=table["value"], error_y=theme.error_bars(table), mode="markers",
        marker={"color": theme.BLUE, "size": 8}, customdata=table["words"],
        hovertemplate="%{x}: %{y:.1%} of %{customdata} words<extra></extra>",
    )  # fmt: skip
    fig.update_xaxes(type="category", tickfont={"size": 10})
    _chance(fig)
    return fig


def accuracy_by_group(table: pd.DataFrame, group: str, title: str) -> go.Figure:
    """Accuracy by length or commonness, one line for words with and one without a leading space.

    Args:
        table: ``group, leading_space, value, low, high, words``.
        group: the column on the x axis.
        title: its name for readers.
    """
    fig = theme.figure(title, "accuracy", yaxis_range=[0, 1])
    looks = {True: ("with leading space", theme.BLUE, "circle"), False: ("without", theme.ORANGE, "diamond")}
    for space, (name, colour, symbol) in looks.items():
        rows = table[table["leading_space"] == space]
        fig.add_scatter(
            x=rows[group], y=rows["value"], error_y=theme.error_bars(rows), mode="lines+markers", name=name,
            line={"color": colour}, marker={"symbol": symbol, "size": 8}, customdata=rows["words"],
            hovertemplate="%{x}: %{y:.1%} of %{customdata} words<extra></extra>",
        )  # fmt: skip
    _chance(fig)
    return fig


def accuracy_by_task(table: pd.DataFrame) -> go.Figure:
    """Accuracy of each task against the word's length: ``task, length, value, low, high, words``."""
    fig = theme.figure("letters in the word (12 and more pooled)", "share of words right", yaxis_range=[0, 1])
    for (task, rows), colour, symbol in zip(
        table.groupby("task", sort=False), theme.PALETTE, theme.SYMBOLS, strict=False
    ):
        fig.add_scatter(
            x=rows["length"], y=rows["value"], error_y=theme.error_bars(rows), mode="lines+markers",
            name=str(task), line={"color": colour}, marker={"symbol": symbol, "size": 8}, customdata=rows["words"],
            hovertemplate="%{x} letters: %{y:.1%} of %{customdata} words<extra>" + str(task) + "</extra>",
        )  # fmt: skip
    return fig


def patching(table: pd.DataFrame, hook_depth: int) -> go.Figure:
    """Answers after the word's residual stream was replaced: ``patch, outcome, depth, value, low, high``."""
    fig = theme.figure("blocks applied before the replacement", "share of words", yaxis_range=[0, 1])
    looks = zip(theme.PALETTE, theme.SYMBOLS, theme.DASHES, strict=False)
    for (key, rows), (colour, symbol, dash) in zip(
        table.groupby(["patch", "outcome"], sort=True), looks, strict=False
    ):
        fig.add_scatter(
            x=rows["depth"], y=rows["value"], error_y=theme.error_bars(rows), mode="lines+markers",
            name=f"{key[0]}: {key[1]}", line={"color": colour, "dash": dash}, marker={"symbol": symbol, "size": 7},
            hovertemplate="after %{x} blocks: %{y:.0%}<extra></extra>",
        )  # fmt: skip
    fig.add_vline(
        x=hook_depth,
        line={"dash": "dot", "color": theme.GREY},
        annotation_text="SAEs",
        annotation_position="top",
    )
    return fig

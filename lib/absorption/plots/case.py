"""Figures of one absorbed word (chapter 5): its letter's main latent and the absorbing one."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from absorption.plots import theme

ROLES = {"main": (theme.BLUE, "circle"), "absorbing": (theme.RED, "diamond"), "other": (theme.GREY, "square")}
"""Colour and symbol of each role, the same in every figure."""


def prompt_activations(table: pd.DataFrame, word: str) -> go.Figure:
    """Bars a role over the words of one prompt; the absorbed word's label is bold.

    Args:
        table: ``place, word, role, activation``, as ``chapters.prompt_activations`` gives it.
        word: the absorbed word.
    """
    fig = theme.figure("words of one prompt, in order", "activation", barmode="group")
    for role, rows in table.groupby("role", sort=False):
        fig.add_bar(
            x=rows["place"], y=rows["activation"], name=str(role), marker={"color": ROLES[str(role)][0]},
            customdata=rows["word"], hovertemplate="%{customdata}: %{y:.2f}<extra>" + str(role) + "</extra>",
        )  # fmt: skip
    words = table.drop_duplicates("place").sort_values("place")
    labels = [f"<b>{name.strip()}</b>" if name == word else name.strip() for name in words["word"]]
    fig.update_xaxes(tickvals=words["place"].tolist(), ticktext=labels, tickangle=-60)
    fig.update_layout(legend_y=-0.42)
    return fig


def decoder_cosines(table: pd.DataFrame, letter: str) -> go.Figure:
    """Decoder cosine of a few latents with every letter's probe; the word's letter is marked.

    Args:
        table: ``role, letter, cosine``, as ``latents.decoder_cosines`` gives it.
        letter: the absorbed word's letter.
    """
    fig = theme.figure("probe of the letter", "decoder cosine")
    for role, rows in table.groupby("role", sort=False):
        colour, symbol = ROLES[str(role)]
        fig.add_scatter(
            x=rows["letter"].str.upper(), y=rows["cosine"], mode="markers", name=str(role),
            marker={"color": colour, "symbol": symbol, "size": 9},
            hovertemplate="%{x}: %{y:.3f}<extra>" + str(role) + "</extra>",
        )  # fmt: skip
    letters = sorted(table["letter"].str.upper().unique())
    labels = [f"<b>{name}</b>" if name == letter.upper() else name for name in letters]
    fig.update_xaxes(type="category", tickvals=letters, ticktext=labels, tickfont={"size": 10})
    return fig


def all_cosines(table: pd.DataFrame) -> go.Figure:
    """Encoder against decoder cosine of every latent with one probe.

    Args:
        table: ``latent, encoder_cosine, decoder_cosine, role``, as ``latents.all_cosines`` gives it.
    """
    fig = theme.figure("encoder cosine with the probe", "decoder cosine with the probe")
    for role, rows in table.groupby("role", sort=False):
        colour, symbol = ROLES[str(role)]
        fig.add_scatter(
            x=rows["encoder_cosine"].round(4), y=rows["decoder_cosine"].round(4), mode="markers", name=str(role),
            marker={"color": colour, "symbol": symbol, "size": 4 if role == "other" else 11},
            opacity=0.4 if role == "other" else 1, customdata=rows["latent"],
            hovertemplate="latent %{customdata}: encoder %{x:.3f}, decoder %{y:.3f}<extra></extra>",
        )  # fmt: skip
    return fig


def two_baselines(table: pd.DataFrame) -> go.Figure:
    """Each latent's effect under both metrics, with the line of equality.

    Args:
        table: ``latent, mean_effect, max_effect``, as ``ablation.effects_by_baseline`` gives it.
    """
    fig = theme.figure(
        "effect, right letter minus mean of the others", "effect, right letter minus best other"
    )
    ends = [
        float(table[["mean_effect", "max_effect"]].min().min()),
        float(table[["mean_effect", "max_effect"]].max().max()),
    ]
    fig.add_scatter(x=ends, y=ends, mode="lines", name="equal", line={"color": theme.GREY, "dash": "dot"})
    fig.add_scatter(
        x=table["mean_effect"].round(4), y=table["max_effect"].round(4), mode="markers", name="a latent of a word",
        marker={"color": theme.BLUE, "size": 6}, opacity=0.6, customdata=table["latent"],
        hovertemplate="latent %{customdata}: %{x:.2f}, %{y:.2f}<extra></extra>",
    )  # fmt: skip
    return fig

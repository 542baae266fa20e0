"""Figures of chapter 4: feature splitting."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from absorption.plots import theme


def f1_against_k(scores: pd.DataFrame, split: list[str]) -> go.Figure:
    """F1 of the k-sparse probe against k, a line a letter; letters that split are coloured.

    Args:
        scores: ``letter, k, f1``, as in ``latents.KSparse.scores``.
        split: letters with more than one main latent, the largest jump first.
    """
    fig = theme.figure("k, number of latents", "F1 on test words", height=460)
    named = split[: len(theme.PALETTE) - 1]
    for letter, rows in scores.groupby("letter"):
        if letter not in named:
            fig.add_scatter(
                x=rows["k"], y=rows["f1"], mode="lines", line={"color": "rgba(120,120,120,.35)", "width": 1},
                name="other letters", legendgroup="other", showlegend=False,
                hovertemplate=f"{str(letter).upper()}, k = %{{x}}: %{{y:.3f}}<extra></extra>",
            )  # fmt: skip
    fig.add_scatter(
        x=[None], y=[None], mode="lines", line={"color": theme.GREY, "width": 1}, name="other letters"
    )
    for letter, colour, symbol in zip(named, theme.PALETTE, theme.SYMBOLS, strict=False):
        rows = scores[scores["letter"] == letter]
        fig.add_scatter(
            x=rows["k"], y=rows["f1"], mode="lines+markers", name=letter.upper(),
            line={"color": colour}, marker={"symbol": symbol, "size": 7},
            hovertemplate=f"{letter.upper()}, k = %{{x}}: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    return fig


def jump_at_two(jumps: pd.DataFrame, f1_jump: float) -> go.Figure:
    """Rise of F1 from one latent to two, letter by letter, with the line above which it counts as a split.

    Args:
        jumps: ``letter, jump, low, high``.
        f1_jump: the line.
    """
    rows = jumps.sort_values("jump", ascending=False)
    fig = theme.figure("first letter", "F1 at k = 2 minus F1 at k = 1")
    fig.add_scatter(
        x=rows["letter"].str.upper(), y=rows["jump"], error_y=theme.error_bars(rows, "jump"), mode="markers",
        marker={"color": theme.BLUE, "size": 8}, name="letter", showlegend=False,
        hovertemplate="%{x}: %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_hline(y=f1_jump, line={"dash": "dash", "color": theme.RED, "width": 1})
    fig.add_annotation(
        x=1, y=f1_jump, xref="paper", text="counts as a split", showarrow=False, yanchor="bottom",
        xanchor="right", font={"color": theme.RED, "size": 12},
    )  # fmt: skip
    fig.update_xaxes(type="category", tickfont={"size": 10})
    return fig


def splits_against_l0(table: pd.DataFrame) -> go.Figure:
    """Mean number of splits against L0 at the words over d_model, a line a width.

    Args:
        table: ``d_sae, l0_share, splits, splits_low, splits_high``, one row an SAE.
    """
    fig = theme.figure(theme.L0_SHARE, "splits of a letter, mean over letters")
    for (width, rows), colour, symbol in zip(
        table.groupby("d_sae"), theme.PALETTE, theme.SYMBOLS, strict=False
    ):
        rows = rows.sort_values("l0_share")
        fig.add_scatter(
            x=rows["l0_share"], y=rows["splits"], mode="lines+markers", name=f"{width:,.0f} latents",
            error_y=theme.error_bars(rows, "splits", "splits_low", "splits_high"),
            line={"color": colour}, marker={"symbol": symbol, "size": 9}, text=rows["sae"],
            hovertemplate="%{text}<br>L0 %{x:.1%} of d_model: %{y:.2f}<extra></extra>",
        )  # fmt: skip
    theme.share_axis(fig)
    fig.update_yaxes(rangemode="tozero")
    return fig

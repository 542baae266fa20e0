"""Figures of chapter 3: the recall gap."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from absorption.plots import theme


def probe_against_latents(probe: pd.DataFrame, latents: pd.DataFrame) -> go.Figure:
    """F1 of the probe and of the latent of each selection, letter by letter.

    Args:
        probe: ``letter, value`` with intervals, F1 only.
        latents: ``selection, letter, latent, value`` with intervals, F1 only.
    """
    order = probe.sort_values("value", ascending=False)["letter"]
    fig = theme.figure("first letter", "F1 on test words", yaxis_range=[0, 1.02])
    named = [("LR probe", probe), *latents.groupby("selection", sort=False)]
    for (name, rows), colour, symbol in zip(named, theme.PALETTE, theme.SYMBOLS, strict=False):
        rows = rows.set_index("letter").loc[order].reset_index()
        fig.add_scatter(
            x=rows["letter"].str.upper(), y=rows["value"], error_y=theme.error_bars(rows), mode="markers",
            name=name if name == "LR probe" else f"latent by {name}",
            marker={"color": colour, "symbol": symbol, "size": 8},
            customdata=rows["latent"] if "latent" in rows else None,
            hovertemplate="%{x}: %{y:.3f}"
            + (" (latent %{customdata})" if "latent" in rows else "")
            + "<extra></extra>",
        )  # fmt: skip
    fig.update_xaxes(type="category", tickfont={"size": 10})
    return fig


def f1_by_split(table: pd.DataFrame) -> go.Figure:
    """F1 of each letter's latent on the test words of either split, sorted by the split by word.

    Args:
        table: ``split, letter, latent, value, low, high``, as ``recall_gap.f1_by_split`` gives it; means are left out.
    """
    letters = table[table["letter"] != "mean"]
    order = letters[letters["split"] == "word"].sort_values("value", ascending=False)["letter"].tolist()
    fig = theme.figure("first letter", "F1 on test words", yaxis_range=[0, 1.02])
    for (split, rows), colour, symbol in zip(
        letters.groupby("split", sort=False), theme.PALETTE, theme.SYMBOLS, strict=False
    ):
        rows = rows.sort_values("letter", key=lambda names: names.map(order.index))
        fig.add_scatter(
            x=rows["letter"].str.upper(), y=rows["value"], error_y=theme.error_bars(rows), mode="markers",
            name=f"split by {split}", marker={"color": colour, "symbol": symbol, "size": 8},
            customdata=rows["latent"], hovertemplate="%{x}: %{y:.3f} (latent %{customdata})<extra></extra>",
        )  # fmt: skip
    fig.update_xaxes(type="category", tickfont={"size": 10})
    return fig


def precision_recall(points: pd.DataFrame) -> go.Figure:
    """Mean precision against mean recall, one point an SAE and selection, and the probe.

    Args:
        points: ``sae, selection, precision, recall`` with ``_low`` and ``_high`` columns.
    """
    fig = theme.figure("recall, mean over letters", "precision, mean over letters", xaxis_range=[0, 1.02])
    fig.update_yaxes(range=[0, 1.02])
    for (name, rows), colour, symbol in zip(
        points.groupby("sae", sort=False), theme.PALETTE, theme.SYMBOLS, strict=False
    ):
        fig.add_scatter(
            x=rows["recall"], y=rows["precision"], mode="markers", name=name,
            error_x=theme.error_bars(rows, "recall", "recall_low", "recall_high"),
            error_y=theme.error_bars(rows, "precision", "precision_low", "precision_high"),
            marker={"color": colour, "symbol": symbol, "size": 10}, text=rows["selection"],
            hovertemplate="%{text}: recall %{x:.2f}, precision %{y:.2f}<extra>" + str(name) + "</extra>",
        )  # fmt: skip
    return fig


def scores_against_l0(points: pd.DataFrame) -> go.Figure:
    """Precision, recall and F1 against L0 at the words over d_model, one line a width.

    Args:
        points: ``sae, l0_share, d_sae`` and the three scores with ``_low`` and ``_high``, one row an SAE.
    """
    metrics = ("precision", "recall", "f1")
    fig = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    fig.update_layout(template=theme.TEMPLATE, height=620)
    for row, metric in enumerate(metrics, start=1):
        for (width, rows), colour, symbol in zip(
            points.groupby("d_sae"), theme.PALETTE, theme.SYMBOLS, strict=False
        ):
            rows = rows.sort_values("l0_share")
            fig.add_scatter(
                x=rows["l0_share"], y=rows[metric], mode="lines+markers", name=f"{width:,.0f} latents",
                error_y=theme.error_bars(rows, metric, f"{metric}_low", f"{metric}_high"),
                line={"color": colour}, marker={"symbol": symbol, "size": 8}, showlegend=row == 1,
                text=rows["sae"], hovertemplate="%{text}<br>L0 %{x:.1%} of d_model: %{y:.3f}<extra></extra>",
                row=row, col=1,
            )  # fmt: skip
        fig.update_yaxes(title_text="F1" if metric == "f1" else metric, row=row, col=1)
    theme.share_axis(fig)
    fig.update_xaxes(title_text=theme.L0_SHARE, row=3, col=1)
    return fig

"""Two ways to choose a letter's latent, layer by layer (chapter 3)."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from absorption.plots import theme


def choices_by_layer(table: pd.DataFrame) -> go.Figure:
    """Mean F1 of either choice, and the share of letters with the same latent, against depth.

    Args:
        table: ``depth, what, value, low, high``, as ``recall_gap.choices_by_layer`` gives it.
    """
    fig = theme.figure("blocks before the SAE", "mean F1, or share of letters", yaxis_range=[0, 1.02])
    for (what, rows), colour, symbol, dash in zip(
        table.groupby("what", sort=False), theme.PALETTE, theme.SYMBOLS, theme.DASHES, strict=False
    ):
        same = what == "same latent"
        name = "letters with the same latent" if same else f"F1, latent by {what}"
        fig.add_scatter(
            x=rows["depth"], y=rows["value"], error_y=theme.error_bars(rows), mode="lines+markers", name=name,
            line={"color": colour, "dash": dash}, marker={"symbol": symbol, "size": 8},
            hovertemplate="after %{x} blocks: %{y:.3f}<extra>" + name + "</extra>",
        )  # fmt: skip
    return fig

"""Letter by letter: cosines and F1 (chapter 3), absorption rates (chapter 5)."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from absorption.plots import theme

COLUMNS = 4


def letters_against_l0(table: pd.DataFrame, title: str) -> go.Figure:
    """A small panel for each letter, all on one scale.

    Args:
        table: ``letter, l0_text, value, low, high``, as ``recall_gap.f1_by_letter`` gives it, and of rates also
            ``null, null_low, null_high``, drawn in grey.
        title: what the value is.
    """
    letters = sorted(table["letter"].unique())
    n_rows = -(-len(letters) // COLUMNS)
    fig = make_subplots(
        rows=n_rows, cols=COLUMNS, shared_xaxes=True, shared_yaxes=True,
        subplot_titles=[letter.upper() for letter in letters], vertical_spacing=0.3 / max(n_rows, 1) ** 1.3,
        x_title="L0 on held-out text", y_title=title,
    )  # fmt: skip
    for number, letter in enumerate(letters):
        rows = table[table["letter"] == letter].sort_values("l0_text")
        where = {"row": number // COLUMNS + 1, "col": number % COLUMNS + 1}
        fig.add_scatter(
            x=rows["l0_text"], y=rows["value"], error_y=theme.error_bars(rows), mode="lines+markers",
            name=letter.upper(), line={"color": theme.BLUE}, marker={"size": 6}, showlegend=False,
            hovertemplate=letter.upper() + ", L0 %{x:.0f}: %{y:.3f}<extra></extra>", **where,
        )  # fmt: skip
        if "null" in rows:
            null = {"x": rows["l0_text"], "y": rows["null"], "showlegend": False}
            theme.add_null(fig, rows, f"null of {letter.upper()}", **null, **where)
    fig.update_layout(template=theme.TEMPLATE, height=120 * n_rows + 80, margin={"l": 64, "b": 64})
    fig.update_xaxes(matches="x", type="log", tickvals=[8, 16, 32, 64, 128, 256])
    fig.update_yaxes(matches="y", rangemode="tozero")
    return fig


def cosines_by_letter(table: pd.DataFrame) -> go.Figure:
    """Each letter's largest decoder cosines, a dot a latent; the largest is coloured.

    Args:
        table: ``letter, rank, latent, cosine``, as ``latents.cosines_by_letter`` gives it.
    """
    fig = theme.figure("probe of the letter", "decoder cosine")
    for name, colour, size, rows in (
        ("the largest", theme.RED, 9, table[table["rank"] == 1]),
        ("the next", theme.GREY, 5, table[table["rank"] > 1]),
    ):
        fig.add_scatter(
            x=rows["letter"].str.upper(), y=rows["cosine"], mode="markers", name=name,
            marker={"color": colour, "size": size}, customdata=rows["latent"],
            hovertemplate="%{x}, latent %{customdata}: %{y:.3f}<extra></extra>",
        )  # fmt: skip
    fig.update_xaxes(type="category", tickfont={"size": 10})
    return fig

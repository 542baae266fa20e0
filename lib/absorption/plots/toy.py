"""Figures of the toy chapters: tables in, figures out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from absorption.plots.theme import (
    BLUE,
    GREEN,
    GREY,
    HEIGHT,
    ORANGE,
    PALETTE,
    SYMBOLS,
    TEMPLATE,
    error_bars,
    figure,
)

DIVERGING = [[0.0, ORANGE], [0.5, "#ffffff"], [1.0, BLUE]]
SEQUENTIAL = "Cividis"


def cosines(table: pd.DataFrame) -> go.Figure:
    """Heatmaps of latent-feature cosines: a row for each world, encoder and decoder side by side.

    Args:
        table: ``world``, ``side``, ``latent``, ``feature``, ``cosine``.
    """
    worlds, sides = table["world"].unique(), ("encoder", "decoder")
    fig = _grid(len(worlds), 2, [side for _ in worlds for side in sides])
    for row, world in enumerate(worlds, start=1):
        for column, side in enumerate(sides, start=1):
            part = table[(table["world"] == world) & (table["side"] == side)]
            wide = part.pivot(index="latent", columns="feature", values="cosine")
            fig.add_trace(_heatmap(wide, "cosine", coloraxis="coloraxis"), row=row, col=column)
            fig.update_yaxes(
                autorange="reversed",
                title_text=f"{world}: latent" if column == 1 else "",
                row=row,
                col=column,
            )
            fig.update_xaxes(title_text="feature" if row == len(worlds) else "", row=row, col=column)
    fig.update_layout(height=300 * len(worlds), coloraxis=_scale(DIVERGING, -1, 1, "cosine"))
    return fig


def firing(table: pd.DataFrame) -> go.Figure:
    """Which latent fires on which input: one heatmap a world, one below the other so that phones fit.

    Args:
        table: ``world``, ``pattern``, ``latent``, ``activation``.
    """
    worlds = table["world"].unique()
    fig = _grid(len(worlds), 1, list(worlds))
    for row, world in enumerate(worlds, start=1):
        part = table[table["world"] == world]
        order = part["pattern"].unique()
        wide = part.pivot(index="pattern", columns="latent", values="activation").loc[order]
        fig.add_trace(_heatmap(wide, "activation", coloraxis="coloraxis"), row=row, col=1)
        fig.update_yaxes(autorange="reversed", title_text="features that fire", row=row, col=1)
        fig.update_xaxes(title_text="latent" if row == len(worlds) else "", row=row, col=1)
    top = max(1.5, float(table["activation"].max()))
    fig.update_layout(
        height=290 * len(worlds), coloraxis=_scale([[0, "#ffffff"], [1, BLUE]], 0, top, "activation")
    )
    return fig


def closed_form_losses(curve: pd.DataFrame, point: pd.DataFrame) -> go.Figure:
    """Losses of the closed-form family against ``d``, with the trained SAE on them.

    Args:
        curve: ``d``, ``reconstruction``, ``sparsity``, ``sparsity_weighted``.
        point: one row with the same columns.
    """
    fig = figure("d, share of the parent that the child's latent writes", "expected loss")
    names = {
        "sparsity": ("sum of activations", BLUE),
        "sparsity_weighted": ("weighted by decoder norm", GREEN),
        "reconstruction": ("squared error", GREY),
    }
    for column, (name, colour) in names.items():
        fig.add_scatter(x=curve["d"], y=curve[column], name=name, mode="lines", line={"color": colour})
        fig.add_scatter(
            x=point["d"], y=point[column], name=f"trained: {name}", mode="markers", showlegend=False,
            marker={"color": colour, "size": 11, "symbol": "diamond", "line": {"color": "black", "width": 1}},
        )  # fmt: skip
    fig.add_annotation(
        x=float(point["d"].iloc[0]), y=float(point["sparsity"].iloc[0]), text="trained SAE", ay=-40
    )
    return fig


def beside_published(table: pd.DataFrame) -> go.Figure:
    """Measured numbers with their seed spread beside the published ones.

    Args:
        table: ``pattern``, ``latent``, ``published``, ``measured``, ``low``, ``high``.
    """
    labels = table["pattern"] + ", latent " + table["latent"]
    fig = figure("activation", "", height=120 + 44 * len(table))
    fig.add_scatter(
        x=table["published"], y=labels, name="published", mode="markers",
        marker={"symbol": "line-ns", "size": 20, "line": {"width": 3, "color": ORANGE}},
    )  # fmt: skip
    bars = error_bars(table, "measured")
    fig.add_scatter(
        x=table["measured"], y=labels, name="measured here (range over seeds)", mode="markers",
        marker={"color": BLUE, "size": 9}, error_x=bars,
    )  # fmt: skip
    fig.update_yaxes(autorange="reversed")
    return fig


def surface(table: pd.DataFrame, x: str, x_title: str, value: str = "absorbed") -> go.Figure:
    """Heatmap of absorption over P(parent | child) and another factor.

    Args:
        table: ``p_parent``, ``x``, ``value`` and, where theory has one, ``predicted``.
        x: column along the horizontal axis.
        x_title: its name.
    """
    columns = [value, *(["predicted"] if "predicted" in table else [])]
    titles = {"absorbed": "trained", "predicted": "predicted"}
    fig = _grid(len(columns), 1, [titles.get(column, column) for column in columns])
    for row, column in enumerate(columns, start=1):
        wide = table.pivot(index="p_parent", columns=x, values=column)
        wide.index, wide.columns = wide.index.map("{:g}".format), wide.columns.map("{:g}".format)
        fig.add_trace(_heatmap(wide, value, coloraxis="coloraxis"), row=row, col=1)
        fig.update_xaxes(title_text=x_title if row == len(columns) else "", type="category", row=row, col=1)
        fig.update_yaxes(title_text="P(parent | child)", type="category", row=row, col=1)
    fig.update_layout(height=max(HEIGHT, 320 * len(columns)), coloraxis=_scale(SEQUENTIAL, 0, 1, "absorbed"))
    return fig


def agreement(table: pd.DataFrame) -> go.Figure:
    """Trained against predicted absorption, one point a setting.

    Args:
        table: ``predicted``, ``absorbed``, ``p_parent``, ``l1``.
    """
    fig = figure("absorbed share, predicted", "absorbed share, trained")
    fig.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="equal", line={"color": GREY, "dash": "dot"})
    for number, (p_parent, group) in enumerate(table.groupby("p_parent")):
        fig.add_scatter(
            x=group["predicted"], y=group["absorbed"], mode="markers", name=f"P = {p_parent:g}",
            marker={"color": PALETTE[number % len(PALETTE)], "symbol": SYMBOLS[number % len(SYMBOLS)], "size": 9},
            text=[f"L1 {l1:g}" for l1 in group["l1"]],
        )  # fmt: skip
    return fig


def lines(table: pd.DataFrame, x: str, x_title: str, by: str = "", value: str = "absorbed") -> go.Figure:
    """Absorption against one factor, a line for each value of ``by``; a dotted line where theory predicts.

    Args:
        table: ``x``, ``value``, perhaps ``by`` and ``predicted``.
    """
    fig = figure(x_title, "absorbed share" if value == "absorbed" else value)
    groups = table.groupby(by, sort=False) if by else [("trained", table)]
    for number, (name, group) in enumerate(groups):
        fig.add_scatter(
            x=group[x], y=group[value], name=str(name), mode="lines+markers",
            line={"color": PALETTE[number]}, marker={"symbol": SYMBOLS[number], "size": 9},
        )  # fmt: skip
    if "predicted" in table:
        fig.add_scatter(
            x=table[x],
            y=table["predicted"],
            name="predicted",
            mode="lines",
            line={"color": GREY, "dash": "dot"},
        )
    fig.update_yaxes(range=[-0.05, 1.05])
    return fig


def chain(table: pd.DataFrame) -> go.Figure:
    """Who carries whose direction in a deep hierarchy: mean over seeds.

    Args:
        table: ``ancestor``, ``descendant``, ``absorbed``, ``seed``.
    """
    wide = table.pivot_table(index="descendant", columns="ancestor", values="absorbed", aggfunc="mean")
    fig = figure("ancestor whose direction is carried", "deepest feature that fires", height=HEIGHT)
    fig.add_trace(_heatmap(wide, "absorbed", coloraxis="coloraxis"))
    fig.update_yaxes(autorange="reversed")
    fig.update_layout(coloraxis=_scale(SEQUENTIAL, 0, 1, "absorbed"))
    return fig


def trade_off(table: pd.DataFrame, world: str, against: str, against_title: str) -> go.Figure:
    """Absorption against what it costs, a line for each remedy over its strengths.

    Args:
        table: ``world``, ``remedy``, ``strength``, ``seed``, ``absorbed`` and ``against``.
    """
    fig = figure(against_title, "absorbed share, mean over pairs", height=HEIGHT + 60)
    mean = table[table["world"] == world].groupby(["remedy", "strength"], sort=False, as_index=False)
    for number, (remedy, group) in enumerate(
        mean[["absorbed", against]].mean().groupby("remedy", sort=False)
    ):
        fig.add_scatter(
            x=group[against], y=group["absorbed"], name=str(remedy), mode="lines+markers",
            line={"color": PALETTE[number % len(PALETTE)], "dash": "solid" if number < len(PALETTE) else "dash"},
            marker={"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 9},
            text=[f"strength {strength:g}" for strength in group["strength"]],
        )  # fmt: skip
    return fig


def remedies_side_by_side(table: pd.DataFrame, columns: dict[str, str]) -> go.Figure:
    """Remedies side by side, a panel for each column and a colour for each world.

    Args:
        table: from ``chapters.remedies.best_strengths``.
        columns: column -> its title.
    """
    fig = make_subplots(
        rows=len(columns),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.06,
        subplot_titles=list(columns.values()),
    )
    for row, column in enumerate(columns, start=1):
        for number, (world, group) in enumerate(table.groupby("world", sort=False)):
            fig.add_trace(
                go.Scatter(
                    x=group["remedy"], y=group[column], name=str(world), mode="markers", showlegend=row == 1,
                    marker={"color": PALETTE[number], "symbol": SYMBOLS[number], "size": 9},
                    error_y=error_bars(group, column, f"{column}_low", f"{column}_high"),
                ),
                row=row, col=1,
            )  # fmt: skip
    fig.update_layout(template=TEMPLATE, height=190 * len(columns), legend={"y": -0.12})
    return fig


def _grid(rows: int, columns: int, titles: list[str]) -> go.Figure:
    fig = make_subplots(
        rows=rows, cols=columns, subplot_titles=titles, horizontal_spacing=0.14, vertical_spacing=0.16
    )
    return fig.update_layout(template=TEMPLATE)


def _heatmap(wide: pd.DataFrame, name: str, **how) -> go.Heatmap:
    values = wide.to_numpy(dtype=np.float64)
    values = np.where(np.abs(values) < 0.005, 0.0, values)  # no "-0.00"
    text = np.where(np.isnan(values), "", np.vectorize("{:.2f}".format)(values))
    return go.Heatmap(
        z=values, x=list(wide.columns), y=list(wide.index), text=text,
        texttemplate="%{text}", hovertemplate=f"%{{y}}, %{{x}}: {name} %{{z:.3f}}<extra></extra>", **how,
    )  # fmt: skip


def _scale(colours, low: float, high: float, title: str) -> dict:
    return {
        "colorscale": colours, "cmin": low, "cmax": high,
        "colorbar": {"title": {"text": title}, "thickness": 10, "len": 0.8},
    }  # fmt: skip

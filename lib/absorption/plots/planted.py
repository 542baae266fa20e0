"""Figures of the chapters that test the definitions on planted truth: tables in, figures out."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from absorption.plots.theme import GREY, PALETTE, SYMBOLS, TEMPLATE, error_bars, figure, wrapped

SIZES, WIDTHS = (15, 11, 7), (6, 3.5, 1.5)
"""Markers and lines of the three definitions, largest first: equal values lie on top of each other."""
TITLE_WIDTH = 32
"""Characters of a panel's title that fit on a phone."""
LOG_FROM = 1e-5
"""Smallest false-positive rate drawn on a logarithmic axis."""


def found_and_fooled(table: pd.DataFrame) -> go.Figure:
    """Recall where words were made to absorb, share wrongly called absorbed where they were not.

    Args:
        table: from ``planted.study.scores``, with ``case``, ``definition``, ``recall``, ``false_rate`` and their ends.
    """
    panels = {
        "recall": ("absorbing: share of the absorbed words found", table[table["n_true"] > 0]),
        "false_rate": ("not absorbing: share of the words called absorbed", table[table["n_true"] == 0]),
    }
    fig = make_subplots(
        rows=2, cols=1, vertical_spacing=0.2,
        subplot_titles=wrapped([title for title, _ in panels.values()], TITLE_WIDTH),
    )  # fmt: skip
    for row, (column, (_, part)) in enumerate(panels.items(), start=1):
        for number, (definition, group) in enumerate(part.groupby("definition", sort=False)):
            fig.add_trace(
                go.Scatter(
                    x=group[column], y=group["case"], name=str(definition), mode="markers", showlegend=row == 1,
                    marker={"color": PALETTE[number], "symbol": SYMBOLS[number], "size": SIZES[number % 3]},
                    error_x=error_bars(group, column, f"{column}_low", f"{column}_high"),
                ),
                row=row, col=1,
            )  # fmt: skip
        fig.update_yaxes(autorange="reversed", automargin=True, row=row, col=1)
    fig.update_xaxes(range=[-0.03, 1.03], row=1, col=1)
    fig.update_xaxes(rangemode="tozero", row=2, col=1)
    return fig.update_layout(template=TEMPLATE, height=640, margin={"t": 56}, legend={"y": -0.1})


def sweeps(table: pd.DataFrame, titles: dict[str, tuple[str, str]]) -> go.Figure:
    """One panel a factor: recall (or false rate) of each definition against it.

    Args:
        table: from ``chapters.metric.sweep``.
        titles: factor -> (column drawn, its title).
    """
    fig = make_subplots(
        rows=len(titles), cols=1, vertical_spacing=0.1,
        subplot_titles=wrapped([title for _, title in titles.values()], TITLE_WIDTH),
    )  # fmt: skip
    for row, (factor, (column, _)) in enumerate(titles.items(), start=1):
        part = table[table["factor"] == factor]
        for number, (definition, group) in enumerate(part.groupby("definition", sort=False)):
            fig.add_trace(
                go.Scatter(
                    x=group["setting"], y=group[column], name=str(definition), mode="lines+markers",
                    showlegend=row == 1, line={"color": PALETTE[number], "width": WIDTHS[number % 3]},
                    marker={"symbol": SYMBOLS[number], "size": SIZES[number % 3]},
                    error_y=error_bars(group, column, f"{column}_low", f"{column}_high"),
                ),
                row=row, col=1,
            )  # fmt: skip
        if factor in ("strength", "small half"):
            values = sorted(part["setting"].unique())
            fig.update_xaxes(
                type="log", tickvals=values, ticktext=[f"{value:g}" for value in values], row=row, col=1
            )
    margin = {"t": 56}
    return fig.update_layout(template=TEMPLATE, height=280 * len(titles), margin=margin, legend={"y": -0.06})


def thresholds(table: pd.DataFrame) -> go.Figure:
    """Precision and recall as one threshold at a time moves, a row a threshold.

    Args:
        table: from ``chapters.metric.sensitivity``.
    """
    names, columns = list(table["threshold"].unique()), ("recall", "precision")
    colours = {name: number for number, name in enumerate(table["definition"].unique())}
    fig = make_subplots(
        rows=len(names), cols=2, vertical_spacing=0.08, horizontal_spacing=0.12,
        subplot_titles=wrapped([f"{column}: {name}" for name in names for column in columns], 20),
    )  # fmt: skip
    shown: set[str] = set()
    for row, name in enumerate(names, start=1):
        for definition, group in table[table["threshold"] == name].groupby("definition", sort=False):
            number = colours[definition]
            for place, column in enumerate(columns, start=1):
                fig.add_trace(
                    go.Scatter(
                        x=group["setting"], y=group[column], name=str(definition), mode="lines+markers",
                        legendgroup=str(definition), showlegend=str(definition) not in shown,
                        line={"color": PALETTE[number], "width": WIDTHS[number % 3]},
                        marker={"symbol": SYMBOLS[number], "size": SIZES[number % 3]},
                        error_y=error_bars(group, column, f"{column}_low", f"{column}_high"),
                    ),
                    row=row, col=place,
                )  # fmt: skip
                shown.add(str(definition))
    fig.update_yaxes(range=[-0.05, 1.05])
    fig.update_annotations(font_size=12)
    return fig.update_layout(template=TEMPLATE, height=210 * len(names), legend={"y": -0.05})


def roc(table: pd.DataFrame, *, log: bool = False) -> go.Figure:
    """ROC curves of several scores with the line of chance.

    Args:
        table: from ``toy.roc.curves``.
        log: logarithmic false-positive rate: where true pairs are rare, only its left end matters.
    """
    fig = figure("share of the other pairs ranked as high", "share of the absorbing pairs found", height=460)
    for number, (score, group) in enumerate(table.groupby("score", sort=False)):
        part = group[group["false_rate"] >= LOG_FROM] if log else group
        fig.add_scatter(
            x=part["false_rate"], y=part["true_rate"], name=str(score), mode="lines",
            line={"color": PALETTE[number % len(PALETTE)], "dash": "solid" if number < 3 else "dash"},
        )  # fmt: skip
    chance = [LOG_FROM, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 1] if log else [0, 1]
    fig.add_scatter(x=chance, y=chance, name="chance", mode="lines", line={"color": GREY, "dash": "dot"})
    if log:
        fig.update_xaxes(type="log", dtick=1, exponentformat="power")
    return fig.update_yaxes(range=[-0.02, 1.02])


def areas(table: pd.DataFrame) -> go.Figure:
    """Area under the ROC curve and average precision of every score, a colour for each set of pairs.

    Args:
        table: from ``toy.roc.areas``, with ``pairs`` naming the set.
    """
    titles = {
        "auc": "area under the ROC curve<br>(chance: 0.5)",
        "precision": "average precision<br>(chance: base rate)",
    }
    fig = make_subplots(rows=2, cols=1, vertical_spacing=0.18, subplot_titles=list(titles.values()))
    for row, column in enumerate(titles, start=1):
        for number, (pairs, group) in enumerate(table.groupby("pairs", sort=False)):
            look = {"color": PALETTE[number], "symbol": SYMBOLS[number], "size": 10}
            fig.add_trace(
                go.Scatter(
                    x=group[column], y=group["score"], name=str(pairs), mode="markers", marker=look,
                    showlegend=row == 1, error_x=error_bars(group, column, f"{column}_low", f"{column}_high"),
                ),
                row=row, col=1,
            )  # fmt: skip
            chance = 0.5 if column == "auc" else float(group["base_rate"].iloc[0])
            dotted = {"color": PALETTE[number], "dash": "dot", "width": 1}
            fig.add_vline(x=chance, line=dotted, row=row, col=1)  # type: ignore[arg-type]
    fig.update_xaxes(range=[-0.03, 1.03])
    fig.update_yaxes(autorange="reversed")
    return fig.update_layout(template=TEMPLATE, height=600, margin={"t": 56}, legend={"y": -0.1})


def precision_at(table: pd.DataFrame) -> go.Figure:
    """Share of labelled pairs among the first k, with the base rate.

    Args:
        table: from ``toy.roc.precision_at``.
    """
    fig = figure("first k pairs", "share that the labelled metric confirms")
    fig.add_scatter(x=table["k"], y=table["precision"], name="by score", mode="lines+markers")
    fig.add_scatter(
        x=table["k"],
        y=table["base_rate"],
        name="base rate",
        mode="lines",
        line={"color": GREY, "dash": "dot"},
    )
    fig.update_xaxes(type="log", tickvals=table["k"], ticktext=[f"{k:g}" for k in table["k"]])
    return fig.update_yaxes(rangemode="tozero")

"""Figures of chapter 2: probe baselines."""

from __future__ import annotations

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing

METHODS = {"LR probe": (theme.BLUE, "o"), "difference in means": (theme.ORANGE, "D")}


@drawing
def scores_by_letter(table: pd.DataFrame, metric: str) -> Canvas:
    """One metric of both probes, letter by letter: ``method, letter, value, low, high``."""
    rows = theme.upper(table[(table["metric"] == metric) & (table["letter"] != "mean")])
    order = list(rows[rows["method"] == "LR probe"].sort_values("value", ascending=False)["letter"])
    fig, ax = theme.axes("first letter", metric.upper() if metric in ("f1", "auroc") else metric)
    marks.groups(ax, rows, "letter", "value", "method", order=order, looks=METHODS)
    ax.set_ylim(0, 1.02)
    return theme.shows(fig, rows)


@drawing
def scores_by_depth(table: pd.DataFrame, metrics: tuple[str, ...] = ("f1", "auroc")) -> Canvas:
    """Means over letters against depth: ``method, depth, metric, value, low, high``."""
    fig, ax = theme.axes("blocks applied (0 is the embedding)", "mean over letters")
    for metric, dash in zip(metrics, theme.DASHES, strict=False):
        rows = table[table["metric"] == metric]
        marks.groups(
            ax, rows, "depth", "value", "method", line=True, dash=dash, looks=METHODS,
            named=lambda method, metric=metric: f"{method}, {metric.upper()}",
            fillstyle="full" if metric == metrics[0] else "none", markeredgewidth=0.8,
        )  # fmt: skip
    ax.set_ylim(0, 1.02)
    return fig


@drawing
def direction_cosines(table: pd.DataFrame) -> Canvas:
    """How alike the letters' directions are, a heatmap a kind of direction; letters in the table's order.

    Args:
        table: ``direction, letter, other, cosine``, as ``probe_baselines.direction_cosines`` gives it.
    """
    rows = theme.upper(theme.upper(table), "other")
    kinds, order = list(dict.fromkeys(rows["direction"])), list(dict.fromkeys(rows["letter"]))
    fig, grid = theme.panels(len(kinds), height=3.2)
    for ax, kind in zip(grid, kinds, strict=True):
        wide = rows[rows["direction"] == kind].pivot(index="letter", columns="other", values="cosine")
        look = {"low": -1.0, "high": 1.0, "colours": theme.DIVERGING, "title": "cosine", "written": False}
        marks.heatmap(ax, wide.loc[order, order], **look)
        ax.set_title(kind, pad=3)
        ax.tick_params(labelsize=5.5, rotation=0)
    return fig

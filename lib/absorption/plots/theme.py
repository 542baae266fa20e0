"""One look for all figures: quiet axes, a colour-blind-safe palette, legends below so that phones fit."""

from __future__ import annotations

import textwrap

import plotly.graph_objects as go

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7a7a7a",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY)
"""Okabe and Ito's colours, told apart with every common colour blindness."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "cross", "star")
HEIGHT = 420
L0_SHARE = "L0 at the words, share of d_model"
PUBLISHED_BEST = (25 / 2304, 50 / 2304)
"""Where the paper finds the best F1 in layers 0 to 12: L0 25 to 50 of Gemma-2-2B's 2,304 dimensions (section 5.1)."""

_AXIS = {
    "showline": True, "linecolor": "#888", "gridcolor": "rgba(128,128,128,.2)", "zeroline": False,
    "ticks": "outside", "tickcolor": "#888", "title": {"standoff": 8}, "automargin": True,
}  # fmt: skip
TEMPLATE = go.layout.Template(
    layout=go.Layout(
        colorway=PALETTE,
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#222"},
        paper_bgcolor="white",
        plot_bgcolor="white",
        xaxis=_AXIS,
        yaxis=_AXIS,
        margin={"l": 56, "r": 12, "t": 36, "b": 48},
        legend={"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top", "title": {"text": ""}},
        hoverlabel={"font": {"family": "system-ui, sans-serif"}},
    )
)


def figure(x: str = "", y: str = "", *, height: int = HEIGHT, **layout) -> go.Figure:
    """An empty figure in the house style with named axes."""
    fig = go.Figure()
    fig.update_layout(template=TEMPLATE, height=height, xaxis_title=x, yaxis_title=y, **layout)
    return fig


def error_bars(table, value: str = "value", low: str = "low", high: str = "high") -> dict:
    """Plotly's asymmetric error bars from interval columns."""
    return {
        "type": "data", "symmetric": False, "thickness": 1.2, "width": 3,
        "array": (table[high] - table[value]).clip(lower=0),
        "arrayminus": (table[value] - table[low]).clip(lower=0),
    }  # fmt: skip


def share_axis(fig: go.Figure) -> None:
    """L0 over d_model on a logarithmic axis, with the range in which the paper finds the best F1 shaded."""
    fig.update_xaxes(type="log", tickformat=".1%", tickvals=[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1])
    fig.add_vrect(
        x0=PUBLISHED_BEST[0], x1=PUBLISHED_BEST[1], fillcolor=GREY, opacity=0.15, line_width=0, layer="below"
    )


NULL = ("null", "null_low", "null_high")
"""Columns of a rate's null: what the definition finds under directions that are not the letter's."""


def add_null(fig: go.Figure, rows, name: str, **where) -> None:
    """The nulls of some rates in grey, behind them in the legend once: a mark at the mean, a bar over 95% of draws.

    Args:
        fig: the figure.
        rows: table with the columns ``NULL``.
        name: shown on hovering.
        where: ``x, y`` and whatever else the rates' own trace is given; ``orientation`` h for rates along x.
    """
    along = "x" if where.get("orientation") == "h" else "y"
    bars = {**error_bars(rows, *NULL), "thickness": 5, "width": 0, "color": "rgba(120, 120, 120, 0.45)"}
    symbol = "line-ns-open" if along == "x" else "line-ew-open"
    fig.add_scatter(
        mode="markers", name="null", marker={"color": GREY, "symbol": symbol, "size": 9}, legendgroup="null",
        hovertemplate=f"{name}: %{{{along}:.3f}}<extra></extra>", **{f"error_{along}": bars}, **where,
    )  # fmt: skip


def wrapped(names, width: int = 18) -> list[str]:
    """Category names in lines of at most about ``width`` characters, so that a phone leaves room for the plot."""
    return ["<br>".join(textwrap.wrap(str(name), width, break_long_words=False)) for name in names]


def band(fig: go.Figure, x, low, high, colour: str, **where) -> None:
    """A shaded interval."""
    fill = f"rgba({int(colour[1:3], 16)},{int(colour[3:5], 16)},{int(colour[5:7], 16)},.15)"
    fig.add_scatter(
        x=[*x, *list(x)[::-1]], y=[*high, *list(low)[::-1]], fill="toself", fillcolor=fill,
        mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False, **where,
    )  # fmt: skip

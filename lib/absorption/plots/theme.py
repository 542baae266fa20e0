"""One look for all figures: quiet axes, a colour-blind-safe palette, a width that a phone shows without scrolling.

A figure is drawn as wide as a phone's page and as high as it needs, and scales up on a desktop: one drawing, legible
on both. Its ground is transparent and its ink is the page's (``show`` sees to that), so it fits light and dark pages.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator, PercentFormatter

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7a7a7a",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY)
"""Okabe and Ito's colours, told apart with every common colour blindness."""
DIVERGING = LinearSegmentedColormap.from_list("orange to blue", [ORANGE, "#ffffff", BLUE])
SYMBOLS = ("o", "D", "s", "^", "X", "P", "*")
DASHES = ("-", "--", ":", "-.", (0, (6, 2)))
INK = "#1f2329"
"""Text and axes; on a page its own colour of text takes this one's place."""
WIDTH = 4.1
"""Inches: 394 pixels, a phone's page."""
HEIGHT = 3.1
L0_SHARE = "L0 at the words, share of d_model"
PUBLISHED_BEST = (25 / 2304, 50 / 2304)
"""Where the paper finds the best F1 in layers 0 to 12: L0 25 to 50 of Gemma-2-2B's 2,304 dimensions (section 5.1)."""
STYLE: dict[str, Any] = {
    **sns.axes_style("ticks"),
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    "patch.force_edgecolor": False, "axes.edgecolor": "#888888", "xtick.color": "#888888", "ytick.color": "#888888",
    "axes.labelcolor": INK, "text.color": INK, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.grid": True, "grid.color": "#80808040", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5, "ytick.major.size": 2.5,
    "font.family": ["sans-serif"], "font.sans-serif": ["DejaVu Sans"], "font.size": 7.5,
    "axes.labelsize": 7.5, "axes.titlesize": 7.5, "xtick.labelsize": 7, "ytick.labelsize": 7,
    "legend.fontsize": 7, "legend.frameon": False, "lines.linewidth": 1.1, "lines.markersize": 3.6,
    "svg.fonttype": "none", "text.parse_math": False, "svg.hashsalt": "absorption",
    "figure.constrained_layout.h_pad": 0.04, "figure.constrained_layout.w_pad": 0.02,
}  # fmt: skip
Built = ParamSpec("Built")


class Canvas(Figure):
    """A figure in the making, and what its page must know of it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.shown: tuple[pd.DataFrame, ...] = ()
        """The rows that it shows, where these are not all of its function's tables."""
        self.unknown: list[str] = []
        """Values whose interval is not known."""
        self.note = ""
        """What its caption must say besides."""


def canvas(ax: Axes) -> Canvas:
    """The figure of a panel."""
    assert isinstance(ax.figure, Canvas)
    return ax.figure


@dataclass(frozen=True)
class Drawing:
    """A figure with the tables that it shows."""

    figure: Canvas
    values: tuple[pd.DataFrame, ...]

    @property
    def note(self) -> str:
        """What the caption must say besides: values without a known interval, what is left out; mostly empty."""
        unknown = self.figure.unknown
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        without = f"No interval is known for {', '.join(unknown[:5])}{more}." if unknown else ""
        return " ".join(filter(None, [self.figure.note, without]))


def drawing(function: Callable[Built, Canvas]) -> Callable[Built, Drawing]:
    """Makes a function from tables to a figure draw in the house style, with a legend below, and keep its tables."""

    @wraps(function)
    def draw(*args: Built.args, **kwargs: Built.kwargs) -> Drawing:
        tables = [value for value in (*args, *kwargs.values()) if isinstance(value, pd.DataFrame)]
        with style():
            if tables and tables[0].empty:
                figure = empty("There is nothing to draw: the table of this figure has no rows.")
            else:
                figure = function(*args, **kwargs)
            _legend(figure)
        return Drawing(figure, figure.shown or tuple(tables))

    return draw


@contextmanager
def style(more: Mapping[str, Any] | None = None) -> Iterator[None]:
    """The house style, for drawing and for saving."""
    settings: Any = {**STYLE, **(more or {})}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # the reader's fonts draw it
        yield


def shows(fig: Canvas, *tables: pd.DataFrame) -> Canvas:
    """Say which rows a figure shows, where these are not all of the tables that it was given."""
    fig.shown = tables
    return fig


def empty(why: str) -> Canvas:
    """A frame without marks that says why."""
    fig, ax = axes(height=1.2)
    ax.set(xticks=[], yticks=[])
    ax.text(0.5, 0.5, _lines(why, WIDTH / 1.4), ha="center", va="center", transform=ax.transAxes)
    return fig


def axes(x: str = "", y: str = "", *, height: float = HEIGHT) -> tuple[Canvas, Axes]:
    """A figure with one panel and named axes; ``height`` in inches, legend and all."""
    fig, grid = panels(1, 1, height=height)
    grid[0].set(xlabel=_lines(x, WIDTH), ylabel=_lines(y, height))
    return fig, grid[0]


def panels(rows: int, columns: int = 1, *, height: float = 1.6, **share: Any) -> tuple[Canvas, list[Axes]]:
    """Panels row by row; ``height`` in inches of one row; ``share``: ``sharex`` and ``sharey``."""
    fig = Canvas(figsize=(WIDTH, height * rows), layout="constrained")
    grid = fig.subplots(rows, columns, squeeze=False, **share)
    return fig, list(grid.flat)


def looks(names: Iterable[Any]) -> dict[Any, tuple[str, str]]:
    """A colour and a symbol for each name, in order; after the last colour they begin again with another symbol."""
    return {
        name: (PALETTE[i % len(PALETTE)], SYMBOLS[(i + i // len(PALETTE)) % len(SYMBOLS)])
        for i, name in enumerate(dict.fromkeys(names))
    }


class Names(FixedFormatter):
    """Names of categories, which stand at 0, 1, 2, ...."""


def categories(ax: Axes, names: Sequence[str], *, sideways: bool = False, width: int = 18) -> dict[str, int]:
    """Name the places of an axis; along y the first is at the top. Returns each name's place."""
    axis = ax.yaxis if sideways else ax.xaxis
    axis.set_major_locator(FixedLocator(list(range(len(names)))))
    axis.set_major_formatter(Names(wrapped(names, width)))
    ends = (-0.6, len(names) - 0.4)
    if sideways:
        ax.set_ylim(ends[1], ends[0])
    else:
        ax.set_xlim(*ends)
        if all(len(name) == 1 for name in names):
            ax.tick_params(axis="x", labelsize=6.5, length=1.5)
    return {name: place for place, name in enumerate(names)}


def ticks(ax: Axes, names: dict[float, str], *, which: str = "x", **text: Any) -> None:
    """Name some values of a numeric axis, and no others."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(FixedLocator(list(names)))
    axis.set_major_formatter(FixedFormatter(list(names.values())))
    axis.set_minor_locator(NullLocator())
    for label in axis.get_ticklabels():
        label.set(**text)


def percent(ax: Axes, which: str = "y", decimals: int = 0) -> None:
    """Write an axis of shares in percent."""
    (ax.xaxis if which == "x" else ax.yaxis).set_major_formatter(PercentFormatter(1, decimals))


def from_zero(ax: Axes, which: str = "y") -> None:
    """Begin an axis of shares at zero, and leave room above the highest mark."""
    low, high = ax.get_ylim() if which == "y" else ax.get_xlim()
    (ax.set_ylim if which == "y" else ax.set_xlim)(min(0.0, low), high)


def share_axis(ax: Axes) -> None:
    """L0 over d_model on a logarithmic axis, with the range in which the paper finds the best F1 shaded."""
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.axvspan(*PUBLISHED_BEST, color=GREY, alpha=0.2, lw=0, label="_span")
    ax.set_xlim(min(low, PUBLISHED_BEST[0] / 1.2), high)
    places = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
    ticks(ax, {place: f"{place:.1%}".replace(".0", "") for place in places})


def wrapped(names: Iterable[Any], width: int = 18) -> list[str]:
    """Names in lines of at most about ``width`` characters, so that a phone leaves room for the plot."""
    return ["\n".join(textwrap.wrap(str(name), width, break_long_words=False)) for name in names]


def _lines(title: str, inches: float) -> str:
    return "\n".join(textwrap.wrap(title, max(12, int(inches * 14))))


def _legend(fig: Figure) -> None:
    """One legend below all panels; each name once, in the order in which it was drawn."""
    named: dict[str, Any] = {}
    for ax in fig.axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    if not named:
        return
    named |= {"null": named.pop("null")} if "null" in named else {}  # last
    longest = max(map(len, named))
    columns = max(1, min(len(named), int(WIDTH * 17 / (longest + 5))))
    fig.legend(
        list(named.values()), list(named), ncols=columns, handletextpad=0.4, columnspacing=1.2, borderpad=0.2,
        loc="outside upper left" if fig.get_supxlabel() else "outside lower left",  # not over a title of all panels
    )  # fmt: skip


def upper(table: pd.DataFrame, column: str = "letter") -> pd.DataFrame:
    """Letters as figures write them."""
    return table.assign(**{column: table[column].str.upper()})

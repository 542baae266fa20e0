"""Two ways to choose a letter's latent, layer by layer (chapter 3)."""

from __future__ import annotations

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing

SAME = "same latent"


@drawing
def choices_by_layer(table: pd.DataFrame) -> Canvas:
    """Mean F1 of either choice, and the share of letters with the same latent, against depth.

    Args:
        table: ``depth, what, value, low, high``, as ``recall_gap.choices_by_layer`` gives it.
    """
    fig, ax = theme.axes("blocks before the SAE", "mean F1, or share of letters")
    marks.groups(
        ax, table, "depth", "value", "what", line=True,
        named=lambda what: "letters with the same latent" if what == SAME else f"F1, latent by {what}",
    )  # fmt: skip
    ax.set_ylim(0, 1.02)
    return fig

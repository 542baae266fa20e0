"""Figures of chapter 4: feature splitting."""

from __future__ import annotations

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing


@drawing
def f1_against_k(scores: pd.DataFrame, split: list[str]) -> Canvas:
    """F1 of the k-sparse probe against k, a line a letter; letters that split are coloured.

    Args:
        scores: ``letter, k, f1``, as in ``latents.KSparse.scores``.
        split: letters with more than one main latent, the largest jump first.
    """
    fig, ax = theme.axes("k, number of latents", "F1 on test words", height=3.4)
    named = split[: len(theme.PALETTE) - 1]
    thin = {"colour": theme.GREY, "symbol": "", "ends": None, "line": True, "linewidth": 0.6, "alpha": 0.5}
    for letter, rows in scores.groupby("letter"):
        if letter not in named:
            marks.series(ax, rows.sort_values("k"), "k", "f1", name="other letters", **thin)
    rows = scores[scores["letter"].isin(named)]
    rows = rows.sort_values("letter", key=lambda letters: letters.map(named.index), kind="stable")
    marks.groups(ax, rows, "k", "f1", "letter", ends=None, line=True, named=str.upper)
    return fig


@drawing
def jump_at_two(jumps: pd.DataFrame, f1_jump: float) -> Canvas:
    """Rise of F1 from one latent to two, letter by letter, with the line above which it counts as a split.

    Args:
        jumps: ``letter, jump, low, high``.
        f1_jump: the line.
    """
    rows = theme.upper(jumps.sort_values("jump", ascending=False))
    fig, ax = theme.axes("first letter", "F1 at k = 2 minus F1 at k = 1")
    marks.groups(ax, rows, "letter", "jump", order=list(rows["letter"]))
    marks.rule(ax, y=f1_jump, text="counts as a split", colour=theme.RED, dash="--")
    return fig


@drawing
def splits_against_l0(table: pd.DataFrame) -> Canvas:
    """Mean number of splits against L0 at the words over d_model, a line a width.

    Args:
        table: ``d_sae, l0_share, splits, splits_low, splits_high``, one row an SAE.
    """
    fig, ax = theme.axes(theme.L0_SHARE, "splits of a letter, mean over letters")
    marks.against_l0(ax, table, "splits")
    theme.from_zero(ax)
    return fig

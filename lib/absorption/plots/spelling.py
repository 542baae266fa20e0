"""Figures of chapter 1: can the model spell?"""

from __future__ import annotations

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing

CHANCE = 1 / 26


@drawing
def accuracy_by_examples(table: pd.DataFrame) -> Canvas:
    """Accuracy against the number of in-context examples: ``n_examples, value, low, high``."""
    fig, ax = theme.axes("in-context examples", "first-letter accuracy")
    marks.groups(ax, table, "n_examples", "value", line=True)
    marks.rule(ax, y=CHANCE, text="chance")
    ax.set_ylim(0, 1.02)
    return fig


@drawing
def accuracy_by_letter(table: pd.DataFrame) -> Canvas:
    """Accuracy of each letter, best first: ``letter, value, low, high, words``."""
    rows = theme.upper(table.sort_values("value", ascending=False))
    fig, ax = theme.axes("first letter", "accuracy")
    marks.groups(ax, rows, "letter", "value", order=list(rows["letter"]))
    marks.rule(ax, y=CHANCE, text="chance")
    ax.set_ylim(0, 1.02)
    return fig


@drawing
def accuracy_by_group(table: pd.DataFrame, group: str, title: str) -> Canvas:
    """Accuracy by length or commonness, one line for words with and one without a leading space.

    Args:
        table: ``group, leading_space, value, low, high, words``.
        group: the column on the x axis.
        title: its name for readers.
    """
    fig, ax = theme.axes(title, "accuracy")
    names = {True: "with leading space", False: "without"}
    rows = table.sort_values("leading_space", ascending=False, kind="stable")
    marks.groups(ax, rows, group, "value", "leading_space", line=True, named=names.__getitem__)
    marks.rule(ax, y=CHANCE, text="chance")
    ax.set_ylim(0, 1.02)
    return fig


@drawing
def accuracy_by_task(table: pd.DataFrame) -> Canvas:
    """Accuracy of each task against the word's length: ``task, length, value, low, high, words``."""
    fig, ax = theme.axes("letters in the word (12 and more pooled)", "share of words right")
    marks.groups(ax, table, "length", "value", "task", line=True)
    ax.set_ylim(0, 1.02)
    return fig


@drawing
def patching(table: pd.DataFrame, hook_depth: int) -> Canvas:
    """Answers after the word's residual stream was replaced: ``patch, outcome, depth, value, low, high``."""
    rows = table.assign(line=table["patch"] + ": " + table["outcome"]).sort_values("line", kind="stable")
    fig, ax = theme.axes("blocks applied before the replacement", "share of words")
    marks.groups(ax, rows, "depth", "value", "line", line=True)
    marks.rule(ax, x=hook_depth, text="SAEs")
    ax.set_ylim(0, 1.02)
    return fig

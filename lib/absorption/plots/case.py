"""Figures of one absorbed word (chapter 5): its letter's main latent and the absorbing one."""

from __future__ import annotations

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing

ROLES = {"main": (theme.BLUE, "o"), "absorbing": (theme.RED, "D"), "other": (theme.GREY, "s")}
"""Colour and symbol of each role, the same in every figure."""


@drawing
def prompt_activations(table: pd.DataFrame, word: str) -> Canvas:
    """Bars a role over the words of one prompt; the absorbed word's label is bold.

    Args:
        table: ``place, word, role, activation``, as ``chapters.prompt_activations`` gives it.
        word: the absorbed word.
    """
    fig, ax = theme.axes("words of one prompt, in order", "activation", height=3.4)
    roles = list(dict.fromkeys(table["role"]))
    width = 0.8 / max(len(roles), 1)
    for number, role in enumerate(roles):
        rows = table[table["role"] == role]
        shift = width * (number - (len(roles) - 1) / 2)
        ax.bar(rows["place"] + shift, rows["activation"], width, color=ROLES[role][0], label=str(role))
    words = table.drop_duplicates("place").set_index("place")["word"].sort_index()
    theme.ticks(ax, dict(words.str.strip()), rotation=60, ha="right", rotation_mode="anchor", fontsize=6.5)
    _bold(ax, [name.strip() for name in words if name == word])
    return fig


@drawing
def decoder_cosines(table: pd.DataFrame, letter: str) -> Canvas:
    """Decoder cosine of a few latents with every letter's probe; the word's letter is marked.

    Args:
        table: ``role, letter, cosine``, as ``latents.decoder_cosines`` gives it.
        letter: the absorbed word's letter.
    """
    rows = theme.upper(table)
    fig, ax = theme.axes("probe of the letter", "decoder cosine")
    order = sorted(rows["letter"].unique())
    marks.groups(ax, rows, "letter", "cosine", "role", order=order, ends=None, looks=ROLES)
    _bold(ax, [letter.upper()])
    return fig


@drawing
def all_cosines(table: pd.DataFrame) -> Canvas:
    """Encoder against decoder cosine of every latent with one probe.

    Args:
        table: ``latent, encoder_cosine, decoder_cosine, role``, as ``latents.all_cosines`` gives it.
    """
    fig, ax = theme.axes("encoder cosine with the probe", "decoder cosine with the probe", height=3.4)
    for role in sorted(table["role"].unique(), key=["other", "main", "absorbing"].index):
        colour, symbol = ROLES[role]
        small = {"size": 2, "alpha": 0.4} if role == "other" else {"size": 5}
        rows = table[table["role"] == role]
        look = {"name": role, "colour": colour, "symbol": symbol, **small}
        marks.points(ax, rows, "encoder_cosine", "decoder_cosine", **look)
    return fig


@drawing
def two_baselines(table: pd.DataFrame) -> Canvas:
    """Each latent's effect under both metrics, with the line of equality.

    Args:
        table: ``latent, mean_effect, max_effect``, as ``ablation.effects_by_baseline`` gives it.
    """
    fig, ax = theme.axes(
        "effect, right letter minus mean of the others", "effect, right letter minus best other", height=3.4
    )
    both = table[["mean_effect", "max_effect"]]
    marks.diagonal(ax, both)
    marks.points(ax, table, "mean_effect", "max_effect", name="a latent of a word", size=3, alpha=0.6)
    return fig


def _bold(ax: theme.Axes, names: list[str]) -> None:
    for label in ax.get_xticklabels():
        if label.get_text() in names:
            label.set(fontweight="bold")

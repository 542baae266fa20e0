"""Figures of chapter 3: the recall gap."""

from __future__ import annotations

from typing import Any

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing


@drawing
def probe_against_latents(probe: pd.DataFrame, latents: pd.DataFrame) -> Canvas:
    """F1 of the probe and of the latent of each selection, letter by letter.

    Args:
        probe: ``letter, value`` with intervals, F1 only.
        latents: ``selection, letter, latent, value`` with intervals, F1 only.
    """
    found = latents.assign(name="latent by " + latents["selection"])
    rows = theme.upper(pd.concat([probe.assign(name="LR probe"), found]))
    order = list(theme.upper(probe).sort_values("value", ascending=False)["letter"])
    fig, ax = theme.axes("first letter", "F1 on test words")
    marks.groups(ax, rows, "letter", "value", "name", order=order, size=3)
    ax.set_ylim(0, 1.02)
    return fig


@drawing
def f1_by_split(table: pd.DataFrame) -> Canvas:
    """F1 of each letter's latent on the test words of either split, sorted by the split by word.

    Args:
        table: ``split, letter, latent, value, low, high``, as ``recall_gap.f1_by_split`` gives it; means are left out.
    """
    rows = theme.upper(table[table["letter"] != "mean"])
    order = list(rows[rows["split"] == "word"].sort_values("value", ascending=False)["letter"])
    fig, ax = theme.axes("first letter", "F1 on test words")
    marks.groups(ax, rows, "letter", "value", "split", order=order, named=lambda split: f"split by {split}")
    ax.set_ylim(0, 1.02)
    return theme.shows(fig, rows)


@drawing
def f1_by_level(table: pd.DataFrame) -> Canvas:
    """F1 of each letter's latent under either rule of when it is on, sorted by the published one, which comes first.

    Args:
        table: ``letter, rule, value, low, high``, as ``recall_gap.at_levels`` gives it for one selection.
    """
    rows = theme.upper(table)
    first = rows[rows["rule"] == rows["rule"].iloc[0]]
    order = list(first.sort_values("value", ascending=False)["letter"])
    fig, ax = theme.axes("first letter", "F1 on test words")
    marks.groups(ax, rows, "letter", "value", "rule", order=order)
    ax.set_ylim(0, 1.02)
    return fig


@drawing
def precision_recall(points: pd.DataFrame) -> Canvas:
    """Mean precision against mean recall, one point an SAE and selection, and the probe.

    Args:
        points: ``sae, selection, precision, recall`` with ``_low`` and ``_high`` columns.
    """
    fig, ax = theme.axes("recall, mean over letters", "precision, mean over letters", height=3.6)
    looks = theme.looks(points["sae"])
    for sae, rows in points.groupby("sae", sort=False):
        marks.cross(ax, rows, "recall", "precision", name=str(sae), look=looks[sae], size=4)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02))
    return fig


@drawing
def scores_against_l0(points: pd.DataFrame) -> Canvas:
    """Precision, recall and F1 against L0 at the words over d_model, one line a width.

    Args:
        points: ``sae, l0_share, d_sae`` and the three scores with ``_low`` and ``_high``, one row an SAE.
    """
    fig, grid = theme.panels(3, sharex=True)
    for ax, metric in zip(grid, ("precision", "recall", "f1"), strict=True):
        ax.set(ylabel="F1" if metric == "f1" else metric)
        marks.against_l0(ax, points, metric)
    grid[-1].set(xlabel=theme.L0_SHARE)
    return fig


@drawing
def activation_shares(table: pd.DataFrame) -> Canvas:
    """Distribution functions of latents' activations, a panel a letter; where a curve begins is the share silent.

    Args:
        table: ``letter, latent, words, share, activation``, as ``recall_gap.activations`` gives it.
    """
    by_letter = list(theme.upper(table).groupby("letter", sort=False))
    fig, grid = theme.panels(-(-len(by_letter) // 2), 2, height=1.6, sharey=True)
    for ax, (letter, rows) in zip(grid, by_letter, strict=False):
        ax.set_title(f"{letter}, latent {rows['latent'].iloc[0]:,}", pad=3)
        for (words, mine), dash in zip(rows.groupby("words", sort=False), theme.DASHES, strict=False):
            look: dict[str, Any] = {
                "colour": theme.BLUE if dash == "-" else theme.ORANGE,
                "drawstyle": "steps-post",
            }
            marks.series(
                ax,
                mine,
                "activation",
                "share",
                name=str(words),
                symbol="",
                ends=None,
                line=True,
                dash=dash,
                **look,
            )
        ax.set_ylim(0, 1.02)
    for ax in grid[len(by_letter) :]:
        ax.set_axis_off()
    fig.supxlabel("activation", fontsize=7.5)
    fig.supylabel("share of words with at most this", fontsize=7.5)
    return fig

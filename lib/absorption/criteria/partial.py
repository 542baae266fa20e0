"""Partial absorption: the main latent is on but weak, and others carry the rest. The ablation metric leaves
these words out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from absorption.criteria.judge import FRACTION
from absorption.criteria.subject import Subject
from absorption.statistics import macro_interval

DEGREES = ("none", "partial", "full")


def degree_of(fraction: np.ndarray) -> np.ndarray:
    """``none`` for an absorption fraction of 0, ``full`` for 1, ``partial`` between."""
    return np.select([fraction <= 0, fraction >= 1], ["none", "full"], "partial")


def degree_table(table: pd.DataFrame, letters: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Share of the words that are absorbed not at all, in part, and wholly; mean over letters, with intervals.

    Args:
        table: from ``criteria.judge``.
        letters: letters to use.
        seed: of the bootstrap.

    Returns:
        ``degree, share, low, high, n_words``.
    """
    mine = table[(table["definition"] == FRACTION) & table["letter"].isin(list(letters))]
    degree = degree_of(mine["value"].to_numpy())
    rows = []
    for name in DEGREES:
        found = macro_interval(degree == name, mine["letter"].to_numpy(), seed=seed)
        rows.append((name, found.value, found.low, found.high, int((degree == name).sum())))
    return pd.DataFrame(rows, columns=["degree", "share", "low", "high", "n_words"])


def partial_words(subject: Subject, table: pd.DataFrame) -> pd.DataFrame:
    """Words absorbed in part: a main latent is on, but others carry much of what it carries elsewhere.

    Args:
        subject: words and latents.
        table: from ``criteria.judge``.

    Returns:
        ``word, letter, fraction, latent`` (the first absorber), ``main`` (what the main latents add along the
        probe direction), ``usual`` (its median over the letter's words with a main latent on) and ``strength``
        (the ratio of the two), largest fraction first.
    """
    main = np.array([float(w.projections[w.is_main].sum()) for w in subject.active_latents])
    levels = subject.frame().assign(main=main)
    usual = levels[~levels["candidate"]].groupby("letter")["main"].median()
    mine = table[(table["definition"] == FRACTION) & (table["value"] > 0) & (table["value"] < 1)]
    found = mine.merge(levels[["word", "main"]], on="word").rename(columns={"value": "fraction"})
    found["usual"] = found["letter"].map(usual).astype(float)
    found["strength"] = found["main"] / found["usual"]
    names = ["word", "letter", "fraction", "latent", "main", "usual", "strength"]
    return found.sort_values("fraction", ascending=False, ignore_index=True)[names]

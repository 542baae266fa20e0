"""Partial absorption: the main latent is on but weak, and others carry the rest. The ablation metric leaves
these words out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.case import name_latents
from absorption.chapters.absorption.count import Counted
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.evidence import Evidence
from absorption.definitions.nulls import Null
from absorption.definitions.rates import mean_rate
from absorption.definitions.rules import FRACTION

DEGREES = ("none", "partial", "full")


@dataclass(frozen=True)
class Degrees(Findings):
    """Words absorbed not at all, in part and wholly, and those in part one by one."""

    shares: pd.DataFrame
    partial: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Shares of the words, by degree."""
        return {"degrees": self.shares}


def count_degrees(basis: Basis, counted: Counted, settings: AbsorptionSettings) -> Degrees:
    """Sort the words of the chapter's own SAE by degree of absorption."""
    shares = degree_table(
        counted.words,
        basis.letters,
        valid=basis.valid,
        null=counted.null,
        seed=settings.seed,
        stems=basis.mine.words.stems,
    )
    return Degrees(shares, name_latents(basis.mine, partial_words(basis.evidence, counted.words)))


def degree_of(fraction: np.ndarray) -> np.ndarray:
    """``none`` for an absorption fraction of 0, ``full`` for 1, ``partial`` between."""
    return np.select([fraction <= 0, fraction >= 1], ["none", "full"], "partial")


def degree_table(
    table: pd.DataFrame,
    letters: Sequence[str],
    *,
    valid: Collection[str] | None = None,
    null: Null | None = None,
    seed: int = 0,
    stems: Shaped[np.ndarray, " all_words"] | None = None,
) -> pd.DataFrame:
    """Share of the words that are absorbed not at all, in part, and wholly; mean over letters, with intervals.

    Args:
        table: from ``definitions.apply_definitions``.
        letters: letters to use.
        valid: letters over which the mean is taken, those that pass ``definitions.gate``; default all used.
        null: from ``definitions.null_of_definitions``, of the same words: the same shares under other directions.
        seed: of the bootstrap.
        stems: what intervals resample, as in ``definitions.absorption_rates``.

    Returns:
        ``degree, share, low, high, null, null_low, null_high, p`` (as in ``Rate.row``; for ``none`` ``p`` is empty: a
        share above its null would speak against absorption), ``all_letters`` (the share without the gate) and
        ``n_words`` of the letters that count.
    """
    mine = table[table["definition"] == FRACTION]
    degree, counted = degree_of(mine["value"].to_numpy()), letters if valid is None else valid
    rows = []
    for name in DEGREES:
        shares = mine.assign(value=(degree == name).astype(np.float64))
        beside = None if null is None else _of_degree(null, name)
        gated, whole = (
            mean_rate(shares, letters, valid=kept, null=beside, seed=seed, stems=stems).row()
            for kept in (valid, None)
        )
        n_words = int(shares.loc[mine["letter"].isin(set(letters) & set(counted)), "value"].sum())
        p = {"p": np.nan} if name == "none" else {}
        rows.append({"degree": name, **gated, **p, "all_letters": whole["rate"], "n_words": n_words})
    return pd.DataFrame(rows).rename(columns={"rate": "share"})


def _of_degree(null: Null, name: str) -> Null:
    """The null of a degree's share: 1 where the fraction under another direction has this degree, else 0."""
    values = {
        kind: (degree_of(drawn) == name).astype(np.float64) for kind, drawn in null.values[FRACTION].items()
    }
    return Null({FRACTION: values}, {FRACTION: null.judged[FRACTION]})


def partial_words(evidence: Evidence, table: pd.DataFrame) -> pd.DataFrame:
    """Words absorbed in part: a main latent is on, but others carry much of what it carries elsewhere.

    Args:
        evidence: words and latents.
        table: from ``definitions.apply_definitions``.

    Returns:
        ``word, letter, fraction, latent`` (the first absorber), ``main`` (what the main latents add along the
        probe direction), ``usual`` (its median over the letter's words with a main latent on) and ``strength``
        (the ratio of the two), largest fraction first.
    """
    main = np.array([float(w.projections[w.is_main].sum()) for w in evidence.active_latents])
    levels = evidence.frame().assign(main=main)
    usual = levels[~levels["candidate"]].groupby("letter")["main"].median()
    mine = table[(table["definition"] == FRACTION) & (table["value"] > 0) & (table["value"] < 1)]
    found = mine.merge(levels[["word", "main"]], on="word").rename(columns={"value": "fraction"})
    found["usual"] = found["letter"].map(usual).astype(float)
    found["strength"] = found["main"] / found["usual"]
    names = ["word", "letter", "fraction", "latent", "main", "usual", "strength"]
    return found.sort_values("fraction", ascending=False, ignore_index=True)[names]

"""Is one of a latent's meta-latents its letter's? By the latents that share it, and by its direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from absorption.base.statistics import resample_counts
from absorption.composition.asked import Heard
from absorption.composition.variance import N_RESAMPLES, SEEDS_OF_DRAWS
from absorption.composition.weights import MetaSae

JUDGES = ("its latents", "its latents, twice chance", "its direction", "its direction, by pattern")
BY_LATENTS, BY_LIFT, BY_DIRECTION, BY_PATTERN = JUDGES
HALF = 0.5
"""A meta-latent is a letter's if at least half of the other latents that it is active on are."""
LIFT = 2.0
"""The weaker rule: the letter's share of them is at least twice its share of all latents."""
LEAST_LATENTS = 3
"""Other latents that must say something for that."""
LEAST_COSINE = 0.1
"""Least cosine of a letter's meta-latent with its probe: that of an absorber, in SAEBench's absorption fraction."""


class Judge:
    """One meta-SAE, and what is known of the letters of its meta-latents."""

    def __init__(
        self,
        meta: MetaSae,
        heard: Heard,
        cosines: Float[np.ndarray, "meta letter"],
        along_patterns: Float[np.ndarray, "meta letter"] | None = None,
    ) -> None:
        """
        Args:
            meta: the meta-SAE.
            heard: the letters of the latents whose rows it was trained on.
            cosines: of each meta-latent's direction with each letter's probe.
            along_patterns: the same with each probe's pattern; default the cosines with the probes.
        """
        self.meta, self.heard, self.cosines = meta, heard, cosines
        on = (meta.weights > 0).astype(np.float64)
        labels = np.equal(heard.letter[:, None], np.arange(cosines.shape[1])).astype(np.float64)
        self.of_letter = np.asarray(on.T @ labels)
        """Latents of each letter that a meta-latent is active on, ``meta letter``."""
        self.known = np.asarray(on.T @ heard.known.astype(np.float64))
        """Latents that it is active on and of which something is known."""
        self.base = labels.sum(0) / max(int(heard.known.sum()), 1)
        """Share of each letter among all latents of which something is known."""
        self.direction = points_to(cosines)
        """Number of the letter that it points to; -1 for none."""
        self.pattern = points_to(cosines if along_patterns is None else along_patterns)
        """The same along the letters' patterns."""

    def shares(self, latent: int, letter: int) -> Float[np.ndarray, " on"]:
        """Of each meta-latent of a latent: the share of the *other* latents it is active on that are the letter's.

        NaN where fewer than ``LEAST_LATENTS`` of them are known.
        """
        metas, _ = self.meta.of_row(latent)
        known = self.known[metas] - self.heard.known[latent]
        mine = self.of_letter[metas, letter] - (self.heard.letter[latent] == letter)
        return np.where(known >= LEAST_LATENTS, mine / np.maximum(known, 1), np.nan)

    def by_latents(self, latent: int, letter: int) -> bool:
        """Whether one of the latent's meta-latents is the letter's by the other latents that share it."""
        shares = self.shares(latent, letter)
        return bool((shares[~np.isnan(shares)] >= HALF).any())

    def by_lift(self, latent: int, letter: int) -> bool:
        """Whether the letter has twice the share of these latents that it has of all."""
        shares = self.shares(latent, letter)
        shares = shares[~np.isnan(shares)]
        return bool(((shares > 0) & (shares >= LIFT * self.base[letter])).any())

    def by_direction(self, latent: int, letter: int) -> bool:
        """Whether one of them points to the letter more than to any other."""
        return bool((self.direction[self.meta.of_row(latent)[0]] == letter).any())

    def by_pattern(self, latent: int, letter: int) -> bool:
        """The same along the letters' patterns."""
        return bool((self.pattern[self.meta.of_row(latent)[0]] == letter).any())


def points_to(cosines: Float[np.ndarray, "meta letter"]) -> Int[np.ndarray, " meta"]:
    """The letter with which each direction has the largest cosine, if that is large enough, else -1."""
    return np.where(cosines.max(1) >= LEAST_COSINE, cosines.argmax(1), -1)


def judge_latents(judge: Judge, asked: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The asked latents with a column of True or False for each of ``JUDGES``."""
    pairs = list(zip(asked["latent"], asked["letter"].map(list(names).index), strict=True))
    return asked.assign(
        **{
            BY_LATENTS: [judge.by_latents(latent, letter) for latent, letter in pairs],
            BY_LIFT: [judge.by_lift(latent, letter) for latent, letter in pairs],
            BY_DIRECTION: [judge.by_direction(latent, letter) for latent, letter in pairs],
            BY_PATTERN: [judge.by_pattern(latent, letter) for latent, letter in pairs],
        }
    )


def share_drawn(
    verdicts: Float[np.ndarray, "seed latent"], *, seed: int = 0
) -> Float[np.ndarray, " resample"]:
    """Mean verdict over latents and seeds: first as it is, then with both drawn again; NaN for no latents."""
    n_seeds, n = verdicts.shape
    if n == 0:
        return np.full(N_RESAMPLES + 1, np.nan)
    latents = resample_counts(n, n_resamples=N_RESAMPLES, seed=seed)
    seeds = resample_counts(n_seeds, n_resamples=N_RESAMPLES, seed=seed + SEEDS_OF_DRAWS)
    drawn = ((latents @ verdicts.T / n) * seeds).sum(1) / n_seeds
    return np.append(verdicts.mean(), drawn)


def verdicts_of(judged: Sequence[pd.DataFrame], column: str, group: str) -> Float[np.ndarray, "seed latent"]:
    """One group's verdicts under one judge, a row a training seed."""
    return np.stack([table.loc[table["group"] == group, column].to_numpy(dtype=float) for table in judged])

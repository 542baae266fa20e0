"""Is one of a latent's meta-latents its letter's? By the latents that share it, and by its direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from absorption.base.statistics import resample_counts
from absorption.composition.asked import Heard
from absorption.composition.variance import N_RESAMPLES, SEEDS_OF_DRAWS
from absorption.composition.weights import MetaSae

BY_LATENTS, BY_DIRECTION, BY_ABLATION = JUDGES = ("its latents", "its direction", "ablation")
HALF = 0.5
"""A meta-latent is a letter's if at least half of the other latents that it is active on are."""
LEAST_LATENTS = 3
"""Other latents that must say something for that."""
LEAST_COSINE = 0.1
"""Least cosine of a letter's meta-latent with its probe: that of an absorber, in SAEBench's absorption fraction."""


class Judge:
    """One meta-SAE, and what is known of the letters of its meta-latents."""

    def __init__(self, meta: MetaSae, heard: Heard, cosines: Float[np.ndarray, "meta letter"]) -> None:
        """
        Args:
            meta: the meta-SAE.
            heard: the letters of the latents whose rows it was trained on.
            cosines: of each meta-latent's direction with each letter's.
        """
        self.meta, self.heard, self.cosines = meta, heard, cosines
        on = (meta.weights > 0).astype(np.float64)
        labels = heard.letter[:, None] == np.arange(cosines.shape[1])
        self.of_letter = np.asarray(on.T @ labels.astype(np.float64))
        """Latents of each letter that a meta-latent is active on, ``meta letter``."""
        self.known = np.asarray(on.T @ heard.known.astype(np.float64))
        """Latents that it is active on and of which something is known."""
        self.direction = np.where(cosines.max(1) >= LEAST_COSINE, cosines.argmax(1), -1)
        """Number of the letter that it points to; -1 for none."""

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

    def by_direction(self, latent: int, letter: int) -> bool:
        """Whether one of them points to the letter more than to any other."""
        metas, _ = self.meta.of_row(latent)
        return bool((self.direction[metas] == letter).any())


def judge_latents(judge: Judge, asked: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The asked latents with a column for either judge (``BY_LATENTS``, ``BY_DIRECTION``): True or False."""
    pairs = list(zip(asked["latent"], asked["letter"].map(list(names).index), strict=True))
    return asked.assign(
        **{
            BY_LATENTS: [judge.by_latents(latent, letter) for latent, letter in pairs],
            BY_DIRECTION: [judge.by_direction(latent, letter) for latent, letter in pairs],
        }
    )


def share_drawn(verdicts: Float[np.ndarray, "seed latent"], *, seed: int = 0) -> Float[np.ndarray, " resample"]:
    """Share of True, mean over seeds: first as it is, then with latents and seeds drawn again; NaN for no latents."""
    n_seeds, n = verdicts.shape
    if n == 0:
        return np.full(N_RESAMPLES + 1, np.nan)
    latents = resample_counts(n, n_resamples=N_RESAMPLES, seed=seed)
    seeds = resample_counts(n_seeds, n_resamples=N_RESAMPLES, seed=seed + SEEDS_OF_DRAWS)
    drawn = ((latents @ verdicts.T / n) * seeds).sum(1) / n_seeds
    return np.append(verdicts.mean(), drawn)


def verdicts_of(
    judged: Sequence[pd.DataFrame], column: str, group: str
) -> Float[np.ndarray, "seed latent"]:
    """One group's verdicts under one judge, a row a training seed."""
    return np.stack([table.loc[table["group"] == group, column].to_numpy(dtype=float) for table in judged])


def share_rows(drawn: Mapping[tuple[str, str], np.ndarray], n: Mapping[str, int]) -> pd.DataFrame:
    """``judge, group, value, low, high, latents`` from what ``share_drawn`` gives by judge and group."""
    from absorption.composition.variance import estimate_of

    rows = []
    for (judge, group), values in drawn.items():
        found = estimate_of(values)
        rows.append((judge, group, found.value, found.low, found.high, n[group]))
    return pd.DataFrame(rows, columns=["judge", "group", "value", "low", "high", "latents"])

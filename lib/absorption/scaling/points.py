"""Errors and losses of the stored SAEs, with intervals: batches of text are drawn anew, for all SAEs alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from absorption.base.statistics import Estimate, interval, resample_counts
from absorption.latents.score import doubling_weights
from absorption.scaling.measure import ACTIVE, CLEAN, ERROR, KEPT_ERROR, LOSS, MEAN, TOKENS, VARIANCE
from absorption.scaling.stored import Grid

Samples = Float[np.ndarray, "draw sae"]
"""Row 0 is the text as it is, every other row a resample of it."""


def draws(n: int, n_resamples: int, seed: int) -> Float[np.ndarray, "draw batch"]:
    """How often each batch counts: once in row 0, as often as it was drawn in every other."""
    return np.concatenate([np.ones((1, n)), resample_counts(n, n_resamples=n_resamples, seed=seed)])


def unexplained(grid: Grid, saes: Sequence[str], *, n_resamples: int, seed: int, kept: int = 0) -> Samples:
    """Share of the variance that each SAE leaves (normalised squared error).

    Args:
        grid: stored numbers.
        saes: some of its SAEs.
        n_resamples: rows after the first.
        seed: of the draws.
        kept: latents kept; 0: as many as each was trained at.
    """
    errors = [grid.values(sae, KEPT_ERROR if kept else ERROR, kept) for sae in saes]
    n = min(map(len, errors))
    counts = draws(n, n_resamples, seed)
    variance = counts @ grid.text_values(VARIANCE)[:n]
    return np.stack([counts @ error[:n] / variance for error in errors], axis=1)


def recovered(grid: Grid, saes: Sequence[str], *, n_resamples: int, seed: int) -> Samples:
    """Cross-entropy recovered: 1 if splicing an SAE in costs nothing, 0 if as much as putting the mean there."""
    losses = [grid.values(sae, LOSS) for sae in saes]
    counts = draws(len(losses[0]), n_resamples, seed)
    clean, mean = (counts @ grid.text_values(name) for name in (CLEAN, MEAN))
    return np.stack([(mean - counts @ loss) / (mean - clean) for loss in losses], axis=1)


def estimate(samples: Float[np.ndarray, " draw"]) -> Estimate:
    """The first value, with the interval of the others."""
    low, high = interval(samples[1:])
    return Estimate(float(samples[0]), float(low), float(high))


def estimates(samples: Samples, prefix: str = "") -> pd.DataFrame:
    """``value, low, high``, one row an SAE; ``prefix`` goes before the last two, and stands for the first."""
    found = [estimate(column) for column in samples.T]
    names = (prefix, f"{prefix}_low", f"{prefix}_high") if prefix else ("value", "low", "high")
    return pd.DataFrame([(one.value, one.low, one.high) for one in found], columns=list(names))


def points_table(grid: Grid, *, n_resamples: int, seed: int) -> pd.DataFrame:
    """One row a measured SAE of the grid: ``sae, d_sae, k, l0, value, low, high, recovered`` with ends, ``never_on``.

    ``value`` is the share of variance unexplained, ``never_on`` the share of latents on at no token of the text.
    """
    saes = list(grid.points)
    tokens = grid.text_values(TOKENS).sum()
    about = pd.DataFrame(
        {
            "sae": saes,
            "d_sae": [grid.points[sae].d_sae for sae in saes],
            "k": [int(grid.points[sae].k) for sae in saes],
            "l0": [grid.values(sae, ACTIVE).sum() / tokens for sae in saes],
        }
    )
    how = {"n_resamples": n_resamples, "seed": seed}
    never = [grid.stamps[sae]["never_on"] / grid.points[sae].d_sae for sae in saes]
    parts = [
        about,
        estimates(unexplained(grid, saes, **how)),
        estimates(recovered(grid, saes, **how), "recovered"),
    ]
    return pd.concat(parts, axis=1).assign(never_on=never)


def doubling_n(table: pd.DataFrame, samples: Samples) -> Float[np.ndarray, " draw"]:
    """Change each time ``n`` doubles, mean over the ``k`` at which at least two widths are measured.

    Args:
        table: ``d_sae, k``, in the order of the samples' columns.
        samples: of the quantity; NaN throughout if there is no such ``k``.
    """
    slopes = []
    for _, rows in table.reset_index(drop=True).groupby("k"):
        if rows["d_sae"].nunique() > 1:
            slopes.append(samples[:, rows.index] @ doubling_weights(rows["d_sae"].tolist()))
    return np.mean(slopes, axis=0) if slopes else np.full(len(samples), np.nan)

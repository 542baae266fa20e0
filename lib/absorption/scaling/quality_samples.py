"""Stored measures of quality with intervals: tasks, tokens or latents are drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from absorption.scaling.points import Samples, draws, recovered
from absorption.scaling.quality import HIT, MATCHED, MOVED, ON, PROBE_LOSS, REMOVED
from absorption.scaling.stored import Grid

LOSS_RECOVERED, PROBES, F1, EFFECTS = (
    "cross-entropy recovered", "probe loss", "F1 of patterns", "share of logits moved",
)  # fmt: skip
MEASURES = (LOSS_RECOVERED, PROBES, F1, EFFECTS)
"""The four that are published, one number an SAE each."""
PRECISION, RECALL = "precision of patterns", "recall of patterns"
Counts = Float[np.ndarray, " latent"]


def samples(grid: Grid, saes: Sequence[str], measure: str, *, n_resamples: int, seed: int) -> Samples:
    """One measure of some SAEs: row 0 as measured, every other row a resample.

    Tasks and tokens are the same for all SAEs and are drawn for all alike, so that differences of SAEs have none of
    their noise; latents are each SAE's own.
    """
    how = {"n_resamples": n_resamples, "seed": seed}
    if measure == LOSS_RECOVERED:
        return recovered(grid, saes, **how)
    if measure == PROBES:
        return np.stack([_mean(grid.values(sae, PROBE_LOSS), **how) for sae in saes], axis=1)
    if measure == EFFECTS:
        return np.stack([_ratio(grid, sae, **how) for sae in saes], axis=1)
    found = [
        _mean(by_latent(grid, sae, measure), n_resamples=n_resamples, seed=seed + place)
        for place, sae in enumerate(saes)
    ]
    return np.stack(found, axis=1)


def by_latent(grid: Grid, sae: str, measure: str) -> Counts:
    """F1, precision or recall of each latent's patterns; precision only of latents whose patterns match anywhere."""
    matched, hit, on = (grid.values(sae, name) for name in (MATCHED, HIT, ON))
    formulas: dict[str, Callable[[], Counts]] = {
        F1: lambda: 2 * hit / (matched + on),
        PRECISION: lambda: hit[matched > 0] / matched[matched > 0],
        RECALL: lambda: hit / on,
    }
    return formulas[measure]()


def _mean(values: Float[np.ndarray, " one"], *, n_resamples: int, seed: int) -> Float[np.ndarray, " draw"]:
    if len(values) == 0:
        return np.full(n_resamples + 1, np.nan)
    return draws(len(values), n_resamples, seed) @ values / len(values)


def _ratio(grid: Grid, sae: str, *, n_resamples: int, seed: int) -> Float[np.ndarray, " draw"]:
    moved, removed = grid.values(sae, MOVED), grid.values(sae, REMOVED)
    counts = draws(len(moved), n_resamples, seed)
    return counts @ moved / (counts @ removed)

"""Squared error against L0 on the way from SAE to SAE, of stitched SAEs, and of trained ones at equal size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate, interval, resample_counts
from absorption.saes.loaded import LoadedSae
from absorption.stitching.measure import Plan, Sums
from absorption.stitching.pairs import THRESHOLD, Pair

N_RESAMPLES = 400
ERROR, L0 = range(2)
"""Rows of the sums."""


def trained(plan: Plan, sums: Sums) -> pd.DataFrame:
    """The SAEs themselves: ``sae, d_sae, error`` (squared, per token) and ``l0``."""
    values = sums.saes.sum(0) / sums.tokens.sum()
    names, widths = [sae.name for sae in plan.saes], [sae.d_sae for sae in plan.saes]
    return pd.DataFrame({"sae": names, "d_sae": widths, "error": values[ERROR], "l0": values[L0]})


def walks(plan: Plan, sums: Sums) -> pd.DataFrame:
    """Every step from each SAE to the next: ``pair, step, phase, latents, error, l0``."""
    parts = []
    for pair, steps, one in zip(plan.pairs, plan.steps, sums.pairs, strict=True):
        values = one.walk.sum(0) / sums.tokens.sum()
        number = np.arange(steps.n + 1)
        size = [int((steps.enter <= step).sum() + (steps.leave > step).sum()) for step in number]
        about = {"pair": pair.name, "step": number, "phase": [steps.phase(int(step)) for step in number]}
        parts.append(pd.DataFrame(about | {"latents": size, "error": values[ERROR], "l0": values[L0]}))
    return pd.concat(parts, ignore_index=True)


def stitched(plan: Plan, sums: Sums) -> pd.DataFrame:
    """The narrowest SAE with the novel latents of wider ones: ``up_to`` (the widest), ``latents, error, l0``."""
    values = sums.stitched.sum(0) / sums.tokens.sum()
    widest = [pair.larger.d_sae for pair in plan.neighbours]
    sizes = stitched_sizes(plan.neighbours)
    return pd.DataFrame({"up_to": widest, "latents": sizes, "error": values[ERROR], "l0": values[L0]})


def stitched_sizes(pairs: Sequence[Pair]) -> list[int]:
    """Latents of each stitched SAE."""
    novel = np.cumsum([int((pair.cosines < THRESHOLD).sum()) for pair in pairs])
    return (pairs[0].smaller.d_sae + novel).tolist()


def at_equal_size(plan: Plan, sums: Sums, *, seed: int = 0) -> tuple[int, Estimate, Estimate]:
    """The widest stitched SAE that is not wider than all trained ones, beside trained ones of its size.

    Between two widths, error and L0 of trained SAEs are taken along the logarithm of the width.

    Returns:
        Its number of latents, its error over theirs minus 1, and its L0 minus theirs; NaN where every stitched SAE is
        wider than the widest trained one. Intervals are over batches of the text.
    """
    series = [plan.neighbours[0].smaller, *(pair.larger for pair in plan.neighbours)]
    sizes = stitched_sizes(plan.neighbours)
    fitting = [place for place, size in enumerate(sizes) if size <= series[-1].d_sae]
    if not fitting:
        nothing = Estimate(np.nan, np.nan, np.nan)
        return sizes[0], nothing, nothing
    place = fitting[-1]
    counts = resample_counts(len(sums.tokens), n_resamples=N_RESAMPLES, seed=seed)
    counts = np.concatenate([np.ones((1, counts.shape[1])), counts])
    tokens = counts @ sums.tokens
    mine = np.tensordot(counts, sums.stitched[:, :, place], axes=1) / tokens[:, None]
    theirs = (
        np.tensordot(counts, sums.saes[:, :, : len(series)], axes=1)
        @ _weights(series, sizes[place])
        / tokens[:, None]
    )
    return (
        sizes[place],
        _estimate(mine[:, ERROR] / theirs[:, ERROR] - 1),
        _estimate(mine[:, L0] - theirs[:, L0]),
    )


def _weights(series: Sequence[LoadedSae], size: int) -> np.ndarray:
    """How much of each trained SAE stands for one of a size between two of them."""
    widths = np.log([sae.d_sae for sae in series])
    return np.array([np.interp(np.log(size), widths, row) for row in np.eye(len(series))])


def _estimate(values: np.ndarray) -> Estimate:
    return Estimate(float(values[0]), *map(float, interval(values[1:])))

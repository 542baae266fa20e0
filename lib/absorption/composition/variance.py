"""How much of the decoder's variance a set of directions explains, with an interval over seeds and rows.

As SAEBench's ``decoder_fraction_variance_explained``: 1 minus the summed squared error of the rows, over the summed
squared distance of the rows from their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from absorption.base.statistics import Estimate, interval, resample_counts

N_RESAMPLES = 400
SEEDS_OF_DRAWS = 1000
"""Added to the seed of the rows' draws: that of the draws of training seeds."""


@dataclass(frozen=True)
class Explained:
    """Squared errors of rows, one array a training seed, and the rows' squared distances from their mean."""

    errors: Float[np.ndarray, "seed row"]
    distances: Float[np.ndarray, " row"]

    @property
    def by_seed(self) -> Float[np.ndarray, " seed"]:
        """Share of the variance explained by each seed."""
        return 1 - self.errors.sum(1) / self.distances.sum()

    def drawn(self, *, seed: int = 0, n: int = N_RESAMPLES) -> Float[np.ndarray, " resample"]:
        """The mean over seeds: first as it is, then with rows and seeds drawn again."""
        rows = resample_counts(self.errors.shape[1], n_resamples=n, seed=seed)
        seeds = resample_counts(len(self.errors), n_resamples=n, seed=seed + SEEDS_OF_DRAWS)
        shares = 1 - (rows @ self.errors.T) / (rows @ self.distances)[:, None]
        return np.append(self.by_seed.mean(), (shares * seeds).sum(1) / len(self.errors))

    def estimate(self, *, seed: int = 0) -> Estimate:
        """The mean over seeds with its interval."""
        return estimate_of(self.drawn(seed=seed))


def estimate_of(drawn: Float[np.ndarray, " resample"]) -> Estimate:
    """A value (the first of the array) with the interval of the others."""
    return Estimate(float(drawn[0]), *map(float, interval(drawn[1:])))


def explained(
    rows: Float[Tensor, "row d_model"], written: Sequence[Float[Tensor, "row d_model"]]
) -> Explained:
    """Of rows and what each seed's directions say they are."""
    distances = (rows - rows.mean(0)).double().pow(2).sum(1)
    errors = [(rows - one).double().pow(2).sum(1).numpy() for one in written]
    return Explained(np.stack(errors), distances.numpy())

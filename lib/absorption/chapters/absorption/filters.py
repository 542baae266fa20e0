"""Filter and pattern in the plane: two kinds of points that show why a probe's weights are not what it reads.

Nothing of the model is in it: the points are drawn, everything else is fitted to them by the functions that the
chapters use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from absorption.chapters.findings import Findings
from absorption.probes.fit import fit_probes
from absorption.probes.means import difference_in_means, pattern

WITH, WITHOUT = "has the letter", "has not"
FILTER, PATTERN, MEANS = "filter (weights)", "pattern", "difference in means"


@dataclass(frozen=True)
class FilterExample(Findings):
    """Two kinds of points, and three unit directions fitted to them."""

    points: pd.DataFrame
    """``x, y, kind``."""
    arrows: pd.DataFrame
    """``name, x, y``: unit vectors."""
    cosine: float
    """Of filter and pattern."""
    left: float
    """Share of what the letter writes (along x) that stays when the part along the filter is taken out."""
    left_pattern: float
    """The same for the pattern."""

    def numbers(self) -> Mapping[str, Any]:
        """How far filter and pattern are apart, and what each leaves."""
        return {f"example_{name}": getattr(self, name) for name in ("left", "left_pattern", "cosine")}


def filter_example(
    n_points: int = 300, *, shift: float = 2.0, correlation: float = 0.85, seed: int = 0
) -> FilterExample:
    """Draw the points and fit the directions.

    Both kinds have variance 1 along x and y and the same correlation; the letter shifts x and nothing else. A
    logistic regression reads x less what y tells of the noise in x, so its weights turn away from x: their
    direction is the inverse covariance times the shift, (1, -correlation).

    Args:
        n_points: of each kind.
        shift: what the letter adds to x, in standard deviations.
        correlation: of x and y.
        seed: of the points.
    """
    generator = np.random.default_rng(seed)
    noise = generator.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=2 * n_points)
    has = np.repeat([True, False], n_points)
    noise[has, 0] += shift
    acts = torch.from_numpy(noise).float()
    labels = torch.from_numpy(has)[:, None]
    filters = fit_probes(acts, labels)
    weights, written = filters.directions, pattern(acts, labels, filters).weights
    found = {FILTER: weights, PATTERN: written, MEANS: difference_in_means(acts, labels).directions}
    arrows = pd.DataFrame(
        [(name, *row[0].tolist()) for name, row in found.items()], columns=["name", "x", "y"]
    )
    kinds = np.where(has, WITH, WITHOUT)
    points = pd.DataFrame({"x": noise[:, 0], "y": noise[:, 1], "kind": kinds})
    left, left_pattern = (1 - float(row[0, 0]) ** 2 for row in (weights, written))
    return FilterExample(points, arrows, float((weights * written).sum()), left, left_pattern)

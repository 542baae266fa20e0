"""Chapter 12: slopes over letters and SAEs that pass the bars of fitness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.definitions.rules import FULL_ABSORPTION, RELATIVE
from absorption.several_saes.mixed_slopes import fit_members, fit_slopes, seeds_by_point
from absorption.several_saes.stored_numbers import SaeFamily

DEFINITIONS = (FULL_ABSORPTION, RELATIVE)


@dataclass(frozen=True)
class Slopes(Findings):
    """What the mixed models say, and the points that they rest on."""

    slopes: pd.DataFrame
    """``definition`` and the columns of ``several_saes.mixed_slopes``."""
    points: pd.DataFrame
    """One row a setting: how many seeds it has."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Both."""
        return {"family-mixed-slopes": self.slopes, "family-mixed-points": self.points}

    def numbers(self) -> Mapping[str, Any]:
        """How many SAEs are fit, and how few seeds a point has."""
        return {
            "n_fit": int(self.points["seeds"].sum()),
            "n_points": len(self.points),
            "most_seeds": int(self.points["seeds"].max()) if len(self.points) else 0,
            "n_single": int((self.points["seeds"] == 1).sum()),
        }


def fit_over_letters(family: SaeFamily) -> Slopes:
    """Fit the models."""
    return Slopes(fit_slopes(family, DEFINITIONS), seeds_by_point(fit_members(family)))

"""Chapter 16: does full absorption follow how far below its label a word lies?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.other_hierarchies.basis import Hierarchies
from absorption.chapters.settings import HierarchySettings
from absorption.concepts import concept as concepts
from absorption.concepts.depth import rate_by_depth, slope_by_depth, words_by_depth


@dataclass(frozen=True)
class Depths(Findings):
    """Kinds of thing by steps up to the label."""

    table: pd.DataFrame
    """As ``concepts.depth.rate_by_depth`` gives it."""
    slope: Estimate

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Rates by depth."""
        return {"concept-depth": self.table}

    def claims(self) -> pd.DataFrame:
        """Whether deeper words are absorbed more, beyond their null."""
        return claim("hierarchies-depth", self.slope, note="full absorption less its null, kinds of thing")

    def numbers(self) -> Mapping[str, Any]:
        """The slope."""
        return {"depth_slope": str(self.slope), "depth_words": int(self.table["words"].sum())}


def compare_depths(found: Hierarchies, settings: HierarchySettings) -> Depths:
    """Rates by depth within kinds of thing; empty without that concept."""
    mine = [words_by_depth(one) for one in found.measured if one.concept.name == concepts.KIND]
    words = mine[0] if mine else pd.DataFrame(columns=["label", "steps", "value", "null"])
    return Depths(rate_by_depth(words, seed=settings.seed), slope_by_depth(words, seed=settings.seed))

"""Chapter 16: absorbed words of every concept, clearest first, and what kind of latent absorbs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate, interval, resample_counts, score_interval
from absorption.chapters.findings import Findings, claim
from absorption.chapters.other_hierarchies.basis import Hierarchies
from absorption.chapters.settings import HierarchySettings
from absorption.concepts import concept as concepts
from absorption.concepts.absorbers import CHILD, COLUMNS, absorbers
from absorption.concepts.measure import Measured
from absorption.definitions.rules import FULL_ABSORPTION

MEANT = (concepts.SPEECH, concepts.KIND, concepts.CONTINENT, concepts.CITY)
"""Shipped concepts whose labels follow from meaning; what a reader's own rest on is not known."""


@dataclass(frozen=True)
class Absorbed(Findings):
    """Absorbed words of the labels that count."""

    table: pd.DataFrame
    """``concept`` and columns as in ``concepts.absorbers.COLUMNS``."""
    children: Estimate
    """Share of the words of ``meant`` whose absorbing latent is a child of the label."""

    @property
    def meant(self) -> pd.DataFrame:
        """Fully absorbed words of labels by meaning."""
        return by_meaning(self.table)

    @property
    def clearest(self) -> pd.DataFrame:
        """The first word of each label, at most three labels a concept."""
        first = self.table.drop_duplicates(["concept", "label"])
        return first.groupby("concept", sort=False).head(3).reset_index(drop=True)

    @property
    def kinds(self) -> pd.DataFrame:
        """Fully absorbed words by concept and kind of absorbing latent."""
        full = self.table[self.table["definition"] == FULL_ABSORPTION]
        counts = full.groupby(["concept", "kind"], sort=False).size().rename("words").reset_index()
        return counts.assign(share=counts["words"] / counts.groupby("concept")["words"].transform("sum"))

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """All absorbed words."""
        return {"concept-absorbed": self.table}

    def claims(self) -> pd.DataFrame:
        """Whether children absorb."""
        return claim("hierarchies-children", self.children, note="full absorption, labels by meaning")

    def numbers(self) -> Mapping[str, Any]:
        """The clearest words of two concepts, and the kinds of absorbers."""
        meant = self.meant
        told = {
            "children": str(self.children),
            "n_absorbed": len(self.table),
            "n_meant": len(meant),
            "n_meant_latents": meant["latent"].nunique(),
            "n_meant_speech": int((meant["concept"] == concepts.SPEECH).sum()),
        }
        for short, concept in (("kind", concepts.KIND), ("speech", concepts.SPEECH)):
            mine = self.table[self.table["concept"] == concept]
            for name in ("word", "label", "strongest_on", "kind"):
                told[f"{short}_{name}"] = str(mine[name].iloc[0]) if len(mine) else "none"
        return told


def list_absorbed(found: Hierarchies, settings: HierarchySettings) -> Absorbed:
    """Absorbed words of every concept."""
    tables = [_of(one) for one in found.measured if one.valid]
    kept = [table for table in tables if len(table)]
    table = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=["concept", *COLUMNS])
    return Absorbed(table, share_of_children(by_meaning(table), seed=settings.seed))


def by_meaning(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of fully absorbed words of ``MEANT``."""
    return table[(table["definition"] == FULL_ABSORPTION) & table["concept"].isin(MEANT)]


def share_of_children(meant: pd.DataFrame, *, seed: int = 0) -> Estimate:
    """Share of absorbed words whose absorbing latent is a child of the label; NaN for no words.

    Few latents absorb many words, so latents are resampled, each with all of its words; the interval is at least the
    score's of as many words as the latents' unequal shares are worth (words squared over the sum of squares).
    """
    child = (meant["kind"] == CHILD).to_numpy(dtype=np.float64)
    if not len(child):
        return Estimate(np.nan, np.nan, np.nan)
    counts = resample_counts(len(child), seed=seed, groups=meant["latent"].to_numpy())
    low, high = interval((counts @ child) / counts.sum(axis=1))
    sizes = meant["latent"].value_counts().to_numpy(dtype=np.float64)
    score = score_interval(float(child.mean()), float(sizes.sum() ** 2 / (sizes**2).sum()))
    return Estimate(float(child.mean()), min(float(low), score[0]), max(float(high), score[1]))


def _of(one: Measured) -> pd.DataFrame:
    if one.found is None:
        return pd.DataFrame(columns=["concept", *COLUMNS])
    judged = one.found.judged[one.found.judged["letter"].isin(one.valid)]
    table = absorbers(one.study, judged)
    table.insert(0, "concept", one.concept.name)
    return table

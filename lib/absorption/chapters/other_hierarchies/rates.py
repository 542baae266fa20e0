"""Chapter 16: rates of every concept beside both nulls, by concept and label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from absorption.base.statistics import Estimate, interval
from absorption.chapters.findings import Findings, claim
from absorption.chapters.other_hierarchies.basis import Hierarchies
from absorption.chapters.settings import HierarchySettings
from absorption.concepts import concept as concepts
from absorption.concepts.measure import Measured, above_null, above_samples, mean_nulls
from absorption.definitions.nulls import RANDOM, WRONG
from absorption.definitions.rules import FRACTION, FULL_ABSORPTION, RELATIVE

SHOWN = (RELATIVE, FULL_ABSORPTION, FRACTION)
PARTS = {
    concepts.LAST: "last-letter", concepts.SUFFIX: "suffix", concepts.CASE: "capitalisation",
    concepts.SPEECH: "part-of-speech", concepts.KIND: "kind-of-thing",
}  # fmt: skip
"""Parts of the claim by concept; the others have too few words to be judged."""
UNKNOWN = Estimate(np.nan, np.nan, np.nan)
PERMUTATIONS = 2000
SHORT = (
    "concept", "definition", "rate", "low", "high", "wrong", "random", "above", "above_low", "above_high", "labels",
    "words", "candidates", "absorbed", "spread",
)  # fmt: skip
SHORT_LABELS = (
    "concept", "label", "definition", "rate", "low", "high", "null", "n_right", "n_candidates", "n_absorbed", "valid",
)  # fmt: skip
COLUMNS = ["concept", "definition", "rate", "wrong", "random", "above_low"]
"""Columns of the table that are asked for, where it is empty."""


@dataclass(frozen=True)
class Beside(Findings):
    """Rates, nulls and their differences."""

    table: pd.DataFrame
    """``concept, definition, rate, low, high, wrong, random, above, above_low, above_high, p, labels, words,
    candidates, absorbed, spread`` and the null's ``null, null_low, null_high``."""
    labels: pd.DataFrame
    """``concept, label`` and columns of ``definitions.absorption_rates``: a row a label and definition."""
    above: Mapping[str, Estimate]
    """Full absorption above its null, by concept."""
    difference: Estimate
    """That of first letters minus that of last letters."""
    correlation: float
    """Rank correlation over concepts of the model's accuracy (from chance to 1) with full absorption above its null."""
    by_chance: float
    """Share of permutations of the concepts with a correlation as large in size."""
    n_compared: int

    @property
    def shown(self) -> pd.DataFrame:
        """The table in short."""
        return self.table[[name for name in SHORT if name in self.table]]

    @property
    def shown_labels(self) -> pd.DataFrame:
        """Labels in short."""
        return self.labels[[name for name in SHORT_LABELS if name in self.labels]]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Means and labels."""
        return {"concept-rates": self.table, "concept-label-rates": self.labels}

    def claims(self) -> pd.DataFrame:
        """Each concept above its null; first letters beside last letters."""
        parts = [
            claim("other-hierarchies", self.above.get(n, UNKNOWN), part=part) for n, part in PARTS.items()
        ]
        parts.append(claim("hierarchies-first-most", self.difference, note="full absorption above its null"))
        return pd.concat(parts, ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """What the text tells."""
        clear = [name for name, one in self.above.items() if one.low > 0]
        told = {
            "above_null": ", ".join(clear) or "none",
            "n_clear": len(clear),
            "n_measured": len(self.above),
            "difference": str(self.difference),
            "correlation": f"{self.correlation:.2f}",
            "by_chance": f"{self.by_chance:.2f}",
            "n_compared": self.n_compared,
        }
        by_ablation, by_fraction = (
            self.table[self.table["definition"] == name] for name in (RELATIVE, FRACTION)
        )
        for short, rows in (("ablation", by_ablation), ("fraction", by_fraction)):
            told[f"above_null_{short}"] = ", ".join(rows.loc[rows["above_low"] > 0, "concept"]) or "none"
        told["n_ablated"] = len(by_ablation)
        speech = by_ablation[by_ablation["concept"] == concepts.SPEECH]
        for column in ("rate", "wrong", "random"):
            told[f"speech_ablation_{column}"] = (
                f"{speech[column].iloc[0]:.3f}" if len(speech) else "not measured"
            )
        for short, name in (("first", concepts.FIRST), ("case", concepts.CASE), ("kind", concepts.KIND)):
            mine = self.table[(self.table["concept"] == name) & (self.table["definition"] == FULL_ABSORPTION)]
            for column in ("rate", "wrong", "random"):
                told[f"{short}_{column}"] = f"{mine[column].iloc[0]:.3f}" if len(mine) else "not measured"
        return told


def set_beside_nulls(found: Hierarchies, settings: HierarchySettings) -> Beside:
    """Rates of every concept that has labels that count."""
    rows = [row for one in found.measured for row in _rows(one)]
    table = pd.DataFrame(rows) if rows else pd.DataFrame(columns=COLUMNS)
    labels = [
        _by_label(one.found.rates).assign(concept=one.concept.name)
        for one in found.measured
        if one.found is not None
    ]
    rates = {one.concept.name: one.rate(FULL_ABSORPTION) for one in found.measured}
    known = {name: rate for name, rate in rates.items() if rate is not None}
    above = {name: above_null(rate) for name, rate in known.items()}
    difference = UNKNOWN
    if {concepts.FIRST, concepts.LAST} <= set(known):
        first, last = known[concepts.FIRST], known[concepts.LAST]
        low, high = interval(above_samples(first) - above_samples(last))
        value = above[concepts.FIRST].value - above[concepts.LAST].value
        difference = Estimate(value, float(low), float(high))
    skills = [_skill(one) for one in found.measured if one.concept.name in above]
    correlation, chance = _correlate(skills, [one.value for one in above.values()], settings.seed)
    every = pd.concat(labels, ignore_index=True) if labels else pd.DataFrame(columns=["concept", "letter"])
    every = every[["concept", *every.columns.drop("concept")]].rename(columns={"letter": "label"})
    return Beside(table, every, above, difference, correlation, chance, len(above))


def _by_label(rates: pd.DataFrame) -> pd.DataFrame:
    """Rows of single labels, of the definitions that are shown."""
    return rates[(rates["letter"] != "mean") & rates["definition"].isin(SHOWN)].drop(
        columns=["spread", "all_letters"]
    )


def _rows(one: Measured) -> list[dict[str, Any]]:
    if one.found is None or not one.valid:
        return []
    rows = []
    means = one.found.rates[one.found.rates["letter"] == "mean"].set_index("definition")
    for definition in SHOWN:
        rate = one.rate(definition)
        if rate is None:
            continue
        mean, nulls, above = means.loc[definition], mean_nulls(rate), above_null(rate)
        rows.append(
            {
                "concept": one.concept.name, "definition": definition, **rate.row(),
                "wrong": nulls[WRONG], "random": nulls[RANDOM],
                "above": above.value, "above_low": above.low, "above_high": above.high,
                "labels": mean["valid"], "words": mean["n_right"], "candidates": mean["n_candidates"],
                "judged": mean["n_judged"], "absorbed": mean["n_absorbed"], "spread": mean["spread"],
            }
        )  # fmt: skip
    return rows


def _skill(one: Measured) -> float:
    return (one.skill.accuracy.value - one.skill.chance) / (1 - one.skill.chance)


def _correlate(skills: Sequence[float], above: Sequence[float], seed: int) -> tuple[float, float]:
    """Rank correlation, and how often a permutation has one as large; NaN for fewer than four."""
    if len(skills) < 4:
        return np.nan, np.nan
    value = _ranks_together(skills, above)
    generator = np.random.default_rng(seed)
    drawn = [_ranks_together(generator.permutation(skills), above) for _ in range(PERMUTATIONS)]
    return value, float((np.abs(drawn) >= abs(value) - 1e-12).mean())


def _ranks_together(one: Sequence[float] | np.ndarray, other: Sequence[float]) -> float:
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])

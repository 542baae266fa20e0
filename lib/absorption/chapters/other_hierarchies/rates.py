"""Chapter 16: rates of every concept beside both nulls, by concept and label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from absorption.base.statistics import Estimate, holm
from absorption.chapters.findings import Findings, claim
from absorption.chapters.other_hierarchies.basis import Hierarchies
from absorption.chapters.settings import HierarchySettings
from absorption.concepts import concept as concepts
from absorption.concepts.excess import LEAST_CANDIDATES, excess_of, mean_nulls, minus, with_score
from absorption.concepts.measure import Measured
from absorption.definitions.nulls import RANDOM, WRONG
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import FRACTION, FULL_ABSORPTION, RELATIVE

SHOWN = (RELATIVE, FULL_ABSORPTION, FRACTION)
PARTS = {
    concepts.LAST: "last-letter", concepts.SUFFIX: "suffix", concepts.CASE: "capitalisation",
    concepts.SPEECH: "part-of-speech", concepts.KIND: "kind-of-thing",
}  # fmt: skip
"""Parts of the claim by concept; countries and cities have too few words. One with fewer than ``LEAST_CANDIDATES``
candidates has no verdict either."""
UNKNOWN = Estimate(np.nan, np.nan, np.nan)
PERMUTATIONS = 2000
SHORT = (
    "concept", "definition", "rate", "low", "high", "wrong", "random", "above", "above_low", "above_high", "labels",
    "words", "candidates", "absorbed", "p_holm",
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
    """``concept, definition, rate, low, high, wrong, random, above, above_low, above_high, p, p_holm, labels, words,
    candidates, absorbed, spread`` and the null's ``null, null_low, null_high``. ``p_holm``: ``p`` after Holm, over the
    concepts with enough candidates of one definition."""
    labels: pd.DataFrame
    """``concept, label`` and columns of ``definitions.absorption_rates``: a row a label and definition."""
    above: Mapping[str, Estimate]
    """Full absorption above its null, by concept, of those with enough candidates to be judged."""
    difference: Estimate
    """That of first letters minus that of last letters."""
    correlation: float
    """Rank correlation over concepts of the model's accuracy (from chance to 1) with full absorption above its null."""
    by_chance: float
    """Share of permutations of the concepts with a correlation as large in size."""
    n_compared: int
    few: Sequence[str] = ()
    """Concepts with a rate by full absorption and too few candidates to be judged."""

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
        """The control, first letters above their null; each other concept; first letters beside last letters."""
        parts = [claim("hierarchies-control", self.above.get(concepts.FIRST, UNKNOWN))]
        parts += [
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
            "least_candidates": LEAST_CANDIDATES,
            "too_few": ", ".join(self.few) or "none",
        }
        full = self.table[self.table["definition"] == FULL_ABSORPTION]
        sure = full["p_holm"] < 0.05 if len(full) else []
        told["above_null_holm"] = ", ".join(full.loc[sure, "concept"]) or "none"
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
    table = _corrected(pd.DataFrame(rows)) if rows else pd.DataFrame(columns=COLUMNS)
    labels = [
        _by_label(one.found.rates).assign(concept=one.concept.name)
        for one in found.measured
        if one.found is not None
    ]
    rates = {one.concept.name: excess_of(one, FULL_ABSORPTION) for one in found.measured}
    known = {name: one for name, one in rates.items() if one is not None}
    above = {name: one.above for name, one in known.items() if one.judged}
    difference = UNKNOWN
    if {concepts.FIRST, concepts.LAST} <= set(above):
        difference = minus(above[concepts.FIRST], above[concepts.LAST])
    skills = [_skill(one) for one in found.measured if one.concept.name in above]
    correlation, chance = _correlate(skills, [one.value for one in above.values()], settings.seed)
    every = pd.concat(labels, ignore_index=True) if labels else pd.DataFrame(columns=["concept", "letter"])
    every = every[["concept", *every.columns.drop("concept")]].rename(columns={"letter": "label"})
    few = [name for name in known if name not in above]
    return Beside(table, every, above, difference, correlation, chance, len(above), few)


def _by_label(rates: pd.DataFrame) -> pd.DataFrame:
    """Rows of single labels, of the definitions that are shown, with the intervals of ``with_score``."""
    table = rates[(rates["letter"] != MEAN) & rates["definition"].isin(SHOWN)].drop(
        columns=["spread", "all_letters"]
    )
    wide = [with_score(table["rate"].iloc[n], _ends(table, n), table.iloc[[n]]) for n in range(len(table))]
    return table.assign(low=[one.low for one in wide], high=[one.high for one in wide])


def _ends(table: pd.DataFrame, row: int) -> tuple[float, float]:
    return float(table["low"].iloc[row]), float(table["high"].iloc[row])


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    """With ``p_holm``: each definition's concepts with enough candidates are its tests."""
    tested = table["p"].where(table["candidates"] >= LEAST_CANDIDATES)
    corrected = tested.groupby(table["definition"]).transform(lambda p: holm(p.to_numpy()))
    return table.assign(p_holm=corrected)


def _rows(one: Measured) -> list[dict[str, Any]]:
    if one.found is None or not one.valid:
        return []
    rows = []
    means = one.found.rates[one.found.rates["letter"] == MEAN].set_index("definition")
    for definition in SHOWN:
        excess = excess_of(one, definition)
        if excess is None:
            continue
        mean, nulls, above = means.loc[definition], mean_nulls(excess.rate), excess.above
        rows.append(
            {
                "concept": one.concept.name, "definition": definition, **excess.rate.row(),
                "low": excess.mean.low, "high": excess.mean.high, "wrong": nulls[WRONG], "random": nulls[RANDOM],
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

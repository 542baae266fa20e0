"""The three definitions on planted SAEs, where every absorbed word is known: what each finds and may claim."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.chapters.findings import Findings, OneTable
from absorption.chapters.settings import PlantedMetricSettings
from absorption.definitions.rules import FRACTION
from absorption.definitions.thresholds import Thresholds
from absorption.latents.ksparse import F1_JUMP
from absorption.planted.alphabet import Alphabet
from absorption.planted.cases import CASES, cases, four_word_families
from absorption.planted.saes import Case
from absorption.planted.study import DEFINITIONS, PlantedStudy, scores, study_case

FINDS, MISSES, FOOLED = 0.8, 0.2, 0.01
"""A definition finds a case from this recall, misses it below this one, and is fooled above this false rate."""


def alphabet_of(settings: PlantedMetricSettings) -> Alphabet:
    """The words that all of the chapter's cases start from."""
    return four_word_families(settings.n_words, settings.d_model, settings.seed)


def case_table(settings: PlantedMetricSettings) -> pd.DataFrame:
    """``case, planted, words, absorbed, carried``: number of words, how many absorb, what others carry in those."""
    return table_of_cases(cases(alphabet_of(settings)), CASES)


def table_of_cases(planted: Iterable[Case], described: Mapping[str, str]) -> pd.DataFrame:
    """Columns of ``case_table``.

    Args:
        planted: the cases.
        described: what is planted, by their names.
    """
    rows = []
    for case in planted:
        truth = case.truth()
        mean = float(truth[truth > 0].mean()) if truth.any() else 0.0
        rows.append((case.name, described[case.name], len(truth), int((truth > 0).sum()), mean))
    return pd.DataFrame(rows, columns=["case", "planted", "words", "absorbed", "carried"])


def apply_to_all(
    studies: Iterable[PlantedStudy],
    thresholds: Thresholds | None = None,
    f1_jump: float = F1_JUMP,
    definitions: Collection[str] = DEFINITIONS,
) -> pd.DataFrame:
    """Every case under every definition; arguments and columns as in ``PlantedStudy.apply_definitions``."""
    return pd.concat(
        [one.apply_definitions(thresholds, f1_jump, definitions) for one in studies], ignore_index=True
    )


@dataclass(frozen=True)
class OnCases(Findings):
    """Every planted SAE studied once, its words under each definition, and how often each is right."""

    studies: list[PlantedStudy]
    words: pd.DataFrame
    """Columns of ``PlantedStudy.apply_definitions``."""
    scores: pd.DataFrame
    """Columns of ``study.scores``."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """How often each definition is right."""
        return {"metric-scores": self.scores}


def apply_to_cases(settings: PlantedMetricSettings) -> OnCases:
    """Every case under every definition at the published thresholds."""
    studies = [study_case(case, seed=settings.seed) for case in cases(alphabet_of(settings))]
    words = apply_to_all(studies)
    return OnCases(studies, words, scores(words, seed=settings.seed))


def may_claim(table: pd.DataFrame) -> OneTable:
    """What each definition may claim: ``case, planted`` and a column of words a definition.

    Args:
        table: from ``study.scores``.
    """
    said = table.assign(said=[_said(row) for row in table.to_dict("records")])
    wide = said.pivot(index="case", columns="definition", values="said").loc[list(CASES), list(DEFINITIONS)]
    wide.insert(0, "planted", pd.Series(CASES))
    return OneTable("metric-claims", wide.reset_index().rename_axis(columns=None))


def _said(row: dict) -> str:
    if row["n_true"] == 0:
        return "fooled" if row["false_rate_low"] > FOOLED else "right"
    found = (
        "finds it" if row["recall"] >= FINDS else "misses it" if row["recall"] < MISSES else "finds a part"
    )
    return f"{found}, fooled" if row["false_rate_low"] > FOOLED else found


def fraction_error(judged: pd.DataFrame) -> OneTable:
    """Absorption fraction against the planted share: ``case, carried, fraction, low, high, words``, by case.

    Only words that absorb; the interval is the range of the middle 95% of words.
    """
    mine = judged[(judged["definition"] == FRACTION) & (judged["carried"] > 0)]
    groups = mine.groupby("case", sort=False)
    ends = groups["value"].quantile(np.array([0.025, 0.975])).unstack()
    table = pd.DataFrame(
        {
            "carried": groups["carried"].mean(), "fraction": groups["value"].mean(),
            "low": ends[0.025], "high": ends[0.975], "words": groups.size(),
        }
    ).reset_index()  # fmt: skip
    return OneTable("metric-fraction", table)


@dataclass(frozen=True)
class ProbeLeak(Findings):
    """The definitions under the fitted probes and under the planted letter directions."""

    table: pd.DataFrame
    """``probe`` and the columns of ``study.scores``."""

    @property
    def under_trained(self) -> pd.DataFrame:
        """The SAE in which the letter is lost and nothing absorbs."""
        columns = [
            "case",
            "definition",
            "probe",
            "n_found",
            "false_rate",
            "false_rate_low",
            "false_rate_high",
        ]
        return self.table.loc[self.table["case"] == "under-trained", columns]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every case."""
        return {"metric-probe-leak": self.table}

    def numbers(self) -> Mapping[str, Any]:
        """False rates of the under-trained SAE, by probe and definition."""
        return {
            f"{row['probe']}_{row['definition'].replace(' ', '_')}": f"{row['false_rate']:.1%}"
            for row in self.under_trained.to_dict("records")
        }


def probe_leak(studies: list[PlantedStudy]) -> ProbeLeak:
    """False rates and recall by where the letters' directions come from."""
    probes = {"fitted": studies, "planted": [one.with_planted_probe() for one in studies]}
    tables = [scores(apply_to_all(mine)).assign(probe=name) for name, mine in probes.items()]
    return ProbeLeak(pd.concat(tables, ignore_index=True))

"""Chapter 10, is the metric right? The three definitions on planted SAEs, where every absorbed word is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from absorption.chapters.findings import Findings, OneTable
from absorption.chapters.settings import PlantedMetricSettings
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.latents.ksparse import F1_JUMP
from absorption.planted.alphabet import Alphabet
from absorption.planted.cases import CASES, SILENCED, cases, four_word_families
from absorption.planted.saes import Case, absorbing, split
from absorption.planted.study import DEFINITIONS, PlantedStudy, scores, study_case

FINDS, MISSES, FOOLED = 0.8, 0.2, 0.01
"""A definition finds a case from this recall, misses it below this one, and is fooled above this false rate."""


def _alphabet(settings: PlantedMetricSettings) -> Alphabet:
    return four_word_families(settings.n_words, settings.d_model, settings.seed)


def case_table(settings: PlantedMetricSettings) -> pd.DataFrame:
    """``case, planted, words, absorbed, carried``: number of words, how many absorb, what others carry in those."""
    rows = []
    for case in cases(_alphabet(settings)):
        truth = case.truth()
        mean = float(truth[truth > 0].mean()) if truth.any() else 0.0
        rows.append((case.name, CASES[case.name], len(truth), int((truth > 0).sum()), mean))
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
    studies = [study_case(case, seed=settings.seed) for case in cases(_alphabet(settings))]
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


VARIED: dict[str, tuple[str, tuple[float, ...]]] = {
    "min_cosine": ("least cosine", (0.0, 0.025, 0.1, 0.2, 0.4)),
    "min_lead": ("least lead", (0.1, 0.5, 1.0, 3.0, 5.0)),
    "min_share": ("least share", (0.1, 0.2, 0.4, 0.6, 0.9)),
    "fraction_cosine": ("least cosine (fraction)", (0.0, 0.05, 0.1, 0.2, 0.4)),
    "f1_jump": ("F1 jump", (0.01, 0.02, 0.03, 0.05, 0.1)),
}
CONCERNED = {
    "min_cosine": (ABLATION, FULL_ABSORPTION), "min_lead": (ABLATION,), "min_share": (FULL_ABSORPTION, FRACTION),
    "fraction_cosine": (FRACTION,), "f1_jump": DEFINITIONS,
}  # fmt: skip
"""Which definitions a threshold concerns."""


def sensitivity(studies: list[PlantedStudy], *, seed: int = 0) -> OneTable:
    """Precision and recall over all cases together, as one threshold at a time moves.

    Precision depends on the mix of cases, which here is one of each.

    Returns:
        ``threshold, setting`` and the columns of ``study.scores``.
    """
    tables = []
    for name, (label, settings) in VARIED.items():
        for setting in settings:
            jump = setting if name == "f1_jump" else F1_JUMP
            moved = Thresholds() if name == "f1_jump" else replace(Thresholds(), **{name: setting})
            judged = apply_to_all(studies, moved, jump, CONCERNED[name])
            table = scores(judged.assign(case="all"), seed=seed)
            tables.append(table.assign(threshold=label, setting=setting))
    return OneTable("metric-thresholds", pd.concat(tables, ignore_index=True))


PANELS = {
    "carried": ("recall", "recall against the share of the letter carried"),
    "family size": ("recall", "recall against the family's share of the letter's words"),
    "strength": ("recall", "recall against the strength of the family's feature"),
    "small half": ("false_rate", "false rate against the share of the smaller half of a split"),
}
"""Each factor of ``sweep``: the column that is drawn against it, and the panel's title."""


def sweep(settings: PlantedMetricSettings) -> OneTable:
    """One property of the planted SAE at a time: ``factor, setting`` and the columns of ``study.scores``.

    Factors: ``carried`` (share of the letter that families carry), ``family size`` (share of the letter's words in an
    absorbing family), ``strength`` (activation of the family's feature; the letter's is 1), ``small half`` (share of
    the words in the smaller half of a split letter: nothing absorbs, so only the false rate counts).
    """
    tables = []
    for factor, setting, case in _sweep_cases(settings):
        judged = study_case(case, seed=settings.seed).apply_definitions()
        if factor == "carried":  # any share counts as absorbed here, so that recall can be drawn against it
            judged["truth"] = judged["carried"] > 0
        tables.append(scores(judged, seed=settings.seed).assign(factor=factor, setting=setting))
    said = {"split_share": split_share(F1_JUMP)}
    return OneTable("metric-sweep", pd.concat(tables, ignore_index=True), said)


def split_share(jump: float) -> float:
    """Share of a letter's words from which on a latent raises F1 by the jump, by search.

    The main latent finds all words but these, the latent beside it finds these, and nothing else is found.
    """
    shares = np.linspace(0, 0.5, 50_001)
    without = 2 * (1 - shares) / (2 * (1 - shares) + shares)
    return float(shares[np.argmax(1 - without > jump)])


def _sweep_cases(settings: PlantedMetricSettings) -> Iterator[tuple[str, float, Case]]:
    plain = _alphabet(settings)
    for d in settings.carried:
        yield "carried", d, absorbing(plain, d)
    for share in settings.family_shares:
        size = max(1, round(share * plain.n_words))
        families = replace(plain, families=(size, size, *plain.families[2:]))
        yield "family size", share, absorbing(families, 1.0, hole=SILENCED)
    for strength in settings.strengths:
        yield "strength", strength, absorbing(replace(plain, strength=strength), 1.0, hole=SILENCED)
    for share in settings.small_halves:
        yield "small half", share, split(replace(plain, upper_share=1 - share))


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

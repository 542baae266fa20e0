"""The definitions under every rule of silence: planted SAEs whose letter latents leak, or are weakly on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.is_the_metric_right.found import FOOLED, OnCases, alphabet_of, table_of_cases
from absorption.chapters.settings import PlantedMetricSettings
from absorption.definitions.calibration import SHARES
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION
from absorption.definitions.silence import AT_ZERO, CALIBRATED, share_silence
from absorption.planted.cases import CASES, LEAK, SILENCE_CASES, silence_cases
from absorption.planted.study import PlantedStudy, scores, study_case

ASKING = (ABLATION, FULL_ABSORPTION)
"""Definitions that ask whether the main latents are silent."""
NOT_ASKED = "(not asked)"
"""The rule of the absorption fraction, which takes main latents as they are."""


@dataclass(frozen=True)
class UnderSilences(Findings):
    """How often each definition is right, by case and rule of silence."""

    scores: pd.DataFrame
    """``silence`` and the columns of ``study.scores``."""

    @property
    def asking(self) -> pd.DataFrame:
        """The definitions that ask for silence."""
        return self.scores[self.scores["definition"].isin(ASKING)]

    @property
    def shown(self) -> pd.DataFrame:
        """The cases that were planted for this, as a reader sees them."""
        columns = ["case", "definition", "silence", "n_true", "n_found", "precision", "recall", "false_rate"]
        mine = self.scores["case"].isin(SILENCE_CASES)
        return self.scores.loc[mine, columns].sort_values(
            ["case", "definition"], key=_in_order, ignore_index=True, kind="stable"
        )

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """All cases."""
        return {"metric-silences": self.scores}

    def numbers(self) -> Mapping[str, Any]:
        """Of the ablation metric, by rule and case planted for this: recall, or false rate where nothing absorbs."""
        mine = self.scores.set_index(["definition", "case", "silence"])
        *absorbing, faint = SILENCE_CASES
        columns = dict.fromkeys(absorbing, "recall") | {faint: "false_rate"}
        told = {
            f"{_key(silence)}_{_key(case)}": f"{mine.loc[(ABLATION, case, silence), column]:.0%}"
            for case, column in columns.items()
            for silence in (AT_ZERO, CALIBRATED, share_silence(SHARES[-1]).name)
        }
        shares = " and ".join(f"{share:g}" for share in SHARES)
        return told | {"tau_m": shares, "leak": f"{LEAK:g}", "newly_fooled": self.newly_fooled}

    @property
    def newly_fooled(self) -> int:
        """Cases and definitions that fool another rule of silence (above ``FOOLED``) and not the published one."""
        fooled = self.asking.assign(fooled=self.asking["false_rate_low"] > FOOLED)
        wide = fooled.pivot(index=["case", "definition"], columns="silence", values="fooled")
        return int((wide.drop(columns=AT_ZERO).any(axis=1) & ~wide[AT_ZERO]).sum())


def silence_case_table(settings: PlantedMetricSettings) -> pd.DataFrame:
    """``case, planted, words, absorbed, carried`` as ``case_table``, of the cases planted for this."""
    return table_of_cases(silence_cases(alphabet_of(settings)), SILENCE_CASES)


def under_every_silence(on_cases: OnCases, settings: PlantedMetricSettings) -> UnderSilences:
    """The chapter's cases, and those planted for this, under every rule of silence."""
    mine = [study_case(case, seed=settings.seed) for case in silence_cases(alphabet_of(settings))]
    return UnderSilences(scores_by_silence([*mine, *on_cases.studies], seed=settings.seed))


def scores_by_silence(studies: Sequence[PlantedStudy], *, seed: int = 0) -> pd.DataFrame:
    """``silence`` and the columns of ``study.scores``; the fraction once, under ``NOT_ASKED``."""
    tables = []
    for one in studies:
        judged = {
            silence.name: one.apply_definitions(definitions=ASKING, silence=silence)
            for silence in one.silences()
        }
        judged[NOT_ASKED] = one.apply_definitions(definitions=[FRACTION])
        tables += [scores(table, seed=seed).assign(silence=name) for name, table in judged.items()]
    return pd.concat(tables, ignore_index=True)


def _in_order(column: pd.Series) -> pd.Series:
    order = [*SILENCE_CASES, *CASES, *ASKING, FRACTION]
    return column.map(order.index)


def _key(name: str) -> str:
    return name.split(" (")[0].replace(",", "").replace(" ", "_").replace(".", "_")

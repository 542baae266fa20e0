"""Rates of one SAE under every rule of when its main latents are silent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from absorption.definitions.apply import apply_projection_rules
from absorption.definitions.calibration import silences
from absorption.definitions.evidence import Evidence
from absorption.definitions.factors import with_factors
from absorption.definitions.gate import valid_letters
from absorption.definitions.nulls import Null, null_by_projection
from absorption.definitions.rates import MEAN, absorption_rates
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.silence import Silence
from absorption.definitions.thresholds import Thresholds
from absorption.one_sae.gate import gate_table
from absorption.one_sae.study import Study
from absorption.one_sae.summary import Absorption

SILENCE_COLUMNS = [
    "silence", "share_candidates", "share_absorbed", "rate", "low", "high", "null", "null_low", "null_high", "p",
    "all_letters", "valid",
]  # fmt: skip

Judge = Callable[[Evidence], tuple[pd.DataFrame, Null]]
"""Labels of the words, as ``definitions.apply_definitions`` gives them, and their null."""


def rates_by_silence(
    study: Study,
    evidence: Evidence,
    rules: Sequence[Silence],
    judge: Judge,
    *,
    asked: Collection[str],
    thresholds: Thresholds,
    letters: Sequence[str],
    stems: Shaped[np.ndarray, " all_words"] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Rates of the definitions that ask for silence, under each rule; every rule has its own gate and null.

    Args:
        study: the SAE on the words.
        evidence: its words, probe and main latents; ``silence`` is replaced.
        rules: when main latents count as silent.
        judge: labels words and makes their null, given the evidence under one rule.
        asked: definitions whose rates are wanted.
        thresholds: of the gate.
        letters: as in ``definitions.absorption_rates``, and likewise ``stems``.
        seed: of the bootstrap.

    Returns:
        ``silence`` and the columns of ``definitions.factors.with_factors``.
    """
    tables = []
    for silence in rules:
        words, null = judge(replace(evidence, silence=silence))
        rates = absorption_rates(
            words[words["definition"].isin(asked)],
            letters=letters,
            valid=valid_letters(gate_table(study, evidence.main, thresholds, silence)),
            null=null,
            seed=seed,
            stems=stems,
        )
        tables.append(with_factors(rates).assign(silence=silence.name))
    return pd.concat(tables, ignore_index=True)


def full_by_silence(
    study: Study, found: Absorption, thresholds: Thresholds, *, seed: int = 0
) -> pd.DataFrame:
    """Mean rate of full absorption under each rule, with its two factors and its null: ``SILENCE_COLUMNS``.

    No pass of the model is made.

    Args:
        study: the SAE on the words.
        found: what was judged of it.
        thresholds: of full absorption and the gate.
        seed: of the null and the bootstrap.
    """

    def judge(evidence: Evidence) -> tuple[pd.DataFrame, Null]:
        words = apply_projection_rules(evidence, thresholds)
        return words, null_by_projection(evidence, thresholds, seed=seed)

    table = rates_by_silence(
        study,
        found.evidence,
        silences(found.evidence),
        judge,
        asked=[FULL_ABSORPTION],
        thresholds=thresholds,
        letters=found.letters,
        seed=seed,
    )
    return table.loc[table["letter"] == MEAN, SILENCE_COLUMNS].reset_index(drop=True)

"""The definitions applied to words, and what the same definitions say of them under other directions."""

from __future__ import annotations

from typing import Any

import pandas as pd

from absorption.ablation.effects import kept_effects
from absorption.ablation.engine import AblationEngine
from absorption.ablation.remembered import RememberedEffects
from absorption.definitions.apply import (
    NULL_CANDIDATES,
    apply_definitions,
    null_effects,
    null_of_definitions,
)
from absorption.definitions.evidence import Evidence
from absorption.definitions.nulls import Null
from absorption.definitions.thresholds import Thresholds


def apply_with_null(
    engine: AblationEngine,
    evidence: Evidence,
    thresholds: Thresholds,
    *,
    mean_metric: float,
    seed: int = 0,
) -> tuple[pd.DataFrame, Null]:
    """All definitions from all effects, kept on disk; the null rests on the same candidates.

    Arguments and results are those of ``apply_definitions`` and ``null_of_definitions``.
    """
    asked: Any = {"mean_metric": mean_metric, "seed": seed}
    table = apply_definitions(engine, evidence, thresholds, **asked)
    null = null_of_definitions(engine, evidence, thresholds, per_letter=thresholds.max_candidates, **asked)
    return table, null


def label_with_null(
    engine: AblationEngine,
    evidence: Evidence,
    thresholds: Thresholds,
    *,
    mean_metric: float,
    per_letter: int = NULL_CANDIDATES,
    seed: int = 0,
    remember: RememberedEffects | None = None,
) -> tuple[pd.DataFrame, Null]:
    """The same labels in far fewer passes, and a null that rests on some candidates only.

    The null comes first: no pass is made again for a label of a word whose effects it computed. Arguments and results
    are those of ``apply_definitions`` and ``null_of_definitions``, and ``remember``: effects of earlier calls of the
    same engine, to which this one adds its own; default none.
    """
    asked: Any = {"mean_metric": mean_metric, "seed": seed}
    null = null_of_definitions(engine, evidence, thresholds, per_letter=per_letter, **asked)
    known = null_effects(engine, evidence, per_letter=per_letter, seed=seed)
    remember = RememberedEffects() if remember is None else remember
    remember.add(kept_effects(engine, evidence.csr))
    how: Any = {"every_effect": False, "known": known, "remove": remember}
    return apply_definitions(engine, evidence, thresholds, **asked, **how), null

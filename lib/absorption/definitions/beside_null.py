"""The definitions applied to words, and what the same definitions say of them under other directions."""

from __future__ import annotations

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

    Args:
        engine: the ablation engine, whose prompts are the words of the evidence.
        evidence: words and latents.
        thresholds: of all definitions; ``max_candidates`` caps the ablations.
        mean_metric: the model's own scale, from ``definitions.model_scale``.
        seed: of the choice among too many candidates, and of the null's random directions.

    Returns:
        What ``apply_definitions`` and ``null_of_definitions`` give.
    """
    table = apply_definitions(engine, evidence, thresholds, mean_metric=mean_metric, seed=seed)
    per_letter = thresholds.max_candidates
    return table, null_of_definitions(
        engine, evidence, thresholds, mean_metric=mean_metric, per_letter=per_letter, seed=seed
    )


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

    The null comes first: no pass is made again for a label of a word whose effects it computed.

    Args:
        engine: the ablation engine, whose prompts are the words of the evidence.
        evidence: words and latents.
        thresholds: of all definitions; ``max_candidates`` caps the ablations.
        mean_metric: the model's own scale, from ``definitions.model_scale``.
        per_letter: candidates of a letter on which the ablation metric's null rests.
        seed: of the choice among too many candidates, and of the null's random directions.
        remember: effects of earlier calls of the same engine, to which this one adds its own; default none.
    """
    remember = RememberedEffects() if remember is None else remember
    null = null_of_definitions(
        engine, evidence, thresholds, mean_metric=mean_metric, per_letter=per_letter, seed=seed
    )
    known = null_effects(engine, evidence, per_letter=per_letter, seed=seed)
    remember.add(kept_effects(engine, evidence.csr))
    table = apply_definitions(
        engine,
        evidence,
        thresholds,
        mean_metric=mean_metric,
        seed=seed,
        every_effect=False,
        known=known,
        remove=remember,
    )
    return table, null

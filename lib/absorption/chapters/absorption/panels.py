"""Panels of thresholds: mean rates as one of them moves, each beside the null under the same setting."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from absorption.ablation.engine import AblationEngine
from absorption.definitions.apply import (
    apply_ablation_rule,
    apply_projection_rules,
)
from absorption.definitions.beside_null import apply_with_null
from absorption.definitions.evidence import Evidence
from absorption.definitions.gate import valid_letters
from absorption.definitions.nulls import Null, null_by_effects, null_by_projection
from absorption.definitions.rates import MEAN, absorption_rates
from absorption.definitions.rules import ABLATION, RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.one_sae.gate import gate_table
from absorption.one_sae.study import Study

PANEL = [
    "threshold", "setting", "definition", "rate", "low", "high", "null", "null_low", "null_high", "p",
    "all_letters", "valid",
]  # fmt: skip
"""Columns of a panel of thresholds: the moved one, its value, and a mean rate as ``absorption_rates`` gives it."""
BY_ABLATION = ("min_cosine", "min_lead")
BY_PROJECTION = ("min_cosine", "min_share", "fraction_cosine", "max_absorbers")
"""Which definitions a threshold concerns."""


def panel_rows(rates: pd.DataFrame, threshold: str, setting: float) -> pd.DataFrame:
    """The mean rows of ``absorption_rates`` as rows of a panel; columns as in ``PANEL``."""
    mean = rates[rates["letter"] == MEAN]
    return mean.assign(threshold=threshold, setting=float(setting))[PANEL]


def sensitivity(
    evidence: Evidence,
    effects: pd.DataFrame,
    thresholds: Thresholds,
    vary: Mapping[str, Sequence[float]],
    *,
    letters: Sequence[str] | None = None,
    valid: Collection[str] | None = None,
    stems: Shaped[np.ndarray, " all_words"] | None = None,
    n_resamples: int = 400,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean rates as one threshold at a time moves, each beside its null, from effects already computed.

    Args:
        evidence: words and latents.
        effects: of the judged candidates.
        thresholds: the values kept for the others.
        vary: values to try, by name of a field of ``Thresholds`` (``min_lead`` in logits).
        letters: letters to use.
        valid: letters over which the mean is taken, those that pass ``definitions.gate``; default all used.
        stems: what intervals resample, as in ``absorption_rates``.
        n_resamples: bootstrap resamples.
        seed: of the bootstrap and of the null's random directions.

    Returns:
        Columns as in ``PANEL``; a rate's null is under the same moved threshold.
    """
    tables = []
    for name, settings in vary.items():
        for setting in settings:
            moved = replace(thresholds, **{name: setting})
            table, null = _apply_again(evidence, effects, moved, name, seed)
            rates = absorption_rates(
                table,
                letters=letters,
                valid=valid,
                null=null,
                n_resamples=n_resamples,
                seed=seed,
                stems=stems,
            )
            tables.append(panel_rows(rates, name, setting))
    return pd.concat(tables, ignore_index=True)


def _apply_again(
    evidence: Evidence, effects: pd.DataFrame, moved: Thresholds, name: str, seed: int
) -> tuple[pd.DataFrame, Null]:
    tables, null = [], Null({}, {})
    if name in BY_ABLATION:
        tables.append(apply_ablation_rule(evidence, effects, moved, moved.min_lead, ABLATION))
        null |= null_by_effects(evidence, effects, moved, {ABLATION: moved.min_lead}, seed=seed)
    if name in BY_PROJECTION:
        tables.append(apply_projection_rules(evidence, moved))
        null |= null_by_projection(evidence, moved, seed=seed)
    if not tables:
        allowed = ", ".join(sorted({*BY_ABLATION, *BY_PROJECTION}))
        raise ValueError(f"threshold {name!r} cannot be varied here; allowed: {allowed}.")
    return pd.concat(tables, ignore_index=True), null


def rates_by_jump(
    engine: AblationEngine,
    study: Study,
    thresholds: Thresholds,
    f1_jumps: Sequence[float],
    letters: Sequence[str],
    *,
    mean_metric: float,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean rates as the F1 jump that makes a main latent moves; columns as in ``PANEL``.

    Other main latents make other candidates, another gate and another null; effects that were computed before are not
    computed again.
    """
    tables = []
    for jump in f1_jumps:
        evidence = study.evidence_under(study.k_sparse.main_latents(jump))
        table, null = apply_with_null(engine, evidence, thresholds, mean_metric=mean_metric, seed=seed)
        valid = valid_letters(gate_table(study, evidence.main, thresholds))
        rates = absorption_rates(
            table,
            letters=letters,
            valid=valid,
            null=null,
            n_resamples=400,
            seed=seed,
            stems=study.words.stems,
        )
        tables.append(panel_rows(rates, "f1_jump", jump))
    return pd.concat(tables, ignore_index=True)


def join_panels(by_threshold: pd.DataFrame, by_jump: pd.DataFrame) -> pd.DataFrame:
    """``sensitivity`` (run at the relative lead) and ``rates_by_jump`` as one table.

    Only the ablation metric at the relative lead and the two projection metrics are kept.
    """
    kept = by_jump[by_jump["definition"] != ABLATION].replace({"definition": {RELATIVE: ABLATION}})
    return pd.concat([by_threshold, kept], ignore_index=True)

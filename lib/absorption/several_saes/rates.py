"""Absorption rates of several SAEs on the same words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from tqdm.auto import tqdm

from absorption.ablation.engine import AblationEngine
from absorption.base import timing
from absorption.definitions.beside_null import label_with_null
from absorption.definitions.gate import valid_letters
from absorption.definitions.nulls import Null
from absorption.definitions.rates import absorption_rates
from absorption.definitions.thresholds import Thresholds
from absorption.latents.main import K_SPARSE
from absorption.one_sae.gate import gate_table
from absorption.one_sae.study import Study


@dataclass(frozen=True)
class LabelledSae:
    """One SAE and what every definition says of its words (``apply_definitions``), with its null and its gate."""

    study: Study
    table: pd.DataFrame
    null: Null
    gate: pd.DataFrame
    """As ``one_sae.gate_table`` gives it."""

    @property
    def valid(self) -> list[str]:
        """The letters that count for a mean rate."""
        return valid_letters(self.gate)


def label_saes(
    studies: Sequence[Study],
    thresholds: Thresholds,
    *,
    mean_metric: float,
    selection: str = K_SPARSE,
    seed: int = 0,
) -> list[LabelledSae]:
    """Label the words of each SAE, with as few ablations as the labels need.

    Args:
        studies: SAEs on the same words.
        thresholds: of all definitions; ``max_candidates`` caps the ablations of each letter.
        mean_metric: the model's own scale, from ``definitions.model_scale``.
        selection: of the main latents.
        seed: of the choice among too many candidates.
    """
    judged = []
    with timing.stage("labels"):
        for study in tqdm(studies, desc="SAEs judged"):
            engine = AblationEngine(study.words.model, study.sae, study.words.prompts)
            evidence = study.evidence(selection)
            table, null = label_with_null(engine, evidence, thresholds, mean_metric=mean_metric, seed=seed)
            judged.append(LabelledSae(study, table, null, gate_table(study, evidence.main, thresholds)))
    return judged


def rates_by_sae(judged: Sequence[LabelledSae], letters: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Rates of every SAE: ``sae, d_sae, l0_text, l0_share`` and the columns of ``definitions.absorption_rates``,
    intervals over stems."""
    tables = []
    for item in judged:
        study = item.study
        rates = absorption_rates(
            item.table,
            letters=letters,
            valid=item.valid,
            null=item.null,
            seed=seed,
            stems=study.words.stems,
        )
        l0 = {"l0_text": study.l0_text, "l0_share": study.l0_share}
        about = {"sae": study.sae.name, "d_sae": study.sae.d_sae, **l0}
        tables.append(rates.assign(**about))
    return pd.concat(tables, ignore_index=True)

"""All numbers of one SAE: rates beside their null, letters' F1 by every choice of latent, fitness, and diagnostics."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor

from absorption import definitions
from absorption.ablation.engine import AblationEngine
from absorption.base.quantities import rate, score
from absorption.base.statistics import interval
from absorption.definitions.factors import with_factors
from absorption.definitions.rates import MEAN, mean_rate
from absorption.definitions.rules import ABLATION, FULL_ABSORPTION, RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.latents.main import K_SPARSE
from absorption.latents.score import latent_samples
from absorption.latents.select import SINGLE_LATENT_SELECTIONS
from absorption.one_sae.gate import gate_table
from absorption.one_sae.study import Study
from absorption.probes.words import REFERENCE
from absorption.remedies.projections import nth_projections
from absorption.training.fitness import RULE, measure_fitness

FULL, RELATIVE_LEAD, PUBLISHED_LEAD = rate(FULL_ABSORPTION), rate(RELATIVE), rate(ABLATION)
FULL_UNGATED = rate(FULL_ABSORPTION, gated=False)
CANDIDATES, ABSORBED = "share of candidates", "share absorbed among candidates"
LETTERS_COUNTED = "letters that count"
FIT = "clears the rule of fitness"
RATES = (FULL, RELATIVE_LEAD, PUBLISHED_LEAD, FULL_UNGATED)
F1S = tuple(score("f1", selection) for selection in SINGLE_LATENT_SELECTIONS)
SAMPLED = (*RATES, *F1S)
"""What is kept of in every bootstrap resample of the words."""
COLUMNS = ["sae", "quantity", "value", "low", "high", "null", "null_low", "null_high", "p"]
"""One row a number; the last six are NaN where a number has no interval or no null."""
NULL_CANDIDATES = 2
"""Candidates of a letter on which the null of the ablation metric rests."""


@dataclass(frozen=True)
class Measured:
    """What was measured of one SAE."""

    numbers: pd.DataFrame
    """Columns as in ``COLUMNS``."""
    resamples: pd.DataFrame
    """``sae``, then a column each of ``SAMPLED``; one row a resample, in one order for all SAEs. Scores have fewer
    resamples than rates: the rest is NaN."""


@dataclass(frozen=True)
class Asked:
    """What is measured, alike for all SAEs."""

    max_candidates: int = 12
    seed: int = 0
    scale_words: int = 300
    ablate: bool = True
    """False leaves the definitions by ablation out, which take most of the time."""

    @property
    def thresholds(self) -> Thresholds:
        """Published ones, with the cap on candidates of a letter."""
        return Thresholds(max_candidates=self.max_candidates)


def measure_sae(study: Study, text: Float[Tensor, "row d_model"], asked: Asked) -> Measured:
    """Every number of one SAE.

    Args:
        study: the SAE on the words.
        text: activations of held-out text at the SAE's hook.
        asked: what is measured.
    """
    rows, samples = _rates(study, asked)
    latents = latent_samples(study.sae, study.words.probed, study.acts, seed=asked.seed)
    for selection, scored in latents.items():
        for metric in ("precision", "recall", "f1"):
            low, high = interval(scored.samples[metric])
            rows.append(_row(score(metric, selection), scored.values[metric], float(low), float(high)))
        samples[score("f1", selection)] = scored.samples["f1"]
    fitness = measure_fitness(study.sae, study.words.probed)
    rows += [_row(name, value) for name, value in asdict(fitness).items()]
    rows.append(_row(FIT, float(RULE.admits(pd.Series(asdict(fitness))))))
    rows.append(_row("l0_all_words", float(study.acts.l0.mean())))
    rows += [_row(projection(n), value) for n, value in nth_projections(study.sae, text).items()]
    numbers = pd.DataFrame([{"sae": study.sae.name, **row} for row in rows]).reindex(columns=COLUMNS)
    kept = pd.DataFrame({name: pd.Series(samples.get(name, []), dtype=np.float32) for name in SAMPLED})
    kept.insert(0, "sae", study.sae.name)
    return Measured(numbers, kept)


def projection(n: int) -> str:
    """Name of the nth decoder projection."""
    return f"decoder projection {n}"


def _row(quantity: str, value: float, low: float = np.nan, high: float = np.nan) -> dict[str, Any]:
    return {"quantity": quantity, "value": float(value), "low": low, "high": high}


def _rates(study: Study, asked: Asked) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    thresholds = asked.thresholds
    published = study.under(REFERENCE)
    evidence = published.evidence()
    letters = published.words.good_letters(thresholds.min_probe_f1)
    valid = definitions.valid_letters(gate_table(study, study.main[K_SPARSE], thresholds))
    if asked.ablate:
        judged, null = _with_ablation(study, evidence, asked)
    else:
        judged = definitions.apply_projection_rules(evidence, thresholds)
        null = definitions.null_by_projection(evidence, thresholds, seed=asked.seed)
    rows, samples = [], {}
    for definition, gated in (
        (FULL_ABSORPTION, True), (RELATIVE, True), (ABLATION, True), (FULL_ABSORPTION, False),
    ):  # fmt: skip
        mine = judged[judged["definition"] == definition]
        if len(mine) == 0:
            continue
        found = mean_rate(
            mine, letters, valid=valid if gated else None, null=null, seed=asked.seed, stems=study.words.stems
        )
        told = found.row()
        told["value"] = told.pop("rate")
        rows.append({"quantity": rate(definition, gated=gated), **told})
        samples[rate(definition, gated=gated)] = found.samples
    return rows + _factors(judged, letters, valid, asked), samples


def _with_ablation(study: Study, evidence: Any, asked: Asked) -> tuple[pd.DataFrame, definitions.Null]:
    thresholds = asked.thresholds
    engine = AblationEngine(study.words.model, study.sae, study.words.prompts)
    scale = definitions.model_scale(engine, evidence.words, n_words=asked.scale_words, seed=asked.seed)
    how: Any = {"mean_metric": scale.value, "seed": asked.seed}
    null = definitions.null_of_definitions(engine, evidence, thresholds, per_letter=NULL_CANDIDATES, **how)
    known = definitions.null_effects(engine, evidence, per_letter=NULL_CANDIDATES, seed=asked.seed)
    judged = definitions.apply_definitions(
        engine, evidence, thresholds, every_effect=False, known=known, **how
    )
    return judged, null


def _factors(
    judged: pd.DataFrame, letters: list[str], valid: list[str], asked: Asked
) -> list[dict[str, Any]]:
    """Full absorption as share of candidates times share absorbed among them."""
    full = judged[judged["definition"] == FULL_ABSORPTION]
    rates = definitions.absorption_rates(full, letters=letters, valid=valid, n_resamples=1, seed=asked.seed)
    mean: dict[Any, Any] = with_factors(rates).set_index("letter").loc[MEAN].to_dict()
    counted = sum(letter in valid for letter in letters)
    return [
        _row(CANDIDATES, mean["share_candidates"]),
        _row(ABSORBED, mean["share_absorbed"]),
        _row(LETTERS_COUNTED, counted),
    ]

"""Absorption and mediation of one SAE in few ablations; what cannot be measured is said, not left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from absorption import definitions
from absorption.ablation.engine import AblationEngine
from absorption.base import timing
from absorption.definitions.apply import NULL_CANDIDATES
from absorption.definitions.evidence import Evidence
from absorption.definitions.thresholds import Thresholds
from absorption.latents.main import K_SPARSE
from absorption.mediation.removed_parts import STATE, choose_words, mediate, mediation_shares
from absorption.one_sae.gate import gate_table
from absorption.one_sae.study import Study
from absorption.probes.words import REFERENCE

UNASKED = "ablation was not asked for"


@dataclass(frozen=True)
class Scaled:
    """An ablation engine, and the model's own scale: the mean metric of the words used, unchanged."""

    engine: AblationEngine
    mean_metric: float


@dataclass(frozen=True)
class Absorption:
    """What the definitions say of one SAE."""

    evidence: Evidence
    """What was judged."""
    judged: pd.DataFrame
    """Columns as in ``definitions.apply_definitions``."""
    rates: pd.DataFrame
    """Columns as in ``definitions.absorption_rates``."""
    letters: list[str]
    """Letters that are judged: those whose probe is good enough."""
    gate: pd.DataFrame
    """Columns as in ``one_sae.gate_table``."""
    null: definitions.Null
    """What the definitions say under directions that are not the letter's."""
    missing: str
    """Why nothing could be ablated; empty if it could."""
    scaled: Scaled | None
    """What ablated, if anything could be."""

    @property
    def valid(self) -> list[str]:
        """Letters that count for a mean rate: their main latents pass the gate."""
        return definitions.valid_letters(self.gate)


@dataclass(frozen=True)
class Effects(Absorption):
    """What the definitions and ablations say of one SAE."""

    shares: pd.DataFrame
    """Columns as in ``mediation.mediation_shares``, over all words and of the whole state's
    effect; empty if nothing could be ablated."""


def measure_absorption(
    study: Study,
    thresholds: Thresholds,
    *,
    scale_words: int = 300,
    probe: str = REFERENCE,
    ablate: bool = True,
    null_candidates: int = NULL_CANDIDATES,
    centred: bool = False,
    seed: int = 0,
) -> Absorption:
    """Rates under every definition, each beside its null.

    A model that does not spell has no answer to ablate, and neither have SAEs behind the last attention layer
    or with rescaled inputs: then only the definitions by projection are used.

    Args:
        study: one SAE on the words.
        thresholds: of all definitions; ``max_candidates`` caps the ablations of a letter.
        scale_words: words whose mean metric is the model's own scale.
        probe: of the rates; the default is the published one, so that they can stand beside published rates.
        ablate: False leaves the definitions by ablation out.
        null_candidates: candidates of a letter on which the ablation metric's null rests.
        centred: project activations less the training words' mean (``Evidence.centred``).
        seed: of every choice among words.
    """
    published = study.under(probe)
    evidence = replace(published.evidence(), centred=centred)
    letters = published.words.good_letters(thresholds.min_probe_f1)
    found = _scaled(study, evidence, thresholds, scale_words, seed) if ablate else UNASKED
    if isinstance(found, str):
        judged = definitions.apply_projection_rules(evidence, thresholds)
        null = definitions.null_by_projection(evidence, thresholds, seed=seed)
    else:
        engine, asked = found.engine, {"mean_metric": found.mean_metric, "seed": seed}
        with timing.stage("null"):  # first: labels need no pass of the words whose effects it computes
            known = definitions.null_effects(engine, evidence, per_letter=null_candidates, seed=seed)
            null = definitions.null_of_definitions(
                engine, evidence, thresholds, per_letter=null_candidates, **asked
            )
        with timing.stage("labels"):
            judged = definitions.apply_definitions(
                engine, evidence, thresholds, every_effect=False, known=known, **asked
            )
    gate = gate_table(study, study.main[K_SPARSE], thresholds)
    valid = definitions.valid_letters(gate)
    rates = definitions.absorption_rates(judged, letters=letters, valid=valid, null=null, seed=seed)
    missing, scaled = (found, None) if isinstance(found, str) else ("", found)
    return Absorption(evidence, judged, rates, letters, gate, null, missing, scaled)


def measure_effects(
    study: Study,
    thresholds: Thresholds,
    *,
    per_letter: int,
    scale_words: int = 300,
    probe: str = REFERENCE,
    seed: int = 0,
) -> Effects:
    """``measure_absorption``, and what main and absorbing latents carry of the letter.

    Args:
        study: one SAE on the words.
        thresholds: of all definitions; ``max_candidates`` caps the ablations of a letter.
        per_letter: words of a letter for the mediation, with a main latent on, and with none on.
        scale_words: words whose mean metric is the model's own scale.
        probe: of the rates. The mediation follows the study's own.
        seed: of every choice among words.
    """
    found = measure_absorption(study, thresholds, scale_words=scale_words, probe=probe, seed=seed)
    shares = pd.DataFrame()
    if found.scaled is not None:
        with timing.stage("mediation"):
            own = study.evidence()
            chosen = choose_words(own, per_letter, seed)
            table = mediate(found.scaled.engine, own, chosen, thresholds=thresholds, seed=seed)
        shares = mediation_shares(table, whole=STATE, by=(), seed=seed)
    return Effects(**vars(found), shares=shares)


def _scaled(
    study: Study, evidence: Evidence, thresholds: Thresholds, scale_words: int, seed: int
) -> Scaled | str:
    """The engine and the model's scale, or why there is none."""
    try:
        engine = AblationEngine(study.words.model, study.sae, study.words.prompts)
        scale = definitions.model_scale(engine, evidence.words, n_words=scale_words, seed=seed)
        thresholds.relative_lead(scale.value)
    except ValueError as error:
        return str(error)
    return Scaled(engine, scale.value)

"""What every rate of the chapter rests on: SAEs on the same words, thresholds, letters, the model's scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.ablation.engine import AblationEngine
from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings
from absorption.chapters.loading import words_of
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.apply import model_accuracy, model_scale
from absorption.definitions.evidence import Evidence
from absorption.definitions.gate import valid_letters
from absorption.definitions.thresholds import Thresholds
from absorption.models.language_model import LanguageModel
from absorption.one_sae.gate import failing, gate_table, in_words
from absorption.one_sae.study import Study, study_saes
from absorption.saes.loaded import LoadedSae


def study(model: LanguageModel, saes: Sequence[LoadedSae], settings: AbsorptionSettings) -> list[Study]:
    """Words, probes and main latents of every SAE; the first is the chapter's own."""
    words = words_of(model, saes[0], settings, probe=settings.probe, split=settings.split)
    return study_saes(words, list(saes), f1_jump=settings.f1_jump)


@dataclass(frozen=True)
class Basis(Findings):
    """The SAEs and their words, and how these are judged."""

    studies: Sequence[Study]
    evidence: Evidence
    """The chapter's own SAE under the selection that was asked for."""
    engine: AblationEngine
    thresholds: Thresholds
    letters: list[str]
    """Letters whose probe is good enough."""
    gate: pd.DataFrame
    """As ``one_sae.gate_table`` gives it."""
    scale: Estimate
    """The model's mean metric on the words."""
    accuracy: Estimate
    """Share of the words on which the model names the right letter."""
    probe: str
    """Kind of probe."""

    @property
    def mine(self) -> Study:
        """The chapter's own SAE."""
        return self.studies[0]

    @property
    def valid(self) -> list[str]:
        """Letters over which means are taken."""
        passed = valid_letters(self.gate)
        return [letter for letter in self.letters if letter in passed]

    @property
    def lead(self) -> float:
        """The relative lead, in logits."""
        return self.thresholds.relative_lead(self.scale.value)

    @property
    def failing(self) -> pd.DataFrame:
        """Letters that do not count."""
        return failing(self.gate, self.letters)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Which letters pass the gate."""
        return {"letter-gate": self.gate}

    def numbers(self) -> Mapping[str, Any]:
        """Limits, the model's scale, and how the ablations ran."""
        limits = (
            "min_probe_f1",
            "max_candidates",
            "min_cosine",
            "min_share",
            "min_main_recall",
            "min_main_lift",
        )
        return {name: getattr(self.thresholds, name) for name in limits} | {
            "probe": self.probe,
            "scale": str(self.scale),
            "lead": self.lead,
            "accuracy": str(self.accuracy),
            "engine": self.engine.mode,
            "gate_words": in_words(self.gate, self.letters),
        }


def prepare_basis(studies: Sequence[Study], settings: AbsorptionSettings) -> Basis:
    """Thresholds, letters and the model's own scale for studies of one set of words."""
    mine, words = studies[0], studies[0].words
    thresholds = Thresholds(
        min_cosine=settings.min_cosine,
        min_lead=settings.min_lead,
        min_share=settings.min_share,
        max_candidates=settings.max_candidates,
    )
    engine = AblationEngine(words.model, mine.sae, words.prompts)
    evidence = mine.evidence(settings.selection)
    asked = {"n_words": settings.scale_words, "seed": settings.seed}
    return Basis(
        studies=studies,
        evidence=evidence,
        engine=engine,
        thresholds=thresholds,
        letters=words.good_letters(thresholds.min_probe_f1),
        gate=gate_table(mine, mine.main[settings.selection], thresholds),
        scale=model_scale(engine, evidence.words, **asked),
        accuracy=model_accuracy(engine, evidence.words, **asked),
        probe=settings.probe,
    )

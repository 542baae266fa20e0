"""Chapter 6: the words and SAEs, and what removing each part of the word's state costs the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jaxtyping import Int
from torch import Tensor

from absorption.ablation.engine import AblationEngine
from absorption.chapters.findings import Findings
from absorption.chapters.loading import words_of
from absorption.chapters.settings import MediationSettings
from absorption.definitions.evidence import Evidence
from absorption.mediation import removed_parts as parts
from absorption.models.language_model import LanguageModel
from absorption.one_sae.study import Study, study_saes
from absorption.saes.loaded import LoadedSae

LETTER_PARTS = [parts.BOTH, parts.PATTERN, parts.FILTER, parts.RANDOM]
"""What is shown letter by letter."""
NAMES = {
    "main": parts.MAIN,
    "absorbing": parts.ABSORBING,
    "random": parts.RANDOM,
    "pattern": parts.PATTERN,
    "filter": parts.FILTER,
    "means": parts.MEANS,
    "all": parts.ALL,
}
"""What the text calls the parts whose shares it gives."""


@dataclass(frozen=True)
class Studied(Findings):
    """The chapter's SAE on the words, what the definitions rest on, and the engine that ablates."""

    mine: Study
    evidence: Evidence
    engine: AblationEngine


def study(model: LanguageModel, sae: LoadedSae, settings: MediationSettings) -> Studied:
    """Words, main latents and engine of one SAE; the SAEs beside it only edit, which takes no main latents."""
    words = words_of(model, sae, settings)
    (mine,) = study_saes(words, [sae], f1_jump=settings.f1_jump)
    return Studied(mine, mine.evidence(settings.selection), AblationEngine(model, sae, words.prompts))


@dataclass(frozen=True)
class Mediated(Findings):
    """Effect of removing each part of each chosen word's state, and its share of the whole state's effect."""

    words: Int[Tensor, " word"]
    effects: pd.DataFrame
    shares: pd.DataFrame
    by_letter: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Effects by word, shares over all words and by letter."""
        return {
            "mediation-words": self.effects,
            "mediation-shares": self.shares,
            "mediation-letters": self.by_letter,
        }

    def numbers(self) -> Mapping[str, Any]:
        """The share of each part where a main latent is on, and where all are off."""
        share = self.shares.set_index(["part", "main_on"])["share"]
        return {
            f"{name}_{side}": float(share.get((part, on), float("nan"))) + 0.0  # no "-0.00" in the text
            for name, part in NAMES.items()
            for side, on in (("on", True), ("off", False))
        }


def mediate(studied: Studied, settings: MediationSettings) -> Mediated:
    """Remove each part from words with a main latent on, and from as many with all off."""
    chosen = parts.choose_words(studied.evidence, settings.per_letter, settings.seed)
    effects = parts.mediate(studied.engine, studied.evidence, chosen, seed=settings.seed)
    by_letter = parts.mediation_shares(effects, whole=parts.STATE, by=("letter",), seed=settings.seed)
    return Mediated(chosen, effects, both_shares(effects, seed=settings.seed), by_letter)


def both_shares(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """``mediation_shares`` of the whole state's effect, with the share of the pattern's as ``of_pattern``."""
    found = parts.mediation_shares(table, whole=parts.STATE, seed=seed)
    of_pattern = parts.mediation_shares(table, whole=parts.PATTERN, seed=seed)["share"]
    found.insert(list(found.columns).index("high") + 1, "of_pattern", of_pattern)
    return found

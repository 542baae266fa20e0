"""Chapter 14: the SAE and its words, the absorbing latents, and the latents they are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters import loading
from absorption.chapters.findings import Findings
from absorption.chapters.loading import words_of
from absorption.chapters.meta_saes.trained import Trained, check
from absorption.chapters.settings import MetaSettings
from absorption.composition.asked import ABSORBING, GROUPS, MATCHED, OTHERS, Heard, asked_latents, hear
from absorption.definitions.apply import apply_projection_rules
from absorption.definitions.evidence import Evidence
from absorption.definitions.gate import valid_letters
from absorption.definitions.thresholds import Thresholds
from absorption.models.language_model import LanguageModel
from absorption.one_sae.gate import gate_table
from absorption.one_sae.study import Study, study_saes
from absorption.saes.loaded import LoadedSae


@dataclass(frozen=True)
class Basis(Findings):
    """The SAE on its words, judged by the projection definitions, and the latents that are asked about."""

    trained: Trained
    study: Study
    evidence: Evidence
    thresholds: Thresholds
    letters: list[str]
    """Letters over which means are taken, as in chapter 5."""
    words: pd.DataFrame
    """As ``definitions.apply_projection_rules`` gives it."""
    heard: Heard
    asked: pd.DataFrame
    """As ``composition.asked.asked_latents`` gives it."""

    @property
    def groups(self) -> pd.DataFrame:
        """The groups of asked latents: how many, of how many letters, and their mean cosine with the probe."""
        rows = []
        for group in GROUPS:
            mine = self.asked[self.asked["group"] == group]
            rows.append((group, len(mine), mine["letter"].nunique(), float(mine["cosine"].mean())))
        return pd.DataFrame(rows, columns=["group", "latents", "letters", "cosine"])

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The asked latents."""
        return {"meta-asked": self.asked.assign(words=self.asked["words"].map(len))}

    def numbers(self) -> Mapping[str, Any]:
        """How many latents are asked about."""
        counts = self.groups.set_index("group")
        mine = self.asked[self.asked["group"] == ABSORBING]
        return {
            "n_absorbing": f"{counts.loc[ABSORBING, 'latents']:,}",
            "n_absorbing_words": f"{int(mine['words'].map(len).sum()):,}",
            "n_matched": f"{counts.loc[MATCHED, 'latents']:,}", "n_others": f"{counts.loc[OTHERS, 'latents']:,}",
            "n_letters": len(self.letters),
            "cosine_absorbing": f"{counts.loc[ABSORBING, 'cosine']:.2f}",
            "cosine_matched": f"{counts.loc[MATCHED, 'cosine']:.2f}",
            "cosine_others": f"{counts.loc[OTHERS, 'cosine']:.2f}",
        }  # fmt: skip


def load(settings: MetaSettings) -> tuple[LanguageModel, LoadedSae]:
    """The model and the SAE, whose meta-SAEs are checked before anything is trained.

    Raises:
        ValueError: as ``chapters.loading.load`` and ``trained.check``.
    """
    model, sae = loading.load(settings)
    check(sae, settings)
    return model, sae


def prepare(trained: Trained, model: LanguageModel, settings: MetaSettings) -> Basis:
    """Find the absorbing latents on the words of the chapters before."""
    words = words_of(model, trained.sae, settings, probe=settings.probe, split=settings.split)
    study = study_saes(words, [trained.sae], f1_jump=settings.f1_jump)[0]
    evidence, thresholds = study.evidence(), Thresholds()
    passed = valid_letters(gate_table(study, evidence.main, thresholds))
    letters = [letter for letter in words.good_letters(thresholds.min_probe_f1) if letter in passed]
    judged = apply_projection_rules(evidence, thresholds)
    heard = hear(evidence)
    asked = asked_latents(evidence, heard, judged, letters)
    return Basis(trained, study, evidence, thresholds, letters, judged, heard, asked)

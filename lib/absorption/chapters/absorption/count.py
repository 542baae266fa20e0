"""Every word judged under every definition, counted, and set beside the null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Int
from scipy.stats import hmean
from torch import Tensor

from absorption.ablation.effects import stored_effects
from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.tables import denominators, mean_rows
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.beside_null import apply_with_null
from absorption.definitions.case import absorbed_words
from absorption.definitions.nulls import Null
from absorption.definitions.rates import absorption_rates
from absorption.definitions.rules import RELATIVE

CLEAN_F1 = 0.7
"""F1 on the training words above which a letter's main latents, any of them on, are a clean rule."""


@dataclass(frozen=True)
class Counted(Findings):
    """What the definitions say of the words, and how often."""

    words: pd.DataFrame
    """As ``definitions.apply_definitions`` gives it: one row a word and definition."""
    null: Null
    rates: pd.DataFrame
    absorbed: pd.DataFrame
    """As ``clean_first`` gives it, by the relative lead."""
    effects: pd.DataFrame
    """All effects of the candidates that were ablated."""

    @property
    def denominators(self) -> pd.DataFrame:
        """What each letter's rate rests on."""
        return denominators(self.rates)

    @property
    def means(self) -> pd.DataFrame:
        """Means over letters."""
        return mean_rows(self.rates)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Judged words, rates, absorbed words."""
        return {"judged-words": self.words, "absorption-rates": self.rates, "absorbed-words": self.absorbed}


def count(basis: Basis, settings: AbsorptionSettings) -> Counted:
    """Judge the words of the chapter's own SAE, and count."""
    engine, evidence, seed = basis.engine, basis.evidence, settings.seed
    words, null = apply_with_null(
        engine, evidence, basis.thresholds, mean_metric=basis.scale.value, seed=seed
    )
    rates = absorption_rates(
        words,
        letters=basis.letters,
        valid=basis.valid,
        null=null,
        seed=seed,
        stems=basis.mine.words.stems,
    )
    absorbed = clean_first(absorbed_words(engine, evidence, words, RELATIVE), basis.gate)
    effects = stored_effects(engine, basis.mine.acts.csr, judged_words(words), progress=False)
    return Counted(words, null, rates, absorbed, effects)


def clean_first(absorbed: pd.DataFrame, gate: pd.DataFrame) -> pd.DataFrame:
    """The absorbed words with ``main_f1``, those first whose letter has clean main latents; each part as it was.

    That an absorbed word is an exception says most where the letter's main latents are otherwise right.

    Args:
        absorbed: from ``definitions.absorbed_words``, largest lead first.
        gate: from ``one_sae.gate_table``: precision and recall of each letter's main latents on the training words.
    """
    f1 = hmean(gate[["precision", "recall"]].to_numpy(), axis=1)
    table = absorbed.assign(
        main_f1=absorbed["letter"].map(dict(zip(gate["letter"], f1, strict=True))).astype(float)
    )
    return table.sort_values("main_f1", key=lambda found: found <= CLEAN_F1, kind="stable", ignore_index=True)


def judged_words(table: pd.DataFrame) -> Int[Tensor, " word"]:
    """The candidates that were ablated, from ``definitions.apply_definitions``."""
    mine = table[(table["definition"] == RELATIVE) & table["judged"]]
    return torch.from_numpy(mine["word"].to_numpy(copy=True))

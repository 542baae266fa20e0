"""The same SAE under every choice of main latents, and under rankings that have not converged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from absorption.ablation.engine import AblationEngine
from absorption.ablation.remembered import RememberedEffects
from absorption.base import timing
from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.tables import mean_rows
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.beside_null import label_with_null
from absorption.definitions.gate import valid_letters
from absorption.definitions.rates import absorption_rates
from absorption.definitions.thresholds import Thresholds
from absorption.latents.main import K_SPARSE, MAIN_SELECTIONS, reference_steps
from absorption.one_sae.gate import gate_table
from absorption.one_sae.study import CONVERGED, FEW_WORDS, UNCONVERGED, Study, train_rows

NULL_WORDS = 1
"""Candidates of a letter on which the ablation metric's null of a selection rests: all effects of a word cost dozens of
passes, there are six selections, and a poor one leaves most words candidates."""

IN_TEXT = {
    "candidates_k_sparse": K_SPARSE,
    "candidates_encoder": "encoder cosine",
    "candidates_unconverged": UNCONVERGED,
    "candidates_converged": CONVERGED,
}
"""Selections of which the text tells the share of candidates, by the number's name."""


@dataclass(frozen=True)
class BySelection(Findings):
    """Rates by selection of the main latents."""

    rates: pd.DataFrame
    """As ``rates_by_selection`` gives it."""
    n_train: int
    """Training words."""

    @property
    def means(self) -> pd.DataFrame:
        """Means over letters."""
        return mean_rows(self.rates, "selection", "n_main", "candidates")

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The rates."""
        return {"rates-by-selection": self.rates}

    def numbers(self) -> Mapping[str, Any]:
        """Shares of candidates, and the steps that the reference codes' ranking probe makes."""
        at = self.rates.drop_duplicates("selection").set_index("selection")["candidates"]
        n_few = min(self.n_train, FEW_WORDS)
        return {name: float(at[selection]) for name, selection in IN_TEXT.items()} | {
            "n_few": f"{n_few:,}",
            "steps_few": reference_steps(n_few),
            "steps_all": reference_steps(self.n_train),
        }


def apply_under_every_selection(basis: Basis, settings: AbsorptionSettings) -> BySelection:
    """Judge the chapter's own SAE under every selection, with fewer candidates a letter."""
    few = replace(basis.thresholds, max_candidates=settings.max_candidates_others)
    rates = rates_by_selection(
        basis.mine, few, basis.letters, mean_metric=basis.scale.value, seed=settings.seed
    )
    return BySelection(rates, len(train_rows(basis.mine.words)))


def rates_by_selection(
    study: Study,
    thresholds: Thresholds,
    letters: Sequence[str],
    *,
    mean_metric: float,
    seed: int = 0,
) -> pd.DataFrame:
    """Rates of one SAE under every selection in use, and ranked on few words, converged and not.

    Returns:
        ``selection, n_main`` (mean number of main latents of a letter), ``candidates`` (their share of the words
        that the probe gets) and the columns of ``definitions.absorption_rates``.
    """
    engine = AblationEngine(study.words.model, study.sae, study.words.prompts)
    by_selection = {name: study.evidence(name) for name in MAIN_SELECTIONS} | study.on_few_words()
    tables, remember = [], RememberedEffects()
    with timing.stage("selections"):
        for name, evidence in tqdm(by_selection.items(), desc="Selections"):
            table, null = label_with_null(
                engine,
                evidence,
                thresholds,
                mean_metric=mean_metric,
                per_letter=NULL_WORDS,
                seed=seed,
                remember=remember,
            )
            n_main = sum(len(evidence.main[letter]) for letter in letters) / len(letters)
            valid = valid_letters(gate_table(study, evidence.main, thresholds))
            rates = absorption_rates(
                table, letters=letters, valid=valid, null=null, seed=seed, stems=study.words.stems
            )
            share = float(evidence.main_off.mean())
            tables.append(rates.assign(selection=name, n_main=n_main, candidates=share))
    return pd.concat(tables, ignore_index=True)

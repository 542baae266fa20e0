"""The page on one SAE in short: all chapters on few words, beside the shipped SAEs that read the same place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.explorer_command import command
from absorption.chapters.findings import Findings, OneTable
from absorption.chapters.loading import load_with_companions as load_with_companions
from absorption.chapters.loading import words_of
from absorption.chapters.settings import ReportSettings
from absorption.definitions.apply import null_effects
from absorption.definitions.rules import ABLATION, RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.explorer.address import of_letters
from absorption.explorer.leaders import leaders_of_labels
from absorption.explorer.tables import Subject, join
from absorption.latents.main import K_SPARSE
from absorption.latents.words import missed_words, top_words
from absorption.models.language_model import LanguageModel
from absorption.one_sae.by_silence import full_by_silence
from absorption.one_sae.gate import failing, in_words
from absorption.one_sae.study import Study, study_saes
from absorption.one_sae.summary import Effects, measure_effects
from absorption.saes.loaded import LoadedSae
from absorption.several_saes.numbers import (
    numbers,
    resamples_of,
    summary,
)
from absorption.several_saes.side_by_side import wide_table


def study(model: LanguageModel, saes: Sequence[LoadedSae], settings: ReportSettings) -> list[Study]:
    """Every SAE on the same words; the first is the page's own."""
    return study_saes(words_of(model, saes[0], settings), list(saes))


@dataclass(frozen=True)
class Measured(Findings):
    """Every number of every SAE; rates, gate and shares of the page's own."""

    mine: Study
    probe: str
    effects: Effects
    summary: pd.DataFrame
    resamples: pd.DataFrame

    @property
    def reports(self) -> pd.DataFrame:
        """The numbers, each SAE as a report of its own."""
        return self.summary.assign(report=self.summary["sae"])

    @property
    def all_numbers(self) -> pd.DataFrame:
        """One row a number, one column an SAE."""
        return wide_table(self.reports)

    @property
    def failing(self) -> pd.DataFrame:
        """Letters that do not count for a mean rate."""
        return failing(self.effects.gate, self.effects.letters)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Numbers and resamples; rates, gate, and shares where anything could be ablated."""
        shares = {"sae-mediation-shares": self.effects.shares} if len(self.effects.shares) else {}
        return {
            "sae-summary": self.summary,
            "sae-resamples": self.resamples,
            "sae-absorption-rates": self.effects.rates,
            "sae-gate": self.effects.gate,
        } | shares

    def numbers(self) -> Mapping[str, Any]:
        """What was measured, on what, and what was not."""
        sae, words = self.mine.sae, self.mine.words
        return {
            "sae": sae.name,
            "hook": sae.hook_name,
            "d_sae": sae.d_sae,
            "l0": float(self.mine.acts.l0.mean()),
            "n_words": len(words.table),
            "n_right": len(words.under(self.probe).right),
            "probe": self.probe,
            "gate_words": in_words(self.effects.gate, self.effects.letters),
            "missing": self.effects.missing or "nothing",
        }


def measure(studies: Sequence[Study], settings: ReportSettings) -> Measured:
    """Absorption and mediation of every SAE, and all numbers."""
    thresholds = Thresholds(max_candidates=settings.max_candidates)
    effects = [
        measure_effects(
            one, thresholds, per_letter=settings.per_letter, probe=settings.probe, seed=settings.seed
        )
        for one in studies
    ]
    found = {one.sae.name: numbers(one, its) for one, its in zip(studies, effects, strict=True)}
    mine = studies[0]
    return Measured(mine, settings.probe, effects[0], summary(found), resamples_of(found[mine.sae.name]))


def by_silence(measured: Measured, settings: ReportSettings) -> OneTable:
    """Full absorption of the page's own SAE under every rule of when a main latent is silent; no pass of the model."""
    thresholds = Thresholds(max_candidates=settings.max_candidates)
    return OneTable(
        "sae-silences", full_by_silence(measured.mine, measured.effects, thresholds, seed=settings.seed)
    )


@dataclass(frozen=True)
class KeptEvidence(Findings):
    """What the explorer shows of the page's own SAE."""

    found: Mapping[str, pd.DataFrame]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The explorer's tables, with the page's own names."""
        return {f"sae-{name}": table for name, table in self.found.items()}


def keep_evidence(measured: Measured, settings: ReportSettings) -> KeptEvidence:
    """The little evidence by which words are judged at any threshold; no pass of the model."""
    found, mine = measured.effects, measured.mine
    thresholds = Thresholds(max_candidates=settings.max_candidates)
    effects = pd.DataFrame({"word": [], "latent": [], "effect": []})
    leads: dict[str, float] = {}
    if found.scaled is not None:
        effects = null_effects(found.scaled.engine, found.evidence, seed=settings.seed)
        relative = thresholds.relative_lead(found.scaled.mean_metric)
        leads = {ABLATION: thresholds.min_lead, RELATIVE: relative}
    subject = Subject(
        study=mine,
        evidence=found.evidence,
        letters=found.letters,
        rates=found.rates,
        leaders=leaders_of_labels(found.judged),
        effects=effects,
        thresholds=thresholds,
        leads=leads,
        command=command(settings, mine.sae, settings.max_candidates, shipped=False),
        seed=settings.seed,
    )
    return KeptEvidence(join([subject]))


@dataclass(frozen=True)
class Missed(Findings):
    """Words that the probe gets and the letter's latent misses, and what carries the direction there."""

    table: pd.DataFrame

    def links(self, sae: str) -> dict[str, Sequence[str]]:
        """The explorer's states of letters; it judges other words than a page on a sample does."""
        return {"letter": of_letters(sae, self.shown()["letter"].tolist())}

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row a word and carrier."""
        return {"sae-missed-words": self.table}

    def shown(self, n: int = 300) -> pd.DataFrame:
        """The first rows, as a reader sees them."""
        return self.table.drop(columns="carrier").head(n)


def missed(mine: Study) -> Missed:
    """The missed words of the page's own SAE."""
    return Missed(missed_words(mine.sae, mine.words.probed, mine.acts))


def main_latents(study: Study) -> pd.DataFrame:
    """One row a letter: ``letter, latents``, and ``top``, the words on which the first is strongest."""
    main = study.main[K_SPARSE]
    names = top_words(study.acts, study.words.table, [latents[0] for latents in main.values()])
    rows = [
        (letter, ", ".join(map(str, latents)), names.get(latents[0], "")) for letter, latents in main.items()
    ]
    return pd.DataFrame(rows, columns=["letter", "latents", "top"])

"""Chapter 4, feature splitting: k-sparse probing, main latents, and how both move with L0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.loading import load_with_companions as load_with_companions
from absorption.chapters.loading import words_of
from absorption.chapters.settings import SplittingSettings
from absorption.explorer.address import of_latents
from absorption.latents.describe import describe_main, split_contrast
from absorption.latents.main import K_SPARSE, count_table, split_counts, split_letters
from absorption.models.language_model import LanguageModel
from absorption.one_sae.study import Study, study_saes
from absorption.saes.loaded import LoadedSae
from absorption.several_saes import l0_trends

SHOWN = ["letter", "rank", "latent", "n_on", "share_letter", "recall", "share_upper", "share_space", "top"]
"""Columns of the main latents' table that a reader sees."""
JUMPS = [0.01, 0.02, 0.03, 0.04, 0.05]
"""Rises of F1 at which splits are counted."""


@dataclass(frozen=True)
class Studied(Findings):
    """Every SAE on the same words; the first is the chapter's own."""

    studies: Sequence[Study]

    @property
    def mine(self) -> Study:
        """The chapter's own SAE."""
        return self.studies[0]

    def numbers(self) -> Mapping[str, Any]:
        """The worst violation of optimality, and the number of SAEs."""
        violation = max(study.violation for study in self.studies)
        return {"violation": f"{violation:.1e}", "n_saes": len(self.studies)}


def study(model: LanguageModel, saes: Sequence[LoadedSae], settings: SplittingSettings) -> Studied:
    """Words, k-sparse probing and main latents of every SAE."""
    words = words_of(model, saes[0], settings)
    return Studied(study_saes(words, list(saes), f1_jump=settings.f1_jump, max_k=settings.max_k))


@dataclass(frozen=True)
class Splits(Findings):
    """F1 against k, and the letters that split, picked on one half of the test words and judged on the other."""

    scores: pd.DataFrame
    jumps: pd.DataFrame
    split: list[str]
    held_out: pd.DataFrame
    judged: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """F1 against k, and the held-out rises."""
        return {"k-sparse-scores": self.scores, "splits-held-out": self.held_out}

    def claims(self) -> pd.DataFrame:
        """Whether a letter splits, and whether one does not."""
        return self.judged

    def numbers(self) -> Mapping[str, Any]:
        """Counts of letters, with what their intervals allow."""
        counts = {
            row["part"].replace("-", "_"): f"{row['value']:.0f} [{row['low']:.0f}, {row['high']:.0f}]"
            for row in self.judged.to_dict("records")
        }
        letters = ", ".join(letter.upper() for letter in self.split) or "none"
        return counts | {"n_split": len(self.split), "split": letters}


def find_splits(mine: Study, settings: SplittingSettings) -> Splits:
    """Which letters of one SAE split."""
    found = mine.k_sparse
    held_out = l0_trends.splits_held_out(mine)
    judged = l0_trends.split_claims(mine, held_out)
    return Splits(found.scores, found.jumps(), split_letters(found, settings.f1_jump), held_out, judged)


@dataclass(frozen=True)
class Described(Findings):
    """What each main latent is on for, and what tells the first two of a split letter apart."""

    main: pd.DataFrame
    contrast: pd.DataFrame

    @property
    def shown(self) -> pd.DataFrame:
        """The columns that a reader sees."""
        return self.main[SHOWN]

    def links(self, sae: str) -> dict[str, Sequence[str]]:
        """The explorer's states of letters and latents."""
        return of_latents(sae, self.main)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Main latents, and contrasts of split letters."""
        return {"main-latents": self.main, "split-contrast": self.contrast}


def describe(mine: Study) -> Described:
    """Describe the main latents of one SAE by the words they are on for."""
    main = describe_main(mine.acts.csr, mine.words.table, mine.main[K_SPARSE])
    return Described(main, split_contrast(main))


@dataclass(frozen=True)
class AgainstL0(Findings):
    """Splits of every SAE, their change with L0, and how the count depends on the line."""

    table: pd.DataFrame
    counts: pd.DataFrame
    slope: Estimate
    n_compared: int

    @property
    def by_jump(self) -> pd.DataFrame:
        """One row a rise of F1 that counts."""
        return count_table(self.counts)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Splits by SAE, and by rise of F1."""
        return {"splits": self.table, "splits-by-jump": self.counts}

    def claims(self) -> pd.DataFrame:
        """Whether splits grow more as L0 falls."""
        note = f"{self.n_compared} SAEs of one width"
        return claim("splits-l0", self.slope, part="three-l0s", note=note)

    def numbers(self) -> Mapping[str, Any]:
        """The slope."""
        return {"slope": str(self.slope)}


def against_l0(studies: Sequence[Study]) -> AgainstL0:
    """Splits of several SAEs against their L0."""
    samples = {study.sae.name: l0_trends.split_samples(study) for study in studies}
    return AgainstL0(
        l0_trends.split_table(studies),
        split_counts(studies[0].k_sparse.scores, JUMPS),
        l0_trends.slope(studies, samples, l0_trends.SPLITS),
        len(l0_trends.at_one_width(studies)),
    )

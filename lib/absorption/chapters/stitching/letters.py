"""Chapter 13: what becomes of each letter's latent from width to width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.settings import StitchingSettings
from absorption.chapters.stitching.measured import Measured
from absorption.one_sae.words import prepare_words
from absorption.stitching import letters

COLUMNS = [
    "pair",
    "letter",
    "latent",
    "f1",
    "nearest",
    "cosine",
    "successors",
    "f1_best",
    "f1_all",
    "lost",
    "taken",
    "fate",
]


@dataclass(frozen=True)
class Letters(Findings):
    """A row a letter and pair of neighbours."""

    table: pd.DataFrame
    widths: list[str]

    @property
    def counts(self) -> pd.DataFrame:
        """Letters by fate."""
        return letters.count_fates(self.table)

    @property
    def shown(self) -> pd.DataFrame:
        """The columns that a reader sees."""
        return self.table[COLUMNS]

    @property
    def flow(self) -> pd.DataFrame:
        """What the figure draws: ``letter, step, fate``."""
        steps = {name: step for step, name in enumerate(dict.fromkeys(self.table["pair"]))}
        return self.table.assign(step=self.table["pair"].map(steps))[
            ["letter", "step", "fate", "f1", "f1_all"]
        ]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every letter, and the counts."""
        return {"stitching-letters": self.table, "stitching-fates": self.counts}

    def numbers(self) -> Mapping[str, Any]:
        """How many of the letters' latents meet each fate, over all steps."""
        fates = self.table["fate"].value_counts()
        told = {f"n_{name}": int(fates.get(name, 0)) for name in letters.FATES}
        return told | {"n_followed": len(self.table), "f1_first": f"{self.table['f1'].iloc[:26].mean():.2f}"}


def follow_letters(measured: Measured, settings: StitchingSettings) -> Letters:
    """Follow the letters' latents from SAE to SAE."""
    pairs = measured.plan.neighbours
    series = [pairs[0].smaller, *(pair.larger for pair in pairs)]
    words = prepare_words(
        measured.model,
        series[0].hook_name,
        n_words=settings.n_words,
        n_sets=settings.n_sets,
        seed=settings.seed,
    )
    return Letters(letters.follow_letters(words, series, pairs), [f"{sae.d_sae:,}" for sae in series])

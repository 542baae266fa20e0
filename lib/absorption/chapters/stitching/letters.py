"""Chapter 13: what becomes of each letter's latent from width to width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.settings import StitchingSettings
from absorption.chapters.stitching.measured import Measured
from absorption.latents.main import K_SPARSE
from absorption.one_sae.words import prepare_words
from absorption.stitching import letters

BY_F1 = letters.SELECTIONS[0]

COLUMNS = [
    "selection",
    "pair",
    "letter",
    "latent",
    "followed",
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
    """A row a selection, letter and pair of neighbours."""

    table: pd.DataFrame
    widths: list[str]

    @property
    def counts(self) -> pd.DataFrame:
        """Letters by fate, under either selection."""
        return letters.count_fates(self.table)

    @property
    def by_f1(self) -> pd.DataFrame:
        """The letters' latents that are chosen by F1, one each."""
        return self.table[self.table["selection"] == BY_F1]

    @property
    def by_k_sparse(self) -> pd.DataFrame:
        """The letters' main latents."""
        return self.table[self.table["selection"] == K_SPARSE]

    @property
    def shown(self) -> pd.DataFrame:
        """The columns that a reader sees."""
        return self.table[COLUMNS]

    @property
    def flow(self) -> pd.DataFrame:
        """What the figure draws: ``letter, step, fate``."""
        rows = self.by_f1
        steps = {name: step for step, name in enumerate(dict.fromkeys(rows["pair"]))}
        return rows.assign(step=rows["pair"].map(steps))[["letter", "step", "fate", "f1", "f1_all"]]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every letter, and the counts."""
        return {"stitching-letters": self.table, "stitching-fates": self.counts}

    def numbers(self) -> Mapping[str, Any]:
        """How many latents meet each fate, over all steps, and whether the choice of latents matters."""
        mine, main = self.by_f1, self.by_k_sparse
        fates, main_fates = mine["fate"].value_counts(), main["fate"].value_counts()
        told: dict[str, Any] = {f"n_{name}": int(fates.get(name, 0)) for name in letters.FATES}
        told |= {f"n_{name}_main": int(main_fates.get(name, 0)) for name in letters.FATES}
        same = mine["fate"].to_numpy() == main["fate"].to_numpy()
        return told | {
            "n_followed": len(mine), "f1_first": f"{mine['f1'].iloc[:26].mean():.2f}",
            "f1_first_main": f"{main['f1'].iloc[:26].mean():.2f}", "n_same_fate": int(same.sum()),
            "n_same_latent": int((mine["latent"].to_numpy() == main["latent"].to_numpy()).sum()),
            "n_several_main": int((main["followed"] > 1).sum()),
            "commonest": fates.idxmax(), "commonest_main": main_fates.idxmax(),
        }  # fmt: skip


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

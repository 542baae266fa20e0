"""Chapter 6: the letter edited in other ways, through the chapter's SAE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from absorption.ablation.engine import AblationEngine
from absorption.base import timing
from absorption.base.statistics import mean_interval
from absorption.chapters.findings import Findings
from absorption.chapters.mediation.edits import Edited
from absorption.chapters.mediation.parts_removed import Studied
from absorption.chapters.settings import MediationSettings
from absorption.mediation.editing import edit_letters, letter_levels
from absorption.one_sae.study import train_rows


@dataclass(frozen=True)
class Swapped(Findings):
    """Share of answers that become the new letter, by way to edit."""

    table: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row a way."""
        return {"edits-swapped": self.table}


def swap_letters(studied: Studied, edited: Edited, settings: MediationSettings) -> Swapped:
    """Edit the same words by main latents, absorbing latents, or levels along directions.

    Levels are those of the training words.
    """
    mine = studied.mine
    with timing.stage("edits"):
        engine = AblationEngine(mine.words.model, mine.sae, mine.words.prompts)
        levels = letter_levels(studied.evidence, train_rows(mine.words))
        table = edit_letters(engine, studied.evidence, edited.words, levels, seed=settings.seed)
    return Swapped(edit_rates(table.assign(sae=mine.sae.name), seed=settings.seed))


def edit_rates(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Share of answers that became the target letter, and that stayed the word's own.

    Columns ``sae, method, value, low, high, kept, shift, words``; the interval is of ``value``.
    """
    rows = []
    for (sae, method), mine in table.groupby(["sae", "method"], sort=False):  # type: ignore[misc]
        share = mean_interval(mine["edited"].to_numpy(), seed=seed)
        means = (float(mine["kept"].mean()), float(mine["shift"].mean()), len(mine))
        rows.append((sae, method, share.value, share.low, share.high, *means))
    names = ["sae", "method", "value", "low", "high", "kept", "shift", "words"]
    return pd.DataFrame(rows, columns=names)

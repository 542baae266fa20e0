"""Chapter 6: the letter edited as published, through several SAEs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jaxtyping import Int
from torch import Tensor

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.mediation.edit_tables import (
    best_sparsity,
    edited_by_letter,
    follows_f1,
    rate_texts,
    set_by_sae,
    set_rates,
)
from absorption.chapters.mediation.parts_removed import Studied
from absorption.chapters.settings import MediationSettings
from absorption.explorer.address import of_saes
from absorption.mediation.setting import words_a_letter
from absorption.several_saes import comparison

PUBLISHED = 1.0
"""Strength of the paper's edits, in means of the new letter's latent."""


@dataclass(frozen=True)
class Edited(Findings):
    """Letters set through several SAEs: rates, letters, and what goes with success."""

    words: Int[Tensor, " word"]
    sae: str
    """The chapter's own."""
    rates: pd.DataFrame
    by_letter: pd.DataFrame
    """At the published strength."""
    follows: Estimate
    best: Estimate
    n_saes: int

    @property
    def texts(self) -> pd.DataFrame:
        """The rates for a reader."""
        return rate_texts(self.rates)

    @property
    def links(self) -> dict[str, Sequence[str]]:
        """The explorer's states of the SAEs that it shows."""
        return {"sae": of_saes(self.texts["sae"], also=self.sae)}

    @property
    def mine(self) -> dict[str, Estimate]:
        """Rates of the chapter's SAE at the published strength, by quantity."""
        rows = self.rates[(self.rates["sae"] == self.sae) & (self.rates["strength"] == PUBLISHED)]
        return {
            row["quantity"]: Estimate(row["value"], row["low"], row["high"])
            for row in rows.to_dict("records")
        }

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Rates by SAE, and by letter put in."""
        return {"edits": self.rates, "edits-by-letter": self.by_letter}

    def claims(self) -> pd.DataFrame:
        """Whether edits work, follow F1, and which L0 edits best."""
        parts = [
            claim("edit", self.mine["p_new"], part="works", note=self.sae),
            claim("edit", self.follows, part="follows-f1", note=f"{len(self.by_letter)} latents"),
            claim("edit", self.best, part="best-l0", note=f"{self.n_saes} SAEs"),
        ]
        return pd.concat(parts, ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """What edits with the chapter's SAE change, and what goes with their success."""
        return {
            "n_edited": len(self.words),
            **{f"edit_{name}": self.mine[name].value for name in ("p_own", "p_new", "edited")},
            "edit_follows": str(self.follows),
            "edit_best": str(self.best),
        }


def set_letters(studied: Studied, settings: MediationSettings) -> Edited:
    """Set the own letter's latent to 0 and another letter's to its mean, with every SAE of the chapter's hook."""
    words, sae = studied.mine.words, studied.mine.sae
    chosen = words_a_letter(words.right, words.letters, settings.edit_per_letter, settings.seed)
    more = comparison.companions(sae, words.model, ids=comparison.EDITED_WITH) if settings.compare else []
    table = set_by_sae(words, [sae, *more], chosen, seed=settings.seed)
    by_letter = edited_by_letter(table, PUBLISHED)
    return Edited(
        words=chosen,
        sae=sae.name,
        rates=set_rates(table, seed=settings.seed),
        by_letter=by_letter,
        follows=follows_f1(by_letter, seed=settings.seed),
        best=best_sparsity(table, words.model.d_model, strength=PUBLISHED, seed=settings.seed),
        n_saes=table["sae"].nunique(),
    )

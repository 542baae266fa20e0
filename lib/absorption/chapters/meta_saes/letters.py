"""Chapter 14: is one of an absorbing latent's meta-latents its letter's? By latents and by direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.meta_saes.basis import Basis
from absorption.chapters.meta_saes.trained import MetaSet
from absorption.chapters.settings import MetaSettings
from absorption.composition.asked import ABSORBING, GROUPS, MATCHED, letter_cosines, with_a_match
from absorption.composition.judges import (
    BY_DIRECTION,
    BY_LATENTS,
    JUDGES,
    Judge,
    judge_latents,
    share_drawn,
    verdicts_of,
)
from absorption.composition.variance import estimate_of

PARTS = {BY_LATENTS: "by-latents", BY_DIRECTION: "by-direction"}
MATCHED_DRAWS = 11
"""Added to the seed where matched latents are drawn again: they are other latents."""


@dataclass(frozen=True)
class Letters(Findings):
    """Shares of latents that have a meta-latent of their letter."""

    shares: pd.DataFrame
    """``meta_latents, judge, group, value, low, high, latents``."""
    differences: pd.DataFrame
    """``meta_latents, judge, value, low, high, pairs``: absorbing latents that have a match, minus their matches."""
    judged: pd.DataFrame
    """The asked latents with the verdicts of the first seed of each ratio."""
    judges: Mapping[str, Judge]
    """Of the first seed of each ratio, by its name."""
    first: str

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Verdicts and shares."""
        kept = self.judged.drop(columns="words")
        return {
            "meta-letter-verdicts": kept,
            "meta-letter-shares": self.shares,
            "meta-letter-above": self.differences,
        }

    def claims(self) -> pd.DataFrame:
        """The first ratio: absorbing latents, and these minus matched ones."""
        mine = self.shares[(self.shares["meta_latents"] == self.first) & (self.shares["group"] == ABSORBING)]
        above = self.differences[self.differences["meta_latents"] == self.first]
        parts = []
        for judge, part in PARTS.items():
            for table, name in ((mine, part), (above, f"{part}-above-others")):
                row: Any = table[table["judge"] == judge].iloc[0]
                estimate = Estimate(*(float(row[end]) for end in ("value", "low", "high")))
                parts.append(claim("meta-letter", estimate, part=name, note=self.first))
        return pd.concat(parts, ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """The shares of absorbing and matched latents, first and last ratio."""
        told: dict[str, Any] = {}
        for place, name in {"first": self.first, "last": list(self.judges)[-1]}.items():
            for judge, short in {BY_LATENTS: "by_latents", BY_DIRECTION: "by_direction"}.items():
                rows = self.shares[(self.shares["meta_latents"] == name) & (self.shares["judge"] == judge)]
                for group, who in {ABSORBING: "absorbing", MATCHED: "matched"}.items():
                    told[f"{short}_{who}_{place}"] = _percent(rows[rows["group"] == group].iloc[0])
        return told


def _percent(row: Any) -> str:
    if np.isnan(row["value"]):
        return "(not measured)"
    return "{:.0%} [{:.0%}, {:.0%}]".format(*(round(row[name], 2) + 0.0 for name in ("value", "low", "high")))


def look_for_letters(basis: Basis, settings: MetaSettings) -> Letters:
    """Judge every asked latent under every meta-SAE."""
    shares, differences, first_seeds, judges = [], [], [], {}
    for one in basis.trained.sets:
        made = _judges(basis, one)
        tables = [judge_latents(judge, basis.asked, basis.evidence.names) for judge in made]
        judges[one.name] = made[0]
        first_seeds.append(tables[0].assign(meta_latents=one.name))
        for judge in JUDGES:
            for group in GROUPS:
                seed = settings.seed + (0 if group == ABSORBING else MATCHED_DRAWS)
                verdicts = verdicts_of(tables, judge, group)
                found = estimate_of(share_drawn(verdicts, seed=seed))
                shares.append((one.name, judge, group, found.value, found.low, found.high, verdicts.shape[1]))
            paired = np.stack([with_a_match(table)[judge].to_numpy(dtype=float) for table in tables])
            above = share_drawn(paired - verdicts_of(tables, judge, MATCHED), seed=settings.seed)
            found = estimate_of(above)
            differences.append((one.name, judge, found.value, found.low, found.high, paired.shape[1]))
    columns = ["meta_latents", "judge", "group", "value", "low", "high", "latents"]
    return Letters(
        pd.DataFrame(shares, columns=columns),
        pd.DataFrame(differences, columns=["meta_latents", "judge", "value", "low", "high", "pairs"]),
        pd.concat(first_seeds, ignore_index=True),
        judges,
        basis.trained.first.name,
    )


def _judges(basis: Basis, one: MetaSet) -> list[Judge]:
    evidence = basis.evidence
    return [
        Judge(
            meta,
            basis.heard,
            letter_cosines(meta.decoder, evidence.directions),
            letter_cosines(meta.decoder, evidence.patterns),
        )
        for meta in one.metas
    ]

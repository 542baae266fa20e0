"""Chapter 14: the table that a reader searches: absorbing latents, their meta-latents, the other latents of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import OneTable
from absorption.chapters.meta_saes.basis import Basis
from absorption.chapters.meta_saes.letters import Letters
from absorption.chapters.settings import MetaSettings
from absorption.composition.asked import ABSORBING
from absorption.composition.judges import Judge
from absorption.latents.words import top_words
from absorption.one_sae.study import Study

N_OTHERS = 3
"""Other latents of a meta-latent that are named, those with the largest weights."""
NAMED_AT_ONCE = 200
COLUMNS = [
    "letter",
    "latent",
    "strongest_on",
    "meta",
    "weight",
    "letter_share",
    "points_to",
    "cosine",
    "also_in",
]


@dataclass(frozen=True)
class Listed(OneTable):
    """The table; the explorer's latent view shows its rows too."""

    sae: str = ""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The table, and the same with the SAE's name for the explorer."""
        return {**super().tables(), "explorer-meta-latents": self.table.assign(sae=self.sae)}


def list_latents(basis: Basis, letters: Letters, settings: MetaSettings) -> Listed:
    """Absorbing latents, those that absorb most words first, and the first ratio's meta-latents of each.

    Columns ``letter, latent, strongest_on, meta, weight, letter_share`` (of the other latents that the meta-latent is
    active on), ``points_to`` (the letter of its largest cosine, if that is large enough), ``cosine`` (with the letter's
    probe), ``also_in`` (other latents, by the words on which they are strongest).
    """
    judge = letters.judges[letters.first]
    mine = basis.asked[basis.asked["group"] == ABSORBING]
    mine = mine.assign(n=mine["words"].map(len)).sort_values("n", ascending=False, kind="stable")
    rows = [row for asked in mine.to_dict("records") for row in _rows(judge, asked, basis.evidence.names)]
    rows = rows[: settings.shown_rows]
    named = _names(basis.study, [latent for row in rows for latent in (row["latent"], *row["others"])])
    told = [
        row
        | {
            "strongest_on": named[row["latent"]],
            "also_in": "; ".join(named[latent] for latent in row["others"]),
        }
        for row in rows
    ]
    said = {"n_listed": len({(row["letter"], row["latent"]) for row in rows}), "n_all_absorbing": len(mine)}
    return Listed("meta-latents", pd.DataFrame(told, columns=COLUMNS), said, basis.study.sae.name)


def _rows(judge: Judge, asked: Mapping[Any, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """A row a meta-latent of one latent, the largest weight first."""
    latent, letter = int(asked["latent"]), list(names).index(asked["letter"])
    metas, weights = judge.meta.of_row(latent)
    found = []
    for meta, weight, share in zip(
        metas.tolist(), weights.tolist(), judge.shares(latent, letter), strict=True
    ):
        others = [int(i) for i in judge.meta.rows_of(meta) if i != latent][:N_OTHERS]
        points = int(judge.direction[meta])
        found.append(
            {
                "letter": str(asked["letter"]),
                "latent": latent,
                "meta": meta,
                "weight": weight,
                "letter_share": float(share),
                "points_to": names[points] if points >= 0 else "",
                "cosine": float(judge.cosines[meta, letter]),
                "others": others,
            }
        )
    return found


def _names(study: Study, latents: Sequence[int]) -> dict[int, str]:
    wanted = sorted(set(latents))
    named: dict[int, str] = {}
    for start in range(0, len(wanted), NAMED_AT_ONCE):
        named |= top_words(study.acts, study.words.table, wanted[start : start + NAMED_AT_ONCE], n_words=4)
    return named

"""Chapter 14: meta-latents beside the latents of the smaller SAEs of the series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.meta_saes.trained import GAUSSIAN, META, MetaSet, Trained
from absorption.chapters.settings import MetaSettings
from absorption.composition.matches import match_table, nearest, share_of_cosines, smaller_saes, some_rows
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.stitching.pairs import THRESHOLD, directions

OF_SAE = "latents of the SAE itself"
COLUMNS = [
    "meta_latents",
    "smaller",
    "kind",
    "value",
    "low",
    "high",
    "above",
    "above_low",
    "above_high",
    "similar",
]


@dataclass(frozen=True)
class Matched(Findings):
    """How near each meta-latent is to a latent of each smaller SAE."""

    table: pd.DataFrame
    """Columns as in ``COLUMNS``: mean largest cosine, how far above the Gaussian rows' meta-SAE, and the share of
    ``similar`` ones."""
    curves: pd.DataFrame
    """``panel, kind, cosine, share``."""
    first: str

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The means."""
        return {"meta-matches": self.table}

    def claims(self) -> pd.DataFrame:
        """The smaller SAE at which the meta-SAEs are least above chance; not measured without a smaller SAE."""
        mine = self.table[(self.table["meta_latents"] == self.first) & (self.table["kind"] == META)]
        if mine.empty:
            nothing = Estimate(np.nan, np.nan, np.nan)
            return claim("meta-matches", nothing, part="above-gaussian", note="no smaller SAE of the series")
        row: Any = mine.sort_values("above").iloc[0]
        found = Estimate(row["above"], row["above_low"], row["above_high"])
        note = f"{self.first}, {row['smaller']}"
        return claim("meta-matches", found, part="above-gaussian", note=note)

    def numbers(self) -> Mapping[str, Any]:
        """Mean cosines of the first ratio, over smaller SAEs."""
        mine = self.table[self.table["meta_latents"] == self.first]
        told = {"n_smaller": mine["smaller"].nunique(), "similar_line": f"{THRESHOLD:g}"}
        for kind, name in {META: "meta", GAUSSIAN: "gaussian", OF_SAE: "sae"}.items():
            rows = mine[mine["kind"] == kind]
            told[f"cosine_{name}"] = _range(rows["value"], "{:.2f}")
            told[f"similar_{name}"] = _range(rows["similar"], "{:.0%}")
        return told


def _range(values: pd.Series, form: str) -> str:
    if values.empty:
        return "not measured"
    low, high = form.format(values.min()), form.format(values.max())
    return low if low == high else f"{low} to {high}"


def match_smaller(trained: Trained, model: LanguageModel, settings: MetaSettings) -> Matched:
    """Largest cosines with each smaller SAE's latents, beside those of the baselines."""
    others = smaller_saes(trained.sae, model) if settings.compare else []
    tables, curves = [pd.DataFrame(columns=COLUMNS)], []
    for one in trained.sets:
        for other in others:
            found = _cosines(trained, one, other, settings.seed)
            name = f"{other.d_sae:,} latents"
            table = match_table(found, GAUSSIAN, seed=settings.seed)
            similar = {
                kind: np.mean([(cosines >= THRESHOLD).mean() for cosines in sets])
                for kind, sets in found.items()
            }
            tables.append(
                table.assign(meta_latents=one.name, smaller=name, similar=table["kind"].map(similar))
            )
            curves += [
                share_of_cosines(sets).assign(panel=f"{one.name}, SAE of {name}", kind=kind)
                for kind, sets in found.items()
            ]
    nothing = pd.DataFrame(columns=["panel", "kind", "cosine", "share"])
    table = pd.concat([part for part in tables if len(part)] or tables, ignore_index=True)[COLUMNS]
    return Matched(table, pd.concat(curves or [nothing], ignore_index=True), trained.first.name)


def _cosines(trained: Trained, one: MetaSet, other: LoadedSae, seed: int) -> dict[str, list[np.ndarray]]:
    """Largest cosines of used meta-latents, by kind and training seed."""
    theirs = directions(other)
    rows = some_rows(trained.rows, one.n_latents, seed=seed)
    return {
        META: [nearest(meta.decoder[meta.used], theirs) for meta in one.metas],
        GAUSSIAN: [nearest(one.gaussian.decoder[one.gaussian.used], theirs)],
        OF_SAE: [nearest(rows, theirs)],
    }

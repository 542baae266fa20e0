"""Chapter 14: the rate of absorption before and after absorbing latents give way to their meta-latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from absorption.base.statistics import Estimate, interval
from absorption.chapters.findings import Findings, claim
from absorption.chapters.meta_saes.basis import Basis
from absorption.chapters.settings import MetaSettings
from absorption.composition.asked import ABSORBING
from absorption.composition.baselines import pursue, random_directions
from absorption.composition.replaced import Parts, replace_latents, replaceable
from absorption.definitions.apply import apply_projection_rules
from absorption.definitions.evidence import Evidence
from absorption.definitions.rates import mean_rate_samples
from absorption.definitions.rules import FRACTION, FULL_ABSORPTION
from absorption.latents.ksparse import probe_k_sparse
from absorption.latents.main import MainLatents
from absorption.one_sae.study import train_rows

BEFORE, RANDOM = "the SAE as it is", "random directions"
KEPT, ANEW = "as before", "chosen anew"
DEFINITIONS = (FULL_ABSORPTION, FRACTION)
COLUMNS = [
    "parts",
    "main",
    "definition",
    "value",
    "low",
    "high",
    "change",
    "change_low",
    "change_high",
    "letters",
]
Drawn = tuple[float, np.ndarray]


@dataclass(frozen=True)
class Rates(Findings):
    """Mean rates over letters, by what takes the absorbing latents' place and by how main latents are chosen."""

    table: pd.DataFrame
    """Columns as in ``COLUMNS``; ``change``: the rate minus that of the SAE as it is; ``letters``: those of which a
    main latent is one of the new directions."""
    beyond: Mapping[str, Estimate]
    """Change of full absorption by the first ratio's meta-latents minus that by random directions, by the choice of
    main latents."""
    n_replaced: int
    first: str

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The rates."""
        return {"meta-rates": self.table}

    def claims(self) -> pd.DataFrame:
        """Changes with main latents chosen anew, first ratio."""
        mine = self.table[(self.table["parts"] == self.first) & (self.table["main"] == ANEW)].set_index(
            "definition"
        )
        parts = []
        for definition, part in zip(DEFINITIONS, ("full", "fraction"), strict=True):
            row: Any = mine.loc[definition]
            found = Estimate(*(float(row[name]) for name in ("change", "change_low", "change_high")))
            parts.append(
                claim("meta-absorption", found, part=part, note=f"{self.n_replaced} latents replaced")
            )
        for main, part in ((ANEW, "full-beyond-random"), (KEPT, "full-beyond-random-kept")):
            parts.append(claim("meta-absorption", self.beyond[main], part=part, note=self.first))
        return pd.concat(parts, ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """The rates in short."""
        told: dict[str, Any] = {
            "n_replaced": self.n_replaced,
            "beyond_anew": str(self.beyond[ANEW]),
            "beyond_kept": str(self.beyond[KEPT]),
        }
        short = {
            (BEFORE, KEPT): "before", (self.first, KEPT): "kept", (self.first, ANEW): "anew",
            (RANDOM, KEPT): "random_kept", (RANDOM, ANEW): "random_anew",
        }  # fmt: skip
        for row in self.table.to_dict("records"):
            if name := short.get((row["parts"], row["main"])):
                kind = "full" if row["definition"] == FULL_ABSORPTION else "fraction"
                told[f"{kind}_{name}"] = str(Estimate(row["value"], row["low"], row["high"]))
                told[f"{kind}_change_{name}"] = str(
                    Estimate(row["change"], row["change_low"], row["change_high"])
                )
                told[f"letters_{name}"] = row["letters"]
        return told


def replace_absorbing(basis: Basis, settings: MetaSettings) -> Rates:
    """Judge the words again with the absorbing latents replaced."""
    evidence, n = basis.evidence, basis.evidence.decoder.shape[0]
    absorbing = basis.asked.loc[basis.asked["group"] == ABSORBING, "latent"]
    latents = replaceable(absorbing.tolist(), evidence.main)
    before = _drawn(basis, evidence, settings.seed)
    found = {(BEFORE, KEPT): (before, 0)}
    for name, parts in _parts(basis, latents, settings).items():
        kept = replace_latents(evidence, latents, parts)
        anew = replace(kept, main=_main_anew(basis, kept, settings))
        for main, one in ((KEPT, kept), (ANEW, anew)):
            new = sum(any(latent >= n for latent in mine) for mine in one.main.values())
            found[name, main] = (_drawn(basis, one, settings.seed), new)
    first = basis.trained.first.name
    beyond = {
        main: _difference(*(found[name, main][0][FULL_ABSORPTION] for name in (first, RANDOM)))
        for main in (KEPT, ANEW)
    }
    return Rates(_table(found), beyond, len(latents), first)


def _parts(basis: Basis, latents: Sequence[int], settings: MetaSettings) -> dict[str, Parts]:
    """What takes the latents' place: the first seed's meta-latents of each ratio, and random directions."""
    found = {one.name: Parts(one.metas[0].weights, one.metas[0].decoder) for one in basis.trained.sets}
    rows = basis.trained.rows
    directions = random_directions(basis.trained.first.n_latents, rows.shape[1], seed=settings.seed)
    pursued = pursue(rows[list(latents)] - rows.mean(0), directions, settings.k).numpy()
    weights = sp.lil_matrix((len(rows), len(directions)))
    weights[list(latents)] = pursued
    return found | {RANDOM: Parts(weights.tocsr(), directions)}


def _main_anew(basis: Basis, evidence: Evidence, settings: MetaSettings) -> MainLatents:
    """Main latents by L1 k-sparse probing, as chapter 5 chooses them, among all latents and the new directions."""
    words = basis.study.words
    found = probe_k_sparse(
        evidence.csr,
        words.probed.labels,
        train_rows(words),
        torch.from_numpy(words.probed.test),
        seed=words.seed,
    )
    return found.main_latents(settings.f1_jump)


def _drawn(basis: Basis, evidence: Evidence, seed: int) -> dict[str, Drawn]:
    """Mean rate over letters by definition, and in every resample of the words."""
    judged = apply_projection_rules(evidence, basis.thresholds)
    return {
        definition: mean_rate_samples(
            judged[judged["definition"] == definition],
            basis.letters,
            seed=seed,
            stems=basis.study.words.stems,
        )
        for definition in DEFINITIONS
    }


def _difference(one: Drawn, other: Drawn) -> Estimate:
    """Of two rates on the same resamples."""
    low, high = interval(one[1] - other[1])
    return Estimate(one[0] - other[0], float(low), float(high))


def _table(found: Mapping[tuple[str, str], tuple[dict[str, Drawn], int]]) -> pd.DataFrame:
    before = found[BEFORE, KEPT][0]
    rows = []
    for (name, main), (drawn, letters) in found.items():
        for definition in DEFINITIONS:
            value, samples = drawn[definition]
            low, high = interval(samples)
            change = _difference(drawn[definition], before[definition])
            ends = (change.value, change.low, change.high) if name != BEFORE else (np.nan,) * 3
            rows.append((name, main, definition, value, float(low), float(high), *ends, letters))
    return pd.DataFrame(rows, columns=COLUMNS)

"""Pairs of latents whose absorption is planted, with every score of ``latents.unlabelled``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sae_lens import SAE
from scipy.sparse import csr_matrix

from absorption.chapters import remedies
from absorption.chapters.findings import Findings, OneTable
from absorption.chapters.settings import WithoutProbeSettings
from absorption.latents.unlabelled import SCORES, SaeView
from absorption.planted.cases import cases, four_word_families
from absorption.planted.saes import Case
from absorption.planted.study import ENOUGH
from absorption.toy import measure, roc
from absorption.toy.train import Run, train_all
from absorption.toy.worlds import World

N_SAMPLES = 20_000
"""Samples that firing is counted on."""
CORRELATED = World(
    rates=(*(0.25,) * 3, *(0.1,) * 6, *(0.1,) * 5),
    parents=(None, None, None, 0, 0, 1, 1, 2, 2, *(None,) * 5),
    p_parent=0.6,
)
"""Children that fire without their parents in two of five cases: correlated, no hierarchy."""
WORLDS = {**remedies.WORLDS, "correlated": CORRELATED}
TRIED = {"L1": 0.03, "gated": 0.03, "TopK": 1.0, "BatchTopK": 1.0, "JumpReLU": 0.01}
"""Architectures without a remedy, each at one strength of the chapter before the last."""
PLANTED = ("true dictionary", "even split", "hedging", "full absorption")
"""Planted alphabets: overlapping features, and look-alikes of absorption."""
COLUMNS = ["source", "sae", "i", "j", "truth", *SCORES]
"""One row an ordered pair of latents that fire; ``truth``: latent j has taken over what latent i stands for."""


def score_table() -> pd.DataFrame:
    """``score, what it is``."""
    return pd.DataFrame(SCORES.items(), columns=["score", "what it is"])


@dataclass(frozen=True)
class RankedPairs(Findings):
    """Pairs whose truth is planted, and how well each score ranks them."""

    name: str
    pairs: pd.DataFrame
    """Columns as in ``COLUMNS``."""
    areas: pd.DataFrame
    """From ``roc.areas``."""

    @property
    def curves(self) -> pd.DataFrame:
        """From ``roc.curves``."""
        return roc.curves(self.pairs, list(SCORES))

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The areas."""
        return {f"blind-{self.name}": self.areas}


def trained_pairs(settings: WithoutProbeSettings) -> RankedPairs:
    """Pairs of SAEs trained on planted worlds, ``source`` the world; areas are resampled over SAEs."""
    cases = [(world, remedy, seed) for world in WORLDS for remedy in TRIED for seed in settings.seeds]
    runs = [Run(WORLDS[world], _recipe(world, remedy, settings), seed) for world, remedy, seed in cases]
    saes = train_all(runs, workers=settings.workers)
    tables = [
        _pairs(_view(sae, WORLDS[world]), _truth(sae, WORLDS[world])).assign(
            source=world, sae=f"{world} {remedy} {seed}"
        )
        for (world, remedy, seed), sae in zip(cases, saes, strict=True)
    ]
    return _ranked("trained", tables, "sae", settings)


def _ranked(name: str, tables: list[pd.DataFrame], unit: str, settings: WithoutProbeSettings) -> RankedPairs:
    pairs = pd.concat(tables, ignore_index=True)[COLUMNS]
    return RankedPairs(name, pairs, roc.areas(pairs, list(SCORES), unit=unit, seed=settings.seed))


def _recipe(world: str, remedy: str, settings: WithoutProbeSettings):
    wanted = remedies.REMEDIES[remedy]
    return wanted.recipe_for(WORLDS[world], TRIED[remedy], settings.n_samples_fast)


def _view(sae: SAE[Any], world: World) -> SaeView:
    acts = sae.encode(world.sample(N_SAMPLES, 1) @ world.directions)
    return SaeView(sae.W_enc.T.numpy(), sae.W_dec.numpy(), csr_matrix(acts.numpy()))


def _truth(sae: SAE[Any], world: World) -> np.ndarray:
    """``[i, j]``: j is the main latent of a descendant and writes at least half of what i stands for when it fires,
    beyond what others write anyway."""
    order = measure.main_latents(sae, world)
    truth = np.zeros((len(sae.W_dec),) * 2, dtype=bool)
    for row in measure.absorption(sae, world).to_dict("records"):
        ancestor, descendant = (int(row[name][1:]) for name in ("ancestor", "descendant"))
        if descendant in order and row["by_descendant"] - max(row["hedged"], 0) >= ENOUGH:
            truth[order[ancestor], order[descendant]] = True
    return truth


def look_alike_pairs(settings: WithoutProbeSettings) -> RankedPairs:
    """Pairs of the planted alphabet's SAEs, ``source`` the case; areas are resampled over latents i."""
    tables = []
    for case in cases(four_word_families(seed=settings.seed)):
        if case.name in PLANTED:
            tables.append(
                _pairs(planted_view(case), planted_truth(case)).assign(source=case.name, sae=case.name)
            )
    return _ranked("planted", tables, "i", settings)


def planted_view(case: Case) -> SaeView:
    """What scores see of a planted alphabet's SAE: weights, and which latents fire together on its words."""
    sae = case.sae()
    acts = csr_matrix(sae.encode(case.alphabet.acts).numpy())
    return SaeView(sae.W_enc.T.numpy(), sae.W_dec.numpy(), acts)


def planted_truth(case: Case) -> np.ndarray:
    """``[i, j]``: i is a letter's latent, j a family's latent that writes at least half of that letter."""
    truth = np.zeros((len(case.latents),) * 2, dtype=bool)
    for i, mine in enumerate(case.latents):
        if mine.role == "letter":
            (letter,) = mine.writes
            for j, other in enumerate(case.latents):
                share = other.writes.get(letter, 0.0) * case.alphabet.strength
                truth[i, j] = other.role == "family" and share >= ENOUGH
    return truth


def _pairs(view: SaeView, truth: np.ndarray, rows: np.ndarray | None = None) -> pd.DataFrame:
    """All ordered pairs of latents that fire, i from ``rows`` (default all)."""
    alive = np.flatnonzero(view.alive)
    i, j = np.meshgrid(alive if rows is None else rows, alive, indexing="ij")
    i, j = i[i != j], j[i != j]
    scores = {name: values[i, j] for name, values in view.scores().items()}
    return pd.DataFrame({"i": i, "j": j, "truth": truth[i, j], **scores})


def first_by_source(pairs: pd.DataFrame) -> OneTable:
    """Where the first pairs of each score come from, as many as are true: ``score``, ``true`` and a column a source."""
    n, rows = int(pairs["truth"].sum()), []
    for score in SCORES:
        first = pairs.sort_values(score, ascending=False, kind="stable").head(n)
        shares = first["source"].value_counts(normalize=True)
        sources = {source: float(shares.get(source, 0.0)) for source in pairs["source"].unique()}
        rows.append({"score": score, "true": float(first["truth"].mean()), **sources})
    return OneTable("blind-first", pd.DataFrame(rows))

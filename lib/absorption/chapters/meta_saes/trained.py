"""Chapter 14: the meta-SAEs, and how much of the decoder's variance they and their baselines explain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor

from absorption.chapters.findings import Findings, claim
from absorption.chapters.settings import MetaSettings
from absorption.composition.baselines import gaussian_rows, principal_parts, pursue, random_directions
from absorption.composition.matches import some_rows
from absorption.composition.training import MetaRecipe, check_recipe, meta_width, train_meta
from absorption.composition.variance import estimate_of, explained
from absorption.composition.weights import MetaSae
from absorption.saes.loaded import LoadedSae
from absorption.stitching.pairs import directions

META, GAUSSIAN = "meta-SAE", "meta-SAE of Gaussian rows"
PCA, PCA_SHARED = "principal directions, each row its own", "principal directions, the same for all"
RANDOM, OWN = "random directions", "decoder rows drawn at random"
GAUSSIAN_DRAWS = 7
"""Added to the seed where Gaussian rows are drawn again: they are other rows than the decoder's."""


@dataclass(frozen=True)
class MetaSet:
    """Meta-SAEs of one width, one a training seed, and one of Gaussian rows."""

    ratio: float
    metas: tuple[MetaSae, ...]
    gaussian: MetaSae

    @property
    def n_latents(self) -> int:
        """Meta-latents of each."""
        return self.metas[0].n_latents

    @property
    def name(self) -> str:
        """What tables and figures call it."""
        return f"{self.n_latents:,} meta-latents"


@dataclass(frozen=True)
class Trained(Findings):
    """Meta-SAEs of an SAE's decoder."""

    sae: LoadedSae
    rows: Float[Tensor, "latent d_model"]
    """Unit decoder rows."""
    sets: tuple[MetaSet, ...]
    """One a ratio, in the order of the settings."""
    variance: pd.DataFrame
    """``meta_latents, directions, value, low, high, above, above_low, above_high``: share of the variance explained,
    and by how much the meta-SAE is above."""
    k: int

    @property
    def first(self) -> MetaSet:
        """The set that claims are about."""
        return self.sets[0]

    @property
    def shown(self) -> pd.DataFrame:
        """What the figure draws."""
        return self.variance[["meta_latents", "directions", "value", "low", "high"]]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The shares."""
        return {"meta-variance": self.variance}

    def claims(self) -> pd.DataFrame:
        """The first ratio's share, and how far it is above the baselines."""
        mine = self.variance[self.variance["meta_latents"] == self.first.name].set_index("directions")
        parts = [_claim("share", mine.loc[META], "", self.first.name)]
        named = {"above-gaussian": GAUSSIAN, "above-pca": PCA, "above-random": RANDOM}
        parts += [_claim(part, mine.loc[kind], "above", self.first.name) for part, kind in named.items()]
        return pd.concat(parts, ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """Sizes, and the shares of either ratio."""
        told: dict[str, Any] = {
            "n_rows": f"{len(self.rows):,}", "d_model": self.rows.shape[1], "k_on": self.k,
            "meta_sae_of": self.sae.name,
            "n_first": f"{self.first.n_latents:,}", "seeds_first": len(self.first.metas),
            "used_first": f"{np.mean([len(meta.used) for meta in self.first.metas]):.0f}",
            "least_weight": f"{np.mean([meta.weights.data.min() for meta in self.first.metas]):.2f}",
            "n_last": f"{self.sets[-1].n_latents:,}", "seeds_last": len(self.sets[-1].metas),
        }  # fmt: skip
        for place, one in {"first": self.first, "last": self.sets[-1]}.items():
            mine = self.variance[self.variance["meta_latents"] == one.name].set_index("directions")
            short = {META: "meta", GAUSSIAN: "gaussian", PCA: "pca", RANDOM: "random", OWN: "own"}
            told |= {f"{name}_{place}": _with_interval(mine.loc[kind]) for kind, name in short.items()}
        return told


def _claim(part: str, row: Any, prefix: str, note: str) -> pd.DataFrame:
    names = [prefix or "value", *(f"{prefix}_{end}".lstrip("_") for end in ("low", "high"))]
    return claim("meta-variance", _Ends(*(float(row[name]) for name in names)), part=part, note=note)


@dataclass(frozen=True)
class _Ends:
    value: float
    low: float
    high: float


def _with_interval(row: Any) -> str:
    return f"{row['value']:.1%} [{row['low']:.1%}, {row['high']:.1%}]"


def check(sae: LoadedSae, settings: MetaSettings) -> list[MetaRecipe]:
    """The recipe of each ratio.

    Raises:
        ValueError: as many meta-latents as decoder rows, or fewer than are on at a row.
    """
    recipes = []
    for ratio in settings.ratios:
        n_latents = meta_width(ratio, sae.d_sae, sae.name)
        recipe = MetaRecipe(n_latents, k=settings.k, seed=settings.seed, steps=settings.steps)
        check_recipe(recipe)
        recipes.append(recipe)
    return recipes


def train(sae: LoadedSae, settings: MetaSettings) -> Trained:
    """Train the meta-SAEs, or take them from the cache, and set them beside their baselines.

    Raises:
        ValueError: as ``check``, or a decoder row of norm 0.
    """
    recipes = check(sae, settings)
    rows = directions(sae)
    without = gaussian_rows(rows, seed=settings.seed)
    sets, tables = [], []
    for recipe, ratio, n_seeds in zip(recipes, settings.ratios, settings.n_seeds, strict=True):
        seeds = range(settings.seed, settings.seed + n_seeds)
        metas = tuple(train_meta(rows, replace(recipe, seed=seed), sae.name) for seed in seeds)
        one = MetaSet(ratio, metas, train_meta(without, recipe, sae.name))
        sets.append(one)
        tables.append(_variance(rows, without, one, recipe).assign(meta_latents=one.name))
    table = pd.concat(tables, ignore_index=True)
    columns = ["meta_latents", *table.columns.drop("meta_latents")]
    return Trained(sae, rows, tuple(sets), table[columns], settings.k)


def _variance(rows: Tensor, without: Tensor, one: MetaSet, recipe: MetaRecipe) -> pd.DataFrame:
    """Shares of the variance of each kind of direction, and the meta-SAE's minus each."""
    mean, seed, k = rows.mean(0), recipe.seed, recipe.k
    written = {
        META: [meta.written() for meta in one.metas],
        PCA: [principal_parts(rows, one.n_latents, k)],
        PCA_SHARED: [principal_parts(rows, one.n_latents, k, shared=True)],
        RANDOM: [_pursued(rows - mean, random_directions(one.n_latents, rows.shape[1], seed=seed), k) + mean],
        OWN: [_pursued(rows - mean, _unit(some_rows(rows, one.n_latents, seed=seed) - mean), k) + mean],
    }
    drawn = {kind: explained(rows, parts).drawn(seed=seed) for kind, parts in written.items()}
    gaussian = explained(without, [one.gaussian.written()]).drawn(seed=seed + GAUSSIAN_DRAWS)
    drawn = {META: drawn.pop(META), GAUSSIAN: gaussian, **drawn}
    found = []
    for kind, values in drawn.items():
        own, above = estimate_of(values), estimate_of(drawn[META] - values)
        more = (np.nan,) * 3 if kind == META else (above.value, above.low, above.high)
        found.append((kind, own.value, own.low, own.high, *more))
    return pd.DataFrame(
        found, columns=["directions", "value", "low", "high", "above", "above_low", "above_high"]
    )


def _pursued(vectors: Tensor, dictionary: Tensor, k: int) -> Tensor:
    return pursue(vectors, dictionary, k) @ dictionary


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)

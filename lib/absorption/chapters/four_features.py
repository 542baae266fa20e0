"""Chapter "Absorption in four features": the paper's toy, independent and hierarchical (section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from sae_lens import SAE
from torch import Tensor

from absorption.chapters.findings import Findings, OneTable, claim_parts
from absorption.chapters.settings import FourFeaturesSettings
from absorption.toy import measure, theory
from absorption.toy import seeds as toy_seeds
from absorption.toy.recipes import fast, paper
from absorption.toy.train import Run, has_settled, train_all
from absorption.toy.worlds import World, four_features

WORLDS = {"independent": four_features(hierarchy=False), "hierarchy": four_features(hierarchy=True)}
PATTERNS = {
    "f0": (0,), "f0 and f1": (0, 1), "f1": (1,), "f2": (2,), "f3": (3,), "f0 and f2": (0, 2), "nothing": (),
}  # fmt: skip
"""Inputs of the firing table; "f1" alone does not occur in the hierarchy."""


def sample_worlds(settings: FourFeaturesSettings, n: int = 200_000) -> OneTable:
    """The two worlds as stated and as sampled.

    Columns: ``world``, ``feature``, ``parent``, ``rate``, ``sampled_rate``, ``sampled_p_f0`` (P(f0 | feature)).
    """
    rows = []
    for name, world in WORLDS.items():
        on = world.sample(n, settings.seed) > 0
        for feature, (rate, parent) in enumerate(zip(world.rates, world.parents, strict=True)):
            rows.append(
                {
                    "world": name, "feature": f"f{feature}", "parent": "none" if parent is None else f"f{parent}",
                    "rate": rate, "sampled_rate": float(on[:, feature].double().mean()),
                    "sampled_p_f0": float(on[on[:, feature], 0].double().mean()),
                }
            )  # fmt: skip
    return OneTable("toy-worlds", pd.DataFrame(rows))


@dataclass(frozen=True)
class Trained(Findings):
    """SAEs by the name of the world that they saw."""

    saes: dict[str, SAE[Any]]

    @cached_property
    def cosines(self) -> pd.DataFrame:
        """``world`` and the columns of ``measure.cosines``."""
        return self._of_each(measure.cosines)

    @cached_property
    def firing(self) -> pd.DataFrame:
        """``world`` and the columns of ``measure.responses``, for every input that the world can make."""
        return self._of_each(lambda sae, world: measure.responses(sae, world, _possible(world)))

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Weights and activations."""
        return {"toy-cosines": self.cosines, "toy-firing": self.firing}

    def _of_each(self, table: Callable[[SAE[Any], World], pd.DataFrame]) -> pd.DataFrame:
        tables = [table(sae, world).assign(world=name) for name, world, sae in self.pairs()]
        return pd.concat(tables, ignore_index=True)

    def pairs(self) -> list[tuple[str, World, SAE[Any]]]:
        """(name, world, SAE)."""
        return [(name, WORLDS[name], sae) for name, sae in self.saes.items()]


def train_as_published(settings: FourFeaturesSettings) -> Trained:
    """One SAE a world, as in the paper: four latents, L1 3e-5, 100 million samples."""
    recipe = paper(l1=settings.l1, n_samples=settings.n_samples)
    runs = [Run(world, recipe, settings.seed) for world in WORLDS.values()]
    saes = train_all(runs, workers=settings.workers)
    return Trained(dict(zip(WORLDS, saes, strict=True)))


def _possible(world: World) -> dict[str, Tensor]:
    """Inputs of ``PATTERNS`` without a child that lacks its parent."""
    return {
        label: world.pattern(*features)
        for label, features in PATTERNS.items()
        if all(world.parents[feature] in (None, *features) for feature in features)
    }


@dataclass(frozen=True)
class ClosedForm(Findings):
    """The closed-form family's losses, and where the trained SAE stands among them."""

    curve: pd.DataFrame
    """``theory.closed_form_losses`` on a grid of ``d``."""
    point: pd.DataFrame
    """One row with the trained SAE's ``d`` and its losses on the two inputs in which the parent fires."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The family's losses."""
        return {"toy-family": self.curve}

    def numbers(self) -> Mapping[str, Any]:
        """The trained SAE's d and error, and the share of activation that it saves."""
        trained = self.point.iloc[0]
        return {
            "trained_d": float(trained["d"]),
            "trained_error": f"{trained['reconstruction']:.1e}",
            "saved": float(1 - trained["sparsity"] / self.curve["sparsity"].iloc[0]),
        }


def beside_closed_form(trained: Trained, n_points: int = 21) -> ClosedForm:
    """The SAE of the hierarchy beside the family, both in the same units."""
    world, sae = WORLDS["hierarchy"], trained.saes["hierarchy"]
    chances = torch.tensor([world.rates[1], world.rates[0] - world.rates[1]])
    curve = theory.closed_form_losses(np.linspace(0, 1, n_points), *chances.tolist())
    inputs = torch.stack([world.pattern(0, 1), world.pattern(0)]) @ world.directions
    acts = sae.encode(inputs)
    order = measure.main_latents(sae, world)
    # SAELens weighs an activation by its decoder row's norm, and our rows have norm 1. The paper's sum of
    # activations takes f1's latent in units of f1, that is of its decoder row along f1.
    along_own = float(sae.W_dec[order[1]] @ world.directions[1])
    units = torch.ones(len(sae.W_dec))
    units[order[1]] = along_own
    point = {
        "d": measure.closed_form(sae, world)["d"],
        "reconstruction": float(chances @ (sae.decode(acts) - inputs).pow(2).sum(dim=1)),
        "sparsity": float(chances @ (acts * units).sum(dim=1)),
        "sparsity_weighted": float(chances @ acts.sum(dim=1)),
    }
    return ClosedForm(curve, pd.DataFrame([point]))


def _train_seeds(settings: FourFeaturesSettings) -> pd.DataFrame:
    """The same two worlds over many seeds, on the fast schedule, none left out.

    Columns, one row a world and seed: ``world``, ``seed``, ``settled`` (the decoder bias holds no feature),
    ``mcc``, ``lowest_own`` (smallest cosine of a decoder row with its own feature), ``untouched`` (the same over f2
    and f3), ``d``, ``hole``, ``silent`` (share of the samples with f0 and f1 in which f0's latent is off; NaN
    without a hierarchy).
    """
    recipe = fast("standard", 4, settings.l1_fast, settings.n_samples_fast)
    cases = [(name, seed) for name in WORLDS for seed in settings.seeds]
    saes = train_all([Run(WORLDS[name], recipe, seed) for name, seed in cases], workers=settings.workers)
    return pd.DataFrame(
        [
            {"world": name, "seed": seed, "settled": has_settled(sae), **_facts(sae, WORLDS[name])}
            for (name, seed), sae in zip(cases, saes, strict=True)
        ]
    )


def _facts(sae: SAE[Any], world: World) -> dict[str, float]:
    own = measure.cosines(sae, world).query("side == 'decoder' and latent == feature")["cosine"]
    pairs = measure.absorption(sae, world)
    return {
        "mcc": measure.quality(sae, world)["mcc"],
        "lowest_own": float(own.min()),
        "untouched": float(own.iloc[2:].min()),
        "silent": float(pairs["silent"].iloc[0]) if len(pairs) else float("nan"),
        **measure.closed_form(sae, world),
    }


STATEMENTS = {
    ("independent", "lowest_own"): (
        "recovery",
        "Without a hierarchy every feature has a latent: smallest cosine",
        1.0,
    ),
    ("hierarchy", "d"): ("decoder", "f1's latent writes f0 too: f0 for each unit of f1", 1.0),
    ("hierarchy", "hole"): ("encoder", 'f0\'s latent reads "f0 and not f1": f1 for each unit of f0', -1.0),
    ("hierarchy", "silent"): ("hole", "f0's latent is off when f1 fires: share of samples", 1.0),
    ("hierarchy", "untouched"): ("others", "f2 and f3 keep their latents: smallest cosine", 1.0),
}
"""What section 3 says of the two worlds: (world, quantity) -> part of the claim, in words, in the ideal case."""


def summarise(trained: Trained, seeds: pd.DataFrame) -> pd.DataFrame:
    """Every statement of section 3: what the paper says, its own budget here, the settled seeds here.

    Columns: ``part``, ``statement``, ``ideal``, ``as_published`` (the 100-million-sample SAE), ``measured``, ``low``,
    ``high`` (over the seeds that settled), ``n_seeds``.
    """
    settled = seeds[seeds["settled"]].drop(columns="settled")
    long = settled.melt(id_vars=["world", "seed"], var_name="quantity").dropna()
    spread = toy_seeds.over_seeds(long, ["world", "quantity"], "value").set_index(["world", "quantity"])
    spread = spread.reindex(list(STATEMENTS)).fillna({"n_seeds": 0})  # NaN where no seed settled
    found = dict(zip(STATEMENTS, spread.to_dict("records"), strict=True))
    once = {name: _facts(sae, world) for name, world, sae in trained.pairs()}
    rows = [
        {
            "part": part, "statement": statement, "ideal": ideal,
            "as_published": once[world][quantity], **found[(world, quantity)],
        }
        for (world, quantity), (part, statement, ideal) in STATEMENTS.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def count_settled(seeds: pd.DataFrame, own: float = 0.95) -> dict[str, int]:
    """Counts of settled SAEs for the text: ``n_hierarchy``, of which ``n_absorbing`` (parent's latent off in most
    samples with the child), and ``n_independent``, of which ``n_clean`` (every feature's cosine at least ``own``).

    Args:
        seeds: as ``Seeds.table``.
    """
    settled = seeds[seeds["settled"]]
    below, free = (settled[settled["world"] == world] for world in ("hierarchy", "independent"))
    return {
        "n_hierarchy": len(below),
        "n_absorbing": int((below["silent"] > 0.5).sum()),
        "n_independent": len(free),
        "n_clean": int((free["lowest_own"] >= own).sum()),
    }


@dataclass(frozen=True)
class Seeds(Findings):
    """Every seed, and the paper's statements over those that settled."""

    table: pd.DataFrame
    summary: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every seed, and every statement."""
        return {"toy-seeds": self.table, "toy-summary": self.summary}

    def claims(self) -> pd.DataFrame:
        """What section 3 says of the hierarchy."""
        return claim_parts("toy-hierarchy", self.summary, note="range over seeds")

    def numbers(self) -> Mapping[str, Any]:
        """How many seeds settled, and what became of those."""
        counts = {"n_settled": int(self.table["settled"].sum()), "n_trained": len(self.table)}
        return counts | count_settled(self.table)


def over_seeds(trained: Trained, settings: FourFeaturesSettings) -> Seeds:
    """The same two worlds over many seeds, beside the SAEs that are trained as published."""
    table = _train_seeds(settings)
    return Seeds(table, summarise(trained, table))

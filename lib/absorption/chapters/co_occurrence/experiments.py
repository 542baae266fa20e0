"""The paper's two further experiments, partial absorption and imperfect co-occurrence, number by number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sae_lens import SAE
from torch import Tensor

from absorption.chapters.findings import Findings, OneTable, claim_parts
from absorption.chapters.settings import CoOccurrenceSettings
from absorption.toy import measure, published, theory
from absorption.toy.recipes import fast
from absorption.toy.seeds import over_seeds
from absorption.toy.train import Run, train_settled
from absorption.toy.worlds import World, four_features


@dataclass(frozen=True)
class Experiment:
    """A world, inputs, and what the paper prints for them.

    The text gives no L1 coefficient. One printed number, the parent's activation on the first input, fixes it; the
    others are the test.
    """

    name: str
    label: str
    """What is varied, as the figures say it."""
    world: World
    given: pd.DataFrame
    """From ``published``."""
    l1: float
    patterns: Mapping[str, Tensor]

    def train(self, settings: CoOccurrenceSettings, seeds: list[int]) -> list[SAE[Any]]:
        """An SAE a seed."""
        recipe = fast("standard", 4, self.l1, settings.n_samples_fast)
        return train_settled([Run(self.world, recipe, seed) for seed in seeds], workers=settings.workers)


def partial_experiment() -> Experiment:
    """Partial absorption: the parent's activation varies (paper, appendices A.2-A.6)."""
    world = four_features(hierarchy=True, parent_spread=published.MAGNITUDE_SD)
    given = published.partial()
    patterns = {
        pattern: world.pattern(0, 1, f0=float(pattern.split(",")[0].removeprefix("f0 = ")))
        for pattern in given["pattern"].unique()
    }
    l1 = theory.l1_for_partial(published.MAGNITUDE_SD, 1 - given["published"].iloc[0])
    return Experiment("partial", "f0 varies", world, given, l1, patterns)


def imperfect_experiment() -> Experiment:
    """Imperfect co-occurrence: the child sometimes fires alone (paper, appendices A.2-A.6)."""
    world = four_features(hierarchy=True, p_parent=published.P_PARENT_GIVEN_CHILD)
    given = published.imperfect()
    patterns = {"f0 and f1": world.pattern(0, 1), "f1 alone": world.pattern(1)}
    l1 = theory.l1_for_imperfect(published.P_PARENT_GIVEN_CHILD, 1 - given["published"].iloc[0])
    return Experiment("imperfect", "f1 sometimes alone", world, given, l1, patterns)


@dataclass(frozen=True)
class BesidePublished(Findings):
    """An experiment beside the paper's numbers."""

    name: str
    table: pd.DataFrame
    """``pattern``, ``latent``, ``published``, ``part`` (of the claim), ``measured`` (debiased, mean over seeds),
    ``low``, ``high``, ``n_seeds``, ``raw`` (as the SAE gives it), ``l1``, ``fixes_l1``."""

    @property
    def tested(self) -> pd.DataFrame:
        """The rows that did not go into the coefficient."""
        return self.table[~self.table["fixes_l1"]]

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """All numbers."""
        return {f"toy-{self.name}": self.table}

    def claims(self) -> pd.DataFrame:
        """The tested numbers."""
        return claim_parts(f"toy-{self.name}", self.tested, note="range over seeds")

    def numbers(self) -> Mapping[str, Any]:
        """The coefficient, and the largest differences from the paper's numbers."""
        return {
            f"{self.name}_l1": float(self.table["l1"].iloc[0]),
            f"{self.name}_worst": _largest(self.tested["measured"] - self.tested["published"]),
            f"{self.name}_raw_worst": _largest(self.table["raw"] - self.table["published"]),
        }


def _largest(differences: pd.Series) -> float:
    return float(differences.abs().max())


def partial_absorption(settings: CoOccurrenceSettings) -> BesidePublished:
    """Partial absorption beside the paper's numbers."""
    return _beside_published(partial_experiment(), settings)


def imperfect_co_occurrence(settings: CoOccurrenceSettings) -> BesidePublished:
    """Imperfect co-occurrence beside the paper's numbers."""
    return _beside_published(imperfect_experiment(), settings)


def _beside_published(experiment: Experiment, settings: CoOccurrenceSettings) -> BesidePublished:
    saes = experiment.train(settings, settings.seeds)
    responses = pd.concat(
        [
            measure.responses(sae, experiment.world, experiment.patterns, l1=experiment.l1).assign(seed=seed)
            for seed, sae in zip(settings.seeds, saes, strict=True)
        ],
        ignore_index=True,
    )
    case = ["pattern", "latent"]
    spread = over_seeds(responses, case, "debiased")
    raw = over_seeds(responses, case, "activation")[[*case, "measured"]].rename(columns={"measured": "raw"})
    table = experiment.given.merge(spread, on=case).merge(raw, on=case)
    fixes = [True] + [False] * (len(table) - 1)
    return BesidePublished(experiment.name, table.assign(l1=experiment.l1, fixes_l1=fixes))


def directions(settings: CoOccurrenceSettings) -> OneTable:
    """Encoder and decoder of the first seed's SAE of each experiment (the paper's Figures 10 and 11).

    Columns: ``world`` (what the experiment varies) and those of ``measure.cosines``. The SAEs are those of
    ``partial_absorption`` and ``imperfect_co_occurrence``, so nothing is trained anew.
    """
    tables = []
    for experiment in (partial_experiment(), imperfect_experiment()):
        (sae,) = experiment.train(settings, [settings.seed])
        tables.append(measure.cosines(sae, experiment.world).assign(world=experiment.label))
    return OneTable("toy-weights", pd.concat(tables, ignore_index=True))

"""Chapter "How much co-occurrence, how much sparsity": when absorption sets in, and how complete it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from torch import Tensor

from absorption.chapters.four_features import shape
from absorption.chapters.toy_settings import CoOccurrenceSettings
from absorption.toy import measure, published, theory
from absorption.toy.recipes import Recipe, fast, paper
from absorption.toy.spread import over_seeds
from absorption.toy.train import Run, train_settled
from absorption.toy.worlds import World, four_features

FIXED_P, FIXED_L1 = 0.9, 0.04
"""The point of the surface through which the single-factor sweeps run: absorption is neither 0 nor 1 there."""


def partial_table(settings: CoOccurrenceSettings) -> pd.DataFrame:
    """Partial absorption beside the paper's numbers (paper, appendices A.2-A.6).

    The text gives no L1 coefficient for this experiment. One printed number, the parent's activation at
    (1, 1), fixes it through ``theory.l1_for_partial``; the other five are the test.

    Columns: ``pattern``, ``latent``, ``published``, ``part`` (of the claim), ``measured`` (debiased, mean over seeds),
    ``low``, ``high``, ``n_seeds``, ``raw`` (as the SAE gives it), ``l1``, ``fixes_l1``.
    """
    world = four_features(hierarchy=True, parent_spread=published.SPREAD)
    given = published.partial()
    l1 = theory.l1_for_partial(published.SPREAD, 1 - given["published"].iloc[0])
    patterns = {
        pattern: world.pattern(0, 1, f0=float(pattern.split(",")[0].removeprefix("f0 = ")))
        for pattern in given["pattern"].unique()
    }
    return _beside(given, _over_seeds(world, l1, patterns, settings), l1)


def imperfect_table(settings: CoOccurrenceSettings) -> pd.DataFrame:
    """Imperfect co-occurrence beside the paper's numbers (paper, appendices A.2-A.6); columns as in ``partial_table``.

    Here too the parent's activation with both on fixes the coefficient; the other three numbers are the test.
    """
    world = four_features(hierarchy=True, p_parent=published.P_PARENT)
    given = published.imperfect()
    l1 = theory.l1_for_imperfect(published.P_PARENT, 1 - given["published"].iloc[0])
    patterns = {"f0 and f1": world.pattern(0, 1), "f1 alone": world.pattern(1)}
    return _beside(given, _over_seeds(world, l1, patterns, settings), l1)


def _over_seeds(
    world: World, l1: float, patterns: Mapping[str, Tensor], settings: CoOccurrenceSettings
) -> pd.DataFrame:
    runs = [Run(world, _recipe(settings, l1), seed) for seed in settings.seeds]
    saes = train_settled(runs, workers=settings.workers)
    tables = [
        measure.responses(sae, world, patterns, l1=l1).assign(seed=run.seed)
        for run, sae in zip(runs, saes, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def _beside(given: pd.DataFrame, responses: pd.DataFrame, l1: float) -> pd.DataFrame:
    case = ["pattern", "latent"]
    spread = over_seeds(responses, case, "debiased")
    raw = over_seeds(responses, case, "activation")[[*case, "measured"]].rename(columns={"measured": "raw"})
    table = given.merge(spread, on=case).merge(raw, on=case)
    return table.assign(l1=l1, fixes_l1=[True] + [False] * (len(table) - 1))


def tested_parts(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``partial_table`` or ``imperfect_table`` that did not go into the coefficient."""
    return table[~table["fixes_l1"]]


def surface(settings: CoOccurrenceSettings) -> pd.DataFrame:
    """Absorption over P(parent | child) and the L1 coefficient, trained and predicted.

    Columns: ``p_parent``, ``l1``, ``absorbed``, ``silent``, ``hedged``, ``mcc``, ``predicted``.
    """
    cases = [{"p_parent": p, "l1": l1} for p in settings.p_parents for l1 in settings.l1s]
    table = _sweep(cases, settings, lambda case: four_features(hierarchy=True, p_parent=case["p_parent"]))
    predicted = [theory.imperfect(case["p_parent"], case["l1"]).absorbed for case in cases]
    return table.assign(predicted=predicted)


def facts(name: str, table: pd.DataFrame, by: str) -> dict[str, float]:
    """Means at both ends of a factor, for the text: ``<name>_low``, ``<name>_low_absorbed``, ``<name>_low_mcc``, and
    the same with ``high``."""
    found = {}
    for end, value in (("low", table[by].min()), ("high", table[by].max())):
        mine = table[table[by] == value]
        found |= {
            f"{name}_{end}": float(value),
            f"{name}_{end}_absorbed": float(mine["absorbed"].mean()),
            f"{name}_{end}_mcc": float(mine["mcc"].mean()),
        }
    return found


def rates(settings: CoOccurrenceSettings) -> pd.DataFrame:
    """One point of the surface at other rates of the child: theory says that they do not matter.

    Columns as in ``surface``, with ``child_rate``.
    """
    cases = [{"child_rate": rate, "p_parent": FIXED_P, "l1": FIXED_L1} for rate in settings.child_rates]
    table = _sweep(
        cases,
        settings,
        lambda case: four_features(hierarchy=True, p_parent=FIXED_P, p_child=case["child_rate"]),
    )
    return table.assign(predicted=theory.imperfect(FIXED_P, FIXED_L1).absorbed)


def tied(settings: CoOccurrenceSettings) -> pd.DataFrame:
    """Tied against untied weights over P(parent | child); columns as in ``surface`` with ``architecture``."""
    cases = [
        {"architecture": architecture, "p_parent": p, "l1": FIXED_L1}
        for architecture in ("standard", "tied")
        for p in settings.p_parents
    ]
    return _sweep(cases, settings, lambda case: four_features(hierarchy=True, p_parent=case["p_parent"]))


def k_surface(settings: CoOccurrenceSettings) -> pd.DataFrame:
    """Absorption over P(parent | child) and k of a BatchTopK SAE.

    Columns: ``p_parent``, ``k``, ``absorbed``, ``silent``, ``hedged``, ``mcc``, and ``true_l0``, the mean number of
    features that fire.
    """
    cases = [
        {"architecture": "batchtopk", "p_parent": p, "k": k} for p in settings.p_parents for k in settings.ks
    ]
    world = four_features(hierarchy=True)
    table = _sweep(cases, settings, lambda case: four_features(hierarchy=True, p_parent=case["p_parent"]))
    return table.assign(true_l0=world.true_l0)


def depth(settings: CoOccurrenceSettings) -> pd.DataFrame:
    """A chain of four features, each the next one's parent: who carries whose direction?

    Columns: ``seed`` and those of ``measure.absorption``, one row an (ancestor, descendant).
    """
    world = World(rates=(0.4, 0.2, 0.1, 0.05), parents=(None, 0, 1, 2))
    runs = [Run(world, _recipe(settings, FIXED_L1), seed) for seed in settings.seeds]
    saes = train_settled(runs, workers=settings.workers)
    tables = [
        measure.absorption(sae, world).assign(seed=run.seed) for run, sae in zip(runs, saes, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def budget_check(settings: CoOccurrenceSettings) -> pd.DataFrame:
    """One point of the surface on the fast schedule and on the paper's, with many more samples.

    Columns: ``schedule``, ``n_samples``, ``absorbed``, ``d``, ``mcc``.
    """
    world = four_features(hierarchy=True, p_parent=FIXED_P)
    recipes = {
        "fast": _recipe(settings, FIXED_L1),
        "as published": paper(l1=FIXED_L1, n_samples=settings.n_samples_check),
    }
    saes = train_settled(
        [Run(world, recipe, settings.seed) for recipe in recipes.values()], workers=settings.workers
    )
    return pd.DataFrame(
        [
            {
                "schedule": name,
                "n_samples": recipe.n_samples,
                **_point(sae, world),
                "d": shape(sae, world)["d"],
            }
            for (name, recipe), sae in zip(recipes.items(), saes, strict=True)
        ]
    )


def _recipe(settings: CoOccurrenceSettings, l1: float) -> Recipe:
    return fast("standard", 4, l1, settings.n_samples_fast)


def _sweep(
    cases: list[dict[str, Any]],
    settings: CoOccurrenceSettings,
    world_of: Callable[[Mapping[str, Any]], World],
) -> pd.DataFrame:
    worlds = [world_of(case) for case in cases]
    runs = [
        Run(
            world,
            fast(
                case.get("architecture", "standard"),
                4,
                case.get("l1", case.get("k", 0)),
                settings.n_samples_fast,
            ),
            settings.seed,
        )
        for case, world in zip(cases, worlds, strict=True)
    ]
    saes = train_settled(runs, workers=settings.workers)
    return pd.DataFrame(
        [{**case, **_point(sae, world)} for case, world, sae in zip(cases, worlds, saes, strict=True)]
    )


def _point(sae: Any, world: World) -> dict[str, float]:
    pair = measure.absorption(sae, world).iloc[0]
    return {
        "absorbed": pair["absorbed"], "silent": pair["silent"], "hedged": pair["hedged"],
        "mcc": measure.quality(sae, world)["mcc"],
    }  # fmt: skip

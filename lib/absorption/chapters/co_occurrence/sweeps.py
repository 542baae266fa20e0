"""One factor or two at a time: co-occurrence, penalty, k, the child's rate, tied weights, depth, training budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from absorption.chapters.findings import OneTable
from absorption.chapters.settings import CoOccurrenceSettings
from absorption.toy import measure, theory
from absorption.toy.recipes import Recipe, fast, paper
from absorption.toy.train import Run, train_settled
from absorption.toy.worlds import World, four_features

FIXED_P, FIXED_L1 = 0.9, 0.04
"""The point of the surface through which the single-factor sweeps run: absorption is neither 0 nor 1 there."""


def sparsity_surface(settings: CoOccurrenceSettings) -> OneTable:
    """Absorption over P(parent | child) and the L1 coefficient, trained and predicted.

    Columns: ``p_parent``, ``l1``, ``absorbed``, ``silent``, ``hedged``, ``mcc``, ``predicted``.
    """
    cases = [{"p_parent": p, "l1": l1} for p in settings.p_parents for l1 in settings.l1s]
    table = _sweep(cases, settings, lambda case: four_features(hierarchy=True, p_parent=case["p_parent"]))
    predicted = [theory.imperfect(case["p_parent"], case["l1"]).absorbed for case in cases]
    table = table.assign(predicted=predicted)
    errors = (table["absorbed"] - table["predicted"]).abs()
    said = {"surface_error": float(errors.median()), "surface_worst": float(errors.max())}
    return OneTable("toy-surface", table, said)


def both_ends(name: str, table: pd.DataFrame, by: str) -> dict[str, float]:
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


def child_rates(settings: CoOccurrenceSettings) -> OneTable:
    """One point of the surface at other rates of the child: theory says that they do not matter.

    Columns as in ``sparsity_surface``, with ``child_rate``.
    """
    cases = [{"child_rate": rate, "p_parent": FIXED_P, "l1": FIXED_L1} for rate in settings.child_rates]
    table = _sweep(
        cases,
        settings,
        lambda case: four_features(hierarchy=True, p_parent=FIXED_P, p_child=case["child_rate"]),
    )
    predicted = theory.imperfect(FIXED_P, FIXED_L1).absorbed
    said = {
        "rates_low": float(table["absorbed"].min()),
        "rates_high": float(table["absorbed"].max()),
        "rates_predicted": float(predicted),
    }
    return OneTable("toy-rates", table.assign(predicted=predicted), said)


def tied_weights(settings: CoOccurrenceSettings) -> OneTable:
    """Tied against untied weights over P(parent | child); columns as in ``sparsity_surface`` with ``architecture``."""
    architectures = ("standard", "tied")
    cases = [
        {"architecture": architecture, "p_parent": p, "l1": FIXED_L1}
        for architecture in architectures
        for p in settings.p_parents
    ]
    table = _sweep(cases, settings, lambda case: four_features(hierarchy=True, p_parent=case["p_parent"]))
    said: dict[str, float] = {}
    for architecture in architectures:
        mine = table[table["architecture"] == architecture]
        most = {f"{architecture}_most": float(mine["absorbed"].max())}
        said |= most | both_ends(architecture, mine, "p_parent")
    return OneTable("toy-tied", table, said)


def batchtopk_surface(settings: CoOccurrenceSettings) -> OneTable:
    """Absorption over P(parent | child) and k of a BatchTopK SAE.

    Columns: ``p_parent``, ``k``, ``absorbed``, ``silent``, ``hedged``, ``mcc``, and ``true_l0``, the mean number of
    features that fire.
    """
    cases = [
        {"architecture": "batchtopk", "p_parent": p, "k": k} for p in settings.p_parents for k in settings.ks
    ]
    world = four_features(hierarchy=True)
    table = _sweep(cases, settings, lambda case: four_features(hierarchy=True, p_parent=case["p_parent"]))
    said = {"true_l0": float(world.true_l0), **both_ends("k", table, "k")}
    return OneTable("toy-k-surface", table.assign(true_l0=world.true_l0), said)


def chain(settings: CoOccurrenceSettings) -> OneTable:
    """A chain of four features, each the next one's parent: who carries whose direction?

    Columns: ``seed`` and those of ``measure.absorption``, one row an (ancestor, descendant).
    """
    world = World(rates=(0.4, 0.2, 0.1, 0.05), parents=(None, 0, 1, 2))
    runs = [Run(world, _recipe(settings, FIXED_L1), seed) for seed in settings.seeds]
    saes = train_settled(runs, workers=settings.workers)
    tables = [
        measure.absorption(sae, world).assign(seed=run.seed) for run, sae in zip(runs, saes, strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    said = {
        "depth_mean": float(table["absorbed"].mean()),
        "depth_kept": int((table["absorbed"] < 0.5).sum()),
        "depth_pairs": len(table),
    }
    return OneTable("toy-depth", table, said)


def budget(settings: CoOccurrenceSettings) -> OneTable:
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
    table = pd.DataFrame(
        [
            {
                "schedule": name,
                "n_samples": recipe.n_samples,
                **_point(sae, world),
                "d": measure.closed_form(sae, world)["d"],
            }
            for (name, recipe), sae in zip(recipes.items(), saes, strict=True)
        ]
    )
    return OneTable("toy-budget", table, {"budget_gap": float(table["absorbed"].diff().abs().iloc[-1])})


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

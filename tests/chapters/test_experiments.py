"""The heatmaps of the paper's two further experiments: the very SAEs that its numbers are compared with."""

from __future__ import annotations

from typing import Any

import pytest
from tests.plots.reading import panels
from tests.settings_of import settings_of

from absorption.chapters import co_occurrence
from absorption.chapters.co_occurrence import experiments
from absorption.chapters.settings import CoOccurrenceSettings
from absorption.plots import toy as figures
from absorption.toy import measure, train
from absorption.toy.recipes import BATCH_SIZE


@pytest.fixture
def settings() -> CoOccurrenceSettings:
    return settings_of(CoOccurrenceSettings, n_samples_fast=100 * BATCH_SIZE, n_seeds=2, workers=1)


def test_the_saes_are_those_of_the_two_tables(
    settings: CoOccurrenceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[train.Run] = []

    def settled(runs: list[train.Run], workers: int) -> Any:
        asked.extend(runs)
        return train.train_settled(runs, workers=workers)

    monkeypatch.setattr(experiments, "train_settled", settled)
    steps = (co_occurrence.partial_absorption, co_occurrence.imperfect_co_occurrence)
    coefficients = [step(settings).table["l1"].iloc[0] for step in steps]
    in_tables = list(asked)
    asked.clear()
    found = co_occurrence.directions(settings).table
    assert [run.seed for run in asked] == [settings.seed] * 2
    assert all(run in in_tables for run in asked)
    assert [run.recipe.sparsity for run in asked] == pytest.approx(coefficients)
    assert found.groupby("world", sort=False).size().to_dict() == {
        "f0 varies": 2 * 4 * 4, "f1 sometimes alone": 2 * 4 * 4,
    }  # fmt: skip


def test_the_figure_draws_each_world_s_cosines_latent_by_feature(plant) -> None:
    world = experiments.partial_experiment().world
    table = measure.cosines(plant(world, 0.5), world).assign(world="w")
    encoder, decoder = (panel.cells for panel in panels(figures.cosines(table)))
    # encoder of f0's latent: (1, -d) / sqrt(1 + d^2), decoder of f1's: (d, 1) / sqrt(1 + d^2), d = .5
    names = ["f0", "f1", "f2", "f3"]
    assert [encoder["f0", name] for name in names] == pytest.approx([0.894427, -0.447214, 0, 0], abs=1e-5)
    assert [decoder["f1", name] for name in names] == pytest.approx([0.447214, 0.894427, 0, 0], abs=1e-5)
    assert list(encoder) == [(latent, feature) for latent in names for feature in names]

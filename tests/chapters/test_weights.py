"""The heatmaps of the paper's two further experiments: the very SAEs that its numbers are compared with."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
import pytest

from absorption.chapters import co_occurrence, weights
from absorption.chapters.toy_settings import CoOccurrenceSettings
from absorption.plots import toy as figures
from absorption.toy import measure, train
from absorption.toy.recipes import BATCH_SIZE


@pytest.fixture
def settings() -> CoOccurrenceSettings:
    return CoOccurrenceSettings(n_samples_fast=100 * BATCH_SIZE, n_seeds=2, workers=1)


def test_the_saes_are_those_of_the_two_tables(
    settings: CoOccurrenceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, list[train.Run]] = {"tables": [], "weights": []}

    def note(where: str) -> Any:
        def settled(runs: list[train.Run], workers: int) -> Any:
            asked[where] += runs
            return train.train_settled(runs, workers=workers)

        return settled

    monkeypatch.setattr(co_occurrence, "train_settled", note("tables"))
    monkeypatch.setattr(weights, "train_settled", note("weights"))
    tables = [co_occurrence.partial_table(settings), co_occurrence.imperfect_table(settings)]
    found = weights.weight_table(settings)
    assert [run.seed for run in asked["weights"]] == [settings.seed] * 2
    assert all(run in asked["tables"] for run in asked["weights"])
    coefficients = [l1 for _, l1 in weights.experiments().values()]
    assert coefficients == pytest.approx([table["l1"].iloc[0] for table in tables])
    assert found.groupby("world", sort=False).size().tolist() == [2 * 4 * 4] * 2


def test_the_figure_draws_each_world_s_cosines_latent_by_feature(plant) -> None:
    world = next(iter(weights.experiments().values()))[0]
    table = measure.cosines(plant(world, 0.5), world).assign(world="w")
    encoder, decoder = cast(Any, figures.cosines(pd.concat([table]))).data
    # encoder of f0's latent: (1, -d) / sqrt(1 + d^2), decoder of f1's: (d, 1) / sqrt(1 + d^2), d = .5
    assert encoder.z[0].tolist() == pytest.approx([0.894427, -0.447214, 0, 0], abs=1e-5)
    assert decoder.z[1].tolist() == pytest.approx([0.447214, 0.894427, 0, 0], abs=1e-5)
    assert list(encoder.x) == list(encoder.y) == ["f0", "f1", "f2", "f3"]

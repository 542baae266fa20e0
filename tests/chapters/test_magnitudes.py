"""A weak child can be lost; what the SAE looks like then follows from the samples alone."""

import pandas as pd
import pytest
import torch

from absorption.chapters.co_occurrence import magnitudes
from absorption.chapters.co_occurrence.sweeps import FIXED_L1
from absorption.toy.recipes import fast
from absorption.toy.train import Run, train_settled


def test_the_average_child_is_the_first_principal_direction_of_the_parents_samples() -> None:
    for magnitude in (0.5, 1.0, 2.0):
        samples = torch.tensor([[1.0, 0.0]] * 4 + [[1.0, magnitude]])  # the child is in one of five
        _, _, directions = torch.linalg.svd(samples)
        expected = float(directions[0, 1] / directions[0, 0])
        assert magnitudes.average_child(magnitude) == pytest.approx(expected, abs=1e-5)


def test_without_a_latent_for_the_child_the_parents_latent_writes_the_average_child() -> None:
    world = magnitudes.world(0.5)
    sae = train_settled([Run(world, fast("standard", 3, FIXED_L1, 2_000_000))])[0]
    parent = int((sae.W_dec @ world.directions[0]).argmax())
    row = sae.W_dec[parent] @ world.directions.T
    assert float(row[1] / row[0]) == pytest.approx(magnitudes.average_child(0.5), abs=0.02)


def test_a_latent_that_never_fires_has_no_d(plant) -> None:
    world = magnitudes.world(0.5)
    alive = magnitudes.child_of(plant(world, 0.0), world)
    assert (alive["d"], alive["child_fires"]) == (pytest.approx(0, abs=1e-4), 1.0)
    sae = plant(world, 0.0)
    with torch.no_grad():
        sae.b_enc[1] = -5.0
    dead = magnitudes.child_of(sae, world)
    assert str(dead["d"]) == "nan"
    assert dead["child_fires"] == 0
    # The lost child costs its square and saves its penalty, on the samples with a child.
    rate = float((world.sample(20_000, 0)[:, 1] > 0).double().mean())
    assert dead["loss"] - alive["loss"] == pytest.approx(rate * (0.25 - 0.04 * 0.5), rel=1e-3)


def test_facts_count_the_lost_and_compare_the_rest_with_what_carries_all() -> None:
    rows = [
        (0.5, 0.0, 2.0, float("nan"), 0.11, 0.0),
        (0.5, 1.0, 2.0, 1.9, 0.0, 1.0),
        (2.0, 1.0, 0.5, 0.5, 0.0, 0.9),
    ]
    columns = ["child_magnitude", "child_fires", "full_d", "d", "parent_row", "absorbed"]
    said = magnitudes.lost_children(pd.DataFrame(rows, columns=columns))
    assert (said["n_lost"], said["n_magnitudes"], said["lost_at"]) == (1, 3, "1 of magnitude 0.5")
    assert (said["lost_rows"], said["average_rows"]) == ("0.11", "0.10")
    assert said["kept_absorbed"] == pytest.approx(0.9)
    assert said["kept_d_gap"] == pytest.approx(0.05)

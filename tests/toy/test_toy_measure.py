"""The measurements say what was planted."""

import math

import pytest
import torch

from absorption.toy import measure
from absorption.toy.worlds import World, four_features

WORLD = four_features(hierarchy=True)


@pytest.mark.parametrize("d", [0.0, 0.3, 0.7, 1.0])
def test_absorbed_share_is_the_planted_d(plant, d: float) -> None:
    row = measure.absorption(plant(WORLD, d), WORLD).iloc[0]
    assert row["absorbed"] == pytest.approx(d, abs=1e-5)
    assert row["hedged"] == pytest.approx(0, abs=1e-6)
    assert row["recall_alone"] == 1
    assert row["silent"] == (1.0 if d == 1 else 0.0)
    assert row["low"] <= row["silent"] <= row["high"]


def test_the_closed_form_s_d_and_hole_are_read_off_decoder_and_encoder(plant) -> None:
    assert measure.closed_form(plant(WORLD, 0.4), WORLD) == pytest.approx({"d": 0.4, "hole": -0.4}, abs=1e-5)


def test_latents_are_matched_whatever_their_order(plant) -> None:
    sae = plant(WORLD, 0.5, order=(2, 0, 3, 1))
    assert measure.main_latents(sae, WORLD) == {0: 1, 1: 3, 2: 0, 3: 2}
    assert measure.absorption(sae, WORLD)["absorbed"].iloc[0] == pytest.approx(0.5, abs=1e-5)


def test_a_latent_that_writes_the_opposite_is_not_a_match(plant) -> None:
    sae = plant(WORLD, 0.0)
    sae.W_dec[0] *= -1
    own = measure.cosines(sae, WORLD).query("side == 'decoder' and latent == feature")["cosine"]
    assert own.min() < 0.5


def test_hedging_is_not_taken_for_absorption(plant) -> None:
    sae = plant(WORLD, 0.0)
    # f2's latent also reads f0 and writes a quarter of it, child or no child.
    sae.W_enc[:, 2] = 0.25 * WORLD.directions[0]
    sae.W_dec[2] = WORLD.directions[0]
    sae.W_enc[:, 0] = 0.75 * WORLD.directions[0]
    row = measure.absorption(sae, WORLD).iloc[0]
    assert row["absorbed"] == pytest.approx(0.25, abs=1e-5)
    assert row["hedged"] == pytest.approx(0.25, abs=1e-5)


def test_other_children_do_not_count_for_a_child(plant) -> None:
    world = World(rates=(0.5, 0.2, 0.2), parents=(None, 0, 0))
    table = measure.absorption(plant(world, 1.0), world).set_index("descendant")
    assert table.loc["f1", "absorbed"] == pytest.approx(1, abs=1e-5)
    assert table.loc["f2", "absorbed"] == pytest.approx(0, abs=1e-5)


def test_grandparents_are_measured_with_the_floor_between_on(plant) -> None:
    world = World(rates=(0.4, 0.2, 0.1), parents=(None, 0, 1))
    table = measure.absorption(plant(world, 1.0), world).set_index(["ancestor", "descendant"])
    assert set(table.index) == {("f0", "f1"), ("f0", "f2"), ("f1", "f2")}
    assert table.loc[("f0", "f1"), "by_descendant"] == pytest.approx(1, abs=1e-5)
    assert table.loc[("f0", "f2"), "by_descendant"] == pytest.approx(0, abs=1e-5)
    # f1's latent carries f0 also when the grandchild fires besides.
    assert table.loc[("f0", "f2"), "absorbed"] == pytest.approx(1, abs=1e-5)
    assert table.loc[("f1", "f2"), "absorbed"] == pytest.approx(0, abs=1e-5)


def test_responses_are_in_units_of_unit_decoder_rows(plant) -> None:
    table = measure.responses(plant(WORLD, 1.0), WORLD, {"both": WORLD.pattern(0, 1)})
    acts = table.set_index("latent")["activation"]
    assert acts["f0"] == 0
    assert acts["f1"] == pytest.approx(math.sqrt(2), abs=1e-5)


def test_debiasing_puts_back_what_the_penalty_takes_off_at_the_optimum(plant) -> None:
    sae, l1 = plant(WORLD, 0.3), 0.1
    target = WORLD.pattern(0, 1) @ WORLD.directions
    rows = sae.W_dec[:2]  # the latents of f0 and f1, the only ones that this input needs

    def loss(acts: torch.Tensor) -> torch.Tensor:
        return (acts @ rows - target).pow(2).sum() + l1 * acts.sum()

    free = torch.linalg.lstsq(rows.T, target[:, None]).solution[:, 0]
    best = free - measure.shrinkage(sae.W_dec, torch.tensor([True, True, False, False]), l1)[:2]
    gradient = torch.func.grad(loss)(best)
    assert gradient.tolist() == pytest.approx([0, 0], abs=1e-5)
    assert (free - best).min() > 0.01


def test_debiased_is_the_activation_where_there_was_no_penalty(plant) -> None:
    patterns = {"both": WORLD.pattern(0, 1), "f0": WORLD.pattern(0), "nothing": WORLD.pattern()}
    table = measure.responses(plant(WORLD, 0.3), WORLD, patterns)
    assert table["debiased"].tolist() == table["activation"].tolist()
    alone = measure.responses(plant(WORLD, 0.3), WORLD, {"f0": WORLD.pattern(0)}, l1=0.1)
    added = (alone["debiased"] - alone["activation"]).tolist()
    assert added == pytest.approx([0.05, 0, 0, 0], abs=1e-6)


def test_quality_of_the_true_dictionary_is_perfect(plant) -> None:
    found = measure.quality(plant(four_features(hierarchy=False), 0.0), four_features(hierarchy=False))
    assert found["mcc"] == pytest.approx(1, abs=1e-5)
    assert found["explained_variance"] == pytest.approx(1, abs=1e-5)
    assert found["recall"] == pytest.approx(1)
    assert found["sae_l0"] == pytest.approx(0.4, abs=0.02)


def test_the_same_seed_gives_the_same_table(plant) -> None:
    sae = plant(WORLD, 0.6)
    first = measure.absorption(sae, WORLD, seed=3)
    torch.rand(7)
    assert first.equals(measure.absorption(sae, WORLD, seed=3))

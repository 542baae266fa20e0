"""The short step is SAELens' own, and an SAE does not depend on what learns beside it."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from sae_lens.synthetic import ActivationGenerator, train_toy_sae
from torch import Tensor

from absorption.toy import trainer
from absorption.toy.recipes import BATCH_SIZE, Recipe, fast
from absorption.toy.worlds import four_features

WORLD = four_features(hierarchy=True)
N_STEPS = 60
BY_K = ("topk", "batchtopk", "matryoshka", "orthogonal")
ARCHITECTURES = ("standard", "tied", "gated", "jumprelu", *BY_K)


def recipe(architecture: Any) -> Recipe:
    levels = (2, 4) if architecture == "matryoshka" else ()
    strength = 1.0 if architecture in BY_K else 0.01
    return fast(architecture, 4, strength, N_STEPS * BATCH_SIZE, levels=levels, orthogonality=0.1)


class Replay(ActivationGenerator):
    """Gives the samples that it was made with, a batch at a time."""

    def __init__(self, features: Tensor) -> None:
        super().__init__(features.shape[1], 0.5)
        self.parts: Iterator[Tensor] = iter(features.split(BATCH_SIZE))

    def sample(self, batch_size: int) -> Tensor:
        return next(self.parts)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_short_step_learns_what_saelens_own_trainer_learns(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, asked = WORLD.sample(N_STEPS * BATCH_SIZE, 5), recipe(architecture)
    monkeypatch.setattr(trainer, "BATCHES_AT_ONCE", 1)
    monkeypatch.setattr(type(WORLD), "generator", lambda world: Replay(features))
    (mine,) = trainer.fit_together(WORLD, [asked], seed=3)
    torch.manual_seed(3)
    theirs = asked.build(WORLD.d_in)
    begin = trainer._weights(theirs)
    train_toy_sae(
        theirs, WORLD.dictionary(), Replay(features),
        training_samples=asked.n_samples, batch_size=BATCH_SIZE,
        lr=asked.lr, lr_decay_steps=round(asked.lr_decay * asked.n_steps),
    )  # fmt: skip
    expected = trainer._weights(theirs)
    assert max(float((expected[name] - begin[name]).abs().max()) for name in expected) > 0.05
    for name, tensor in expected.items():
        assert torch.allclose(mine[name], tensor, atol=2e-3), name


def test_the_standard_saes_closed_form_is_its_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = recipe("standard")
    torch.manual_seed(2)
    mine = trainer.StandardToyTrainer(asked.build(WORLD.d_in), asked)
    with torch.no_grad():
        for parameter in mine.sae.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    monkeypatch.setattr(mine.coefficient_schedulers["l1"], "current_value", asked.sparsity)
    assert mine.get_coefficients()["l1"] == asked.sparsity
    batch = torch.randn(BATCH_SIZE, WORLD.d_in)
    plain = trainer.TrainStepInput(
        sae_in=batch, dead_neuron_mask=None, coefficients=mine.get_coefficients(), n_training_steps=0,
        is_logging_step=False,
    )  # fmt: skip
    mine.sae.training_forward_pass(plain).loss.backward()
    expected = {name: parameter.grad for name, parameter in mine.sae.named_parameters()}
    mine.sae.zero_grad()
    found: dict[str, Tensor | None] = {}
    monkeypatch.setattr(
        mine, "_follow_gradients",
        lambda: found.update({name: parameter.grad for name, parameter in mine.sae.named_parameters()}),
    )  # fmt: skip
    mine.step(batch)
    assert set(found) == set(expected) == {"W_enc", "W_dec", "b_enc", "b_dec"}
    for name, gradient in found.items():
        assert expected[name].abs().max() > 1e-3, name
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6, msg=name)


def test_an_sae_does_not_depend_on_what_learns_beside_it() -> None:
    alone = trainer.fit_together(WORLD, [recipe("standard")], 1)[0]
    beside = trainer.fit_together(WORLD, [recipe("batchtopk"), recipe("standard"), recipe("gated")], 1)[1]
    assert all(torch.equal(alone[name], beside[name]) for name in alone)


def test_samples_and_weights_both_follow_the_seed() -> None:
    first, second = (trainer.fit_together(WORLD, [recipe("standard")], seed)[0]["W_dec"] for seed in (1, 2))
    assert not torch.allclose(first, second, atol=0.01)
    batches = [next(iter(trainer._batches(WORLD, 1))) for _ in range(2)]
    assert not torch.equal(*batches)


def test_batches_have_the_worlds_rates_and_are_as_many_as_asked_for() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        batches = list(trainer._batches(WORLD, 35))
    assert len(batches) == 35
    assert all(len(batch) == BATCH_SIZE for batch in batches)
    on = (torch.cat(batches) @ WORLD.directions.T) > 0.5
    assert on.float().mean(dim=0).tolist() == pytest.approx(WORLD.rates, abs=0.01)
    assert not (on[:, 1] & ~on[:, 0]).any()


def test_training_leaves_the_callers_random_state_and_threads_alone() -> None:
    torch.manual_seed(7)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(7)
    trainer.fit_together(WORLD, [recipe("standard")], 1)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads

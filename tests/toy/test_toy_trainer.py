"""The short step is SAELens' own, and an SAE does not depend on what learns beside it."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from sae_lens.saes.sae import TrainStepInput
from sae_lens.synthetic import ActivationGenerator, train_toy_sae
from torch import Tensor

from absorption.toy import together
from absorption.toy.closed_form import CLOSED_FORMS
from absorption.toy.recipes import BATCH_SIZE, Recipe, fast
from absorption.toy.trainer import ToyTrainer
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
    monkeypatch.setattr(together, "BATCHES_AT_ONCE", 1)
    monkeypatch.setattr(type(WORLD), "generator", lambda world: Replay(features))
    (mine,) = together.fit_together(WORLD, [asked], seed=3)
    torch.manual_seed(3)
    theirs = asked.build(WORLD.d_in)
    begin = together._weights(theirs)
    train_toy_sae(
        theirs, WORLD.dictionary(), Replay(features),
        training_samples=asked.n_samples, batch_size=BATCH_SIZE,
        lr=asked.lr, lr_decay_steps=round(asked.lr_decay * asked.n_steps),
    )  # fmt: skip
    expected = together._weights(theirs)
    assert max(float((expected[name] - begin[name]).abs().max()) for name in expected) > 0.05
    for name, tensor in expected.items():
        assert torch.allclose(mine[name], tensor, atol=2e-3), name


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_closed_form_is_the_gradient(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = _perturbed(architecture)
    batch = torch.randn(BATCH_SIZE, WORLD.d_in)
    plain = TrainStepInput(
        sae_in=batch, dead_neuron_mask=None, coefficients=mine.get_coefficients(), n_training_steps=0,
        is_logging_step=False,
    )  # fmt: skip
    mine.sae.training_forward_pass(plain).loss.backward()
    expected = _gradients(mine)
    mine.sae.zero_grad()
    found: dict[str, Tensor] = {}
    monkeypatch.setattr(mine, "_follow_gradients", lambda: found.update(_gradients(mine)))
    mine.step(batch)
    assert set(found) == set(expected)
    assert len(found) >= 3
    for name, gradient in found.items():
        assert expected[name].abs().max() > 1e-3, name
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6, msg=name)


def _perturbed(architecture: str) -> ToyTrainer:
    """Weights where every part of the loss has a gradient, and penalties at their full strength."""
    asked = recipe(architecture)
    torch.manual_seed(2)
    mine = CLOSED_FORMS[architecture](asked.build(WORLD.d_in), asked)
    with torch.no_grad():
        for parameter in mine.sae.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    for scheduler in mine.coefficient_schedulers.values():
        scheduler.current_value = asked.sparsity
    return mine


def _gradients(mine: ToyTrainer) -> dict[str, Tensor]:
    parts = {name: parameter.grad for name, parameter in mine.sae.named_parameters()}
    return {name: gradient.clone() for name, gradient in parts.items() if gradient is not None}


def test_closed_forms_count_what_is_silent_and_leave_dead_latents_to_saelens() -> None:
    asked = recipe("topk")
    torch.manual_seed(1)
    short, whole = (kind(asked.build(WORLD.d_in), asked) for kind in (CLOSED_FORMS["topk"], ToyTrainer))
    whole.sae.load_state_dict(short.sae.state_dict())
    for mine in (short, whole):
        mine.n_forward_passes_since_fired[2] = mine.cfg.dead_feature_window + 1
        with torch.no_grad():
            mine.sae.b_enc[2] = -50.0
    for batch in torch.randn(3, BATCH_SIZE, WORLD.d_in):
        short.step(batch)
        whole.step(batch)
    assert short.sae.b_enc[2].item() > -50  # the loss of dead latents moves it
    torch.testing.assert_close(short.sae.state_dict(), whole.sae.state_dict())
    assert short.n_forward_passes_since_fired[2] > short.cfg.dead_feature_window
    torch.testing.assert_close(short.n_forward_passes_since_fired, whole.n_forward_passes_since_fired)


def test_an_sae_does_not_depend_on_what_learns_beside_it() -> None:
    alone = together.fit_together(WORLD, [recipe("standard")], 1)[0]
    beside = together.fit_together(WORLD, [recipe("batchtopk"), recipe("standard"), recipe("gated")], 1)[1]
    assert all(torch.equal(alone[name], beside[name]) for name in alone)


def test_samples_and_weights_both_follow_the_seed() -> None:
    first, second = (together.fit_together(WORLD, [recipe("standard")], seed)[0]["W_dec"] for seed in (1, 2))
    assert not torch.allclose(first, second, atol=0.01)
    batches = [next(iter(together._batches(WORLD, 1))) for _ in range(2)]
    assert not torch.equal(*batches)


def test_batches_have_the_worlds_rates_and_are_as_many_as_asked_for() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        batches = list(together._batches(WORLD, 35))
    assert len(batches) == 35
    assert all(len(batch) == BATCH_SIZE for batch in batches)
    on = (torch.cat(batches) @ WORLD.directions.T) > 0.5
    assert on.float().mean(dim=0).tolist() == pytest.approx(WORLD.rates, abs=0.01)
    assert not (on[:, 1] & ~on[:, 0]).any()


def test_training_leaves_the_callers_random_state_and_threads_alone() -> None:
    torch.manual_seed(7)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(7)
    together.fit_together(WORLD, [recipe("standard")], 1)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads

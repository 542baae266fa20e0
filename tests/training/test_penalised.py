"""The sparse steps of standard and JumpReLU SAEs are SAELens', and the controller reaches the L0 it is told."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens.saes.jumprelu_sae import JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig
from sae_lens.saes.sae import TrainStepInput
from sae_lens.saes.standard_sae import StandardTrainingSAE, StandardTrainingSAEConfig
from tests.training.tiny import tiny_recipe, tiny_trainer

from absorption.training import penalised
from absorption.training.penalised import SparseJumpReLUTrainingSAE, SparseStandardTrainingSAE, Steering
from absorption.training.sparse import dense_pre

D_IN, D_SAE, ROWS = 16, 96, 40
KINDS: dict[str, tuple[Any, Any, Any]] = {
    "standard": (
        StandardTrainingSAE,
        SparseStandardTrainingSAE,
        lambda: StandardTrainingSAEConfig(d_in=D_IN, d_sae=D_SAE, dtype="float64"),
    ),
    "jumprelu": (
        JumpReLUTrainingSAE,
        SparseJumpReLUTrainingSAE,
        # A wide band, so that entries on both sides of the threshold are in it.
        lambda: JumpReLUTrainingSAEConfig(d_in=D_IN, d_sae=D_SAE, dtype="float64", jumprelu_bandwidth=1.0),
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def twins(kind: str) -> tuple[Any, Any]:
    """SAELens' class and ours with the same random weights; thresholds that leave a few latents on."""
    torch.manual_seed(0)
    their_class, our_class, make = KINDS[kind]
    theirs, ours = their_class(make()), our_class(make())
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            values = torch.randn_like(parameter) * (0.5 if name.startswith("W") else 0.3)
            values += {"threshold": 2.0, "b_enc": -3.0}.get(name, 0.0)
            parameter.copy_(values)
            getattr(ours, name).copy_(values)
    return theirs, ours


def step_input(seed: int = 1) -> TrainStepInput:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(ROWS, D_IN, generator=generator, dtype=torch.float64)
    coefficients = {"l1": 0.7, "l0": 0.7}
    return TrainStepInput(
        sae_in=x, coefficients=coefficients, dead_neuron_mask=None, n_training_steps=0, is_logging_step=False
    )


@every_kind
@pytest.mark.parametrize("dense_above", [0.0, 1.0], ids=["dense", "sparse"])
def test_loss_activations_and_gradients_are_those_of_saelens(
    kind: str, dense_above: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(penalised, "DENSE_ABOVE", dense_above)
    theirs, ours = twins(kind)
    expected, found = (sae.training_forward_pass(step_input()) for sae in (theirs, ours))
    assert found.feature_acts.is_sparse == bool(dense_above)
    assert found.losses.keys() == expected.losses.keys()
    for name, loss in expected.losses.items():
        assert loss > 0.1
        torch.testing.assert_close(found.losses[name], loss)
    torch.testing.assert_close(found.loss, expected.loss)
    torch.testing.assert_close(found.sae_out, expected.sae_out)
    dense = found.feature_acts.to_dense() if found.feature_acts.is_sparse else found.feature_acts
    torch.testing.assert_close(dense, expected.feature_acts)
    expected.loss.backward()
    found.loss.backward()
    for name, parameter in theirs.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 1e-3, name
        torch.testing.assert_close(getattr(ours, name).grad, parameter.grad)


def test_a_standard_latent_that_rounding_alone_lifts_above_0_is_off_and_costs_no_penalty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(penalised, "DENSE_ABOVE", 1.0)
    _, ours = twins("standard")
    ours.products = torch.bfloat16
    given = replace(step_input(), sae_in=torch.cat([step_input(seed).sae_in for seed in range(30)]))
    with torch.no_grad():
        centred = given.sae_in - ours.b_dec
        rough = dense_pre(centred, ours.W_enc, ours.b_enc, torch.bfloat16) > 0
        exact = dense_pre(centred, ours.W_enc, ours.b_enc) > 0
    assert (rough & ~exact).any()  # else this test shows nothing
    found = ours.training_forward_pass(given)
    assert (found.feature_acts.values() >= 0).all()
    assert not (found.feature_acts.to_dense() > 0)[~exact].any()


def test_a_latent_in_the_band_below_its_threshold_pulls_at_the_threshold() -> None:
    _, ours = twins("jumprelu")
    output = ours.training_forward_pass(step_input())
    values = output.feature_acts.coalesce().values()
    assert (values == 0).any()  # in the band, off
    assert (values > 0).any()


@every_kind
def test_the_penalty_grows_while_too_many_latents_are_on_and_falls_while_too_few(kind: str) -> None:
    for target, grows in ((1e-3, True), (D_SAE, False)):
        _, ours = twins(kind)
        ours.steering = Steering(target)
        factors = [ours.coefficient_factor]
        for seed in range(5):
            ours.training_forward_pass(step_input(seed))
            factors.append(ours.coefficient_factor)
        steps = torch.tensor(factors).diff()
        assert (steps > 0).all() if grows else (steps < 0).all()
        assert factors[0] == 1


def test_the_controller_is_the_written_rule() -> None:
    _, ours = twins("standard")
    ours.steering = Steering(target_l0=2.0, proportional=0.4, integral=0.01, smoothing=0.5)
    l0 = float((ours.training_forward_pass(step_input()).feature_acts.to_dense() > 0).sum()) / ROWS
    error = math.log(l0 / 2)
    assert abs(error) > 0.1
    bounded = min(max(error, -1), 1)
    assert ours.coefficient_factor == pytest.approx(math.exp((0.4 * 0.5 + 0.01) * bounded))


def test_the_coefficient_that_the_loss_takes_is_the_steered_one() -> None:
    _, plain = twins("standard")
    _, steered = twins("standard")
    steered.steering = Steering(5.0)
    steered.offset.fill_(math.log(3.0))
    expected, found = (sae.training_forward_pass(step_input()) for sae in (plain, steered))
    torch.testing.assert_close(found.losses["l1_loss"], 3 * expected.losses["l1_loss"])
    torch.testing.assert_close(found.losses["mse_loss"], expected.losses["mse_loss"])


@pytest.mark.parametrize(("kind", "k"), [("standard", 3), ("jumprelu", 2)])
def test_training_ends_near_the_l0_of_the_recipe(kind: str, k: int, tmp_path: Path) -> None:
    recipe = tiny_recipe(kind, n_passes=80, lr=3e-3, penalty=0.5, k=k)
    trainer = tiny_trainer(tmp_path, recipe, every=10_000)
    assert isinstance(trainer.sae, KINDS[kind][1])
    trainer.fit()
    recent = [trainer.sae.training_forward_pass(_step(trainer)).feature_acts for _ in range(20)]
    l0 = sum(float(((acts.to_dense() if acts.is_sparse else acts) > 0).sum()) / len(acts) for acts in recent)
    assert l0 / 20 == pytest.approx(k, rel=0.15)


def _step(trainer: Any) -> TrainStepInput:
    return TrainStepInput(
        sae_in=next(trainer.data_provider),
        coefficients={"l1": 0.5, "l0": 0.5},
        dead_neuron_mask=None,
        n_training_steps=0,
        is_logging_step=False,
    )


@every_kind
def test_the_saved_sae_holds_nothing_of_the_controller(kind: str, tmp_path: Path) -> None:
    _, ours = twins(kind)
    weights, _ = ours.save_inference_model(tmp_path)
    from safetensors.torch import load_file

    assert not {"lead", "offset"} & load_file(weights).keys()


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("standard", {"lp_norm": 2.0}, "lp_norm=1"),
        ("standard", {"apply_b_dec_to_input": False}, "apply_b_dec_to_input"),
        ("jumprelu", {"jumprelu_sparsity_loss_mode": "tanh"}, "'step'"),
        ("jumprelu", {"jumprelu_ste_to_input": True}, "ste_to_input"),
        ("jumprelu", {"pre_act_loss_coefficient": 1e-6}, "pre_act_loss_coefficient"),
    ],
)
def test_a_setting_that_the_sparse_step_does_not_follow_is_refused(
    kind: str, changes: dict[str, Any], message: str
) -> None:
    cfg = KINDS[kind][2]()
    for name, value in changes.items():
        setattr(cfg, name, value)
    with pytest.raises(ValueError, match=message):
        KINDS[kind][1](cfg)

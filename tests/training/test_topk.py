"""The sparse steps of TopK, BatchTopK and Matryoshka SAEs are SAELens': the same loss, gradients, threshold."""

from typing import Any

import pytest
import torch
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.matryoshka_batchtopk_sae import (
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
)
from sae_lens.saes.sae import TrainStepInput
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
from torch import Tensor

from absorption.training.sparse import dense_pre
from absorption.training.topk import (
    SparseBatchTopKTrainingSAE,
    SparseMatryoshkaTrainingSAE,
    SparseMultiTopKTrainingSAE,
    SparseTopKTrainingSAE,
    largest,
)

D_IN, D_SAE, ROWS = 16, 96, 40
PARAMETERS = ("W_enc", "b_enc", "W_dec", "b_dec")


KINDS: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "topk": (TopKTrainingSAE, SparseTopKTrainingSAE, TopKTrainingSAEConfig, {}),
    "batchtopk": (BatchTopKTrainingSAE, SparseBatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, {}),
    "matryoshka": (
        MatryoshkaBatchTopKTrainingSAE,
        SparseMatryoshkaTrainingSAE,
        MatryoshkaBatchTopKTrainingSAEConfig,
        {"matryoshka_widths": [12, 40, D_SAE]},
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def config(kind: str = "batchtopk", **changes: object) -> Any:
    values = {"d_in": D_IN, "d_sae": D_SAE, "k": 5, "dtype": "float64", "aux_loss_coefficient": 1 / 32}
    *_, make, more = KINDS[kind]
    return make(**(values | more | changes))


def twins(kind: str = "batchtopk", seed: int = 0) -> tuple[Any, Any]:
    """SAELens' class and ours with the same random weights; decoder rows of different norms."""
    torch.manual_seed(seed)
    their_class, our_class, *_ = KINDS[kind]
    theirs, ours = their_class(config(kind)), our_class(config(kind))
    with torch.no_grad():
        for name in PARAMETERS:
            values = torch.randn_like(getattr(theirs, name)) * (0.5 if name.startswith("W") else 0.3)
            getattr(theirs, name).copy_(values)
            getattr(ours, name).copy_(values)
    return theirs, ours


def step_input(dead: Tensor | None, seed: int = 1) -> TrainStepInput:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(ROWS, D_IN, generator=generator, dtype=torch.float64)
    return TrainStepInput(
        sae_in=x, coefficients={}, dead_neuron_mask=dead, n_training_steps=0, is_logging_step=False
    )


def dead_mask(n_dead: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    mask = torch.zeros(D_SAE, dtype=torch.bool)
    mask[torch.randperm(D_SAE, generator=generator)[:n_dead]] = True
    return mask


@every_kind
# 5 dead latents: fewer than half the width, so the loss is scaled down; 30: more, so the best are chosen.
@pytest.mark.parametrize("dead", [None, dead_mask(0), dead_mask(5), dead_mask(30)], ids=["", "0", "5", "30"])
def test_loss_and_gradients_are_those_of_saelens(kind: str, dead: Tensor | None) -> None:
    theirs, ours = twins(kind)
    expected, found = (sae.training_forward_pass(step_input(dead)) for sae in (theirs, ours))
    assert expected.loss > 1
    torch.testing.assert_close(found.loss, expected.loss)
    assert found.losses.keys() == expected.losses.keys()
    for name in expected.losses:
        torch.testing.assert_close(found.losses[name], expected.losses[name])
    if dead is not None and dead.any():
        assert found.losses["auxiliary_reconstruction_loss"] > 1e-3
    expected.loss.backward()
    found.loss.backward()
    for name in PARAMETERS:
        wanted = getattr(theirs, name).grad
        assert wanted.abs().max() > 1e-3, name
        torch.testing.assert_close(
            getattr(ours, name).grad, wanted, msg=lambda text, name=name: f"{name}: {text}"
        )


@every_kind
def test_reconstruction_and_active_latents_are_those_of_saelens(kind: str) -> None:
    theirs, ours = twins(kind)
    expected, found = (sae.training_forward_pass(step_input(None)) for sae in (theirs, ours))
    torch.testing.assert_close(found.sae_out, expected.sae_out)
    dense = found.feature_acts.to_dense()
    assert int((dense > 0).sum()) == 5 * ROWS
    torch.testing.assert_close(dense, expected.feature_acts.to_dense())


@every_kind
def test_a_batch_on_which_no_latent_is_on_trains_the_bias_alone_as_in_saelens(kind: str) -> None:
    theirs, ours = twins(kind)
    with torch.no_grad():
        for sae in (theirs, ours):
            sae.b_enc.fill_(-1e3)
    expected, found = (sae.training_forward_pass(step_input(None)) for sae in (theirs, ours))
    for output in (expected, found):
        output.loss.backward()
    torch.testing.assert_close(found.loss, expected.loss)
    torch.testing.assert_close(ours.b_dec.grad, theirs.b_dec.grad)
    assert ours.W_dec.grad is not None
    assert not ours.W_dec.grad.any()


@pytest.mark.parametrize("kind", ["batchtopk", "matryoshka"])
def test_the_threshold_moves_as_in_saelens(kind: str) -> None:
    theirs, ours = twins(kind)
    for seed in range(4):
        for sae in (theirs, ours):
            sae.training_forward_pass(step_input(None, seed))
        assert theirs.topk_threshold > 0
        torch.testing.assert_close(ours.topk_threshold, theirs.topk_threshold)


def test_the_bound_of_the_search_changes_no_result() -> None:
    _, fresh = twins()
    _, after = twins()
    after._search_above = 1e9  # far too high: the search must fall back to all positive entries
    expected, found = (sae.training_forward_pass(step_input(None)) for sae in (fresh, after))
    torch.testing.assert_close(found.loss, expected.loss, rtol=0, atol=0)


@every_kind
def test_latents_chosen_in_bfloat16_have_the_values_and_gradients_of_the_weights_own_precision(
    kind: str,
) -> None:
    _, exact = twins(kind)
    _, rough = twins(kind)
    rough.products = torch.bfloat16
    expected, found = (sae.training_forward_pass(step_input(dead_mask(30))) for sae in (exact, rough))
    wanted, dense = (output.feature_acts.to_dense() for output in (expected, found))
    same = (wanted > 0) == (dense > 0)
    # Latents within a rounding of the last place may change places; all others are the same, to the last digit.
    assert same.double().mean() > 0.99
    torch.testing.assert_close(dense[same], wanted[same])
    assert int((dense > 0).sum()) == 5 * ROWS
    torch.testing.assert_close(found.loss, expected.loss, rtol=2e-2, atol=0)
    found.loss.backward()
    assert rough.W_enc.grad.dtype == torch.float64
    assert rough.W_enc.grad.abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["topk", "batchtopk"])
def test_a_latent_that_rounding_alone_lifts_above_0_is_off(kind: str) -> None:
    _, ours = twins(kind)
    ours.products, ours.cfg.k = torch.bfloat16, D_SAE
    x = torch.cat([step_input(None, seed).sae_in for seed in range(20)])
    with torch.no_grad():
        centred = x - ours.b_dec
        rough = dense_pre(centred, ours.W_enc, ours.b_enc, torch.bfloat16) > 0
        exact = dense_pre(centred, ours.W_enc, ours.b_enc) > 0
    assert (rough & ~exact).any()  # else this test shows nothing
    given = TrainStepInput(
        sae_in=x, coefficients={}, dead_neuron_mask=None, n_training_steps=0, is_logging_step=False
    )
    acts = ours.training_forward_pass(given).feature_acts
    assert (acts.values() > 0).all()
    assert not (acts.to_dense() > 0)[~exact].any()


def test_a_stride_takes_the_dead_latents_loss_over_every_nth_row_only() -> None:
    _, every = twins()
    _, third = twins()
    third.aux_stride = 3
    dead = dead_mask(30)
    whole, part = (sae.training_forward_pass(step_input(dead)) for sae in (every, third))
    x = step_input(dead).sae_in
    by_hand = every._dead_latents_loss(x[::3], whole.sae_out[::3], dead)
    torch.testing.assert_close(part.losses["auxiliary_reconstruction_loss"], by_hand)
    assert not torch.isclose(by_hand, whole.losses["auxiliary_reconstruction_loss"], rtol=1e-3)
    torch.testing.assert_close(part.losses["mse_loss"], whole.losses["mse_loss"])


@pytest.mark.parametrize("search_above", [0.0, 0.5, 1.2, 100.0])
def test_the_largest_entries_are_those_of_a_full_selection(search_above: float) -> None:
    values = torch.randn(30, 20, generator=torch.Generator().manual_seed(0))
    rows, columns, found = largest(values, 50, search_above)
    expected = torch.zeros(600)
    top = values.flatten().topk(50)
    expected[top.indices] = top.values
    scattered = torch.zeros(30, 20)
    scattered[rows, columns] = found
    torch.testing.assert_close(scattered.flatten(), expected)
    places = rows * 20 + columns
    assert (places.diff() > 0).all()


def test_fewer_positive_entries_than_asked_for_are_all_taken_and_no_negative_one() -> None:
    values = torch.tensor([[1.0, -1.0, 0.0], [-2.0, 3.0, -0.5]])
    for search_above in (0.0, 2.0):
        rows, columns, found = largest(values, 4, search_above)
        assert (rows.tolist(), columns.tolist(), found.tolist()) == ([0, 1], [0, 1], [1.0, 3.0])


@every_kind
@pytest.mark.parametrize("switch", ["rescale_acts_by_decoder_norm", "apply_b_dec_to_input"])
def test_a_setting_that_the_sparse_step_does_not_follow_is_refused(kind: str, switch: str) -> None:
    with pytest.raises(ValueError, match=switch):
        KINDS[kind][1](config(kind, **{switch: False}))


def test_a_loss_of_dead_latents_by_level_is_refused() -> None:
    with pytest.raises(ValueError, match="use_matryoshka_aux_loss"):
        SparseMatryoshkaTrainingSAE(config("matryoshka", use_matryoshka_aux_loss=True))


def multi_topk(**settings: object) -> tuple[Any, Any]:
    """SAELens' TopK and our Multi-TopK with ``also_k`` 20, with the same random weights."""
    theirs, plain = twins("topk")
    ours = SparseMultiTopKTrainingSAE(config("topk"), also_k=20, **settings)  # type: ignore[arg-type]
    ours.load_state_dict(plain.state_dict())
    return theirs, ours


def reference_loss(sae: Any, x: Tensor, k: int) -> Tensor:
    """Squared error with the ``k`` latents that write most, in dense products."""
    scaled = ((x - sae.b_dec) @ sae.W_enc + sae.b_enc) * sae.W_dec.norm(dim=-1)
    kth = scaled.topk(k, dim=-1).values[:, -1:]
    acts = torch.where(scaled >= kth, scaled.relu(), 0.0)
    out = acts @ (sae.W_dec / sae.W_dec.norm(dim=-1, keepdim=True)) + sae.b_dec
    return (out - x).pow(2).sum(-1).mean()


def test_multi_topk_is_the_loss_at_k_and_a_share_of_the_loss_at_the_second_k() -> None:
    theirs, ours = multi_topk(also_weight=0.125)
    x = step_input(None).sae_in
    expected = reference_loss(theirs, x, 5) + reference_loss(theirs, x, 20) / 8
    found = ours.training_forward_pass(step_input(None)).loss
    torch.testing.assert_close(found, expected)
    expected.backward()
    found.backward()
    for name in PARAMETERS:
        torch.testing.assert_close(getattr(ours, name).grad, getattr(theirs, name).grad)


def test_multi_topk_fires_and_reconstructs_as_topk_does_at_k() -> None:
    theirs, ours = multi_topk()
    expected, found = (sae.training_forward_pass(step_input(dead_mask(30))) for sae in (theirs, ours))
    torch.testing.assert_close(found.feature_acts.to_dense(), expected.feature_acts.to_dense())
    torch.testing.assert_close(found.sae_out, expected.sae_out)
    name = "auxiliary_reconstruction_loss"
    torch.testing.assert_close(found.losses[name], expected.losses[name])


@pytest.mark.parametrize("also_k", [5, D_SAE + 1])
def test_a_second_k_outside_of_k_and_the_width_is_refused(also_k: int) -> None:
    with pytest.raises(ValueError, match=f"also_k={also_k}; allowed: above k=5, at most d_sae={D_SAE}"):
        SparseMultiTopKTrainingSAE(config("topk"), also_k=also_k)

"""Remedies' losses by hand and their gradients; a tied SAE is one matrix in training, in its gradient and on disk."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAEConfig
from sae_lens.saes.matryoshka_batchtopk_sae import (
    MatryoshkaBatchTopKTrainingSAE,
    MatryoshkaBatchTopKTrainingSAEConfig,
)
from sae_lens.saes.sae import SAE, SAEMetadata, TrainStepInput
from tests.training.tiny import planted_activations, tiny_recipe, tiny_trainer
from torch import Tensor

from absorption.training.architectures import untrained_sae
from absorption.training.recipe import REMEDIES_ARMS, REMEDIES_RECIPES, find_recipe
from absorption.training.remedies import (
    SimilarRows,
    SimilarRowsBatchTopKTrainingSAE,
    TiedBatchTopKTrainingSAE,
    batch_norms,
    nearest_rows,
)
from absorption.training.topk import (
    SparseBatchTopKTrainingSAE,
    SparseMatryoshkaTrainingSAE,
    SparseTopKTrainingSAE,
)

ROWS = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 2.0]], dtype=torch.float64)
"""Cosines .6, .8 and 0: the largest of each are .6, .8, .8; the last row's norm is 2."""
ACTS = torch.tensor([3.0, 2.0, 4.0], dtype=torch.float64)
LATENTS = torch.tensor([0, 1, 0])
"""Norms over the batch 5, 2 and 0."""
D_IN, D_SAE = 16, 48


def batch(step: int = 0, n_rows: int = 30) -> TrainStepInput:
    x = torch.randn(n_rows, D_IN, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return TrainStepInput(
        sae_in=x, coefficients={}, dead_neuron_mask=None, n_training_steps=step, is_logging_step=False
    )


def config(make: Any = BatchTopKTrainingSAEConfig, **more: Any) -> Any:
    return make(d_in=D_IN, d_sae=D_SAE, k=5, dtype="float64", **more)


def with_weights(sae: Any, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name in ("W_dec", "b_enc", "b_dec", "W_enc"):
            if name in dict(sae.named_parameters()):
                own = getattr(sae, name)
                own.copy_(torch.randn(own.shape, generator=generator, dtype=own.dtype) / 2)
    return sae


def test_orthogonality_is_the_mean_square_of_the_largest_cosine_in_units_of_the_input() -> None:
    loss = SimilarRows(orthogonality=0.25, stride=1).loss(ROWS, ACTS, LATENTS)
    assert float(loss) == pytest.approx(0.25 * 2 * (0.36 + 0.64 + 0.64) / 3)


def test_consistency_weighs_it_by_how_much_both_latents_fire_in_the_batch() -> None:
    loss = SimilarRows(consistency=5.0, stride=1).loss(ROWS, ACTS, LATENTS)
    # 0 is nearest to 1, 1 and 2 to each other: sums of norms 7, 2 and 2.
    assert float(loss) == pytest.approx(5 * math.sqrt(2) * (0.36 * 7 + 0.64 * 2 + 0.64 * 2) / 3)


def test_the_penalty_grows_with_its_stride_and_opposite_rows_are_free() -> None:
    both = SimilarRows(orthogonality=0.3, consistency=2.0, stride=1)
    every_fifth = SimilarRows(orthogonality=0.3, consistency=2.0, stride=5)
    assert float(every_fifth.loss(ROWS, ACTS, LATENTS)) == pytest.approx(
        5 * float(both.loss(ROWS, ACTS, LATENTS))
    )
    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert float(both.loss(opposite, torch.ones(2), torch.tensor([0, 1]))) == 0


@pytest.mark.parametrize("penalty", [{"orthogonality": 0.25}, {"consistency": 5.0}])
def test_the_gradients_are_those_of_finite_differences(penalty: dict[str, Any]) -> None:
    similar = SimilarRows(**penalty)
    rows = ROWS.clone().requires_grad_()
    acts = ACTS.clone().requires_grad_("consistency" in penalty)

    def loss(rows: Tensor, acts: Tensor) -> Tensor:
        return similar.loss(rows, acts, LATENTS)

    assert torch.autograd.gradcheck(loss, (rows, acts))
    loss(rows, acts).backward()
    assert rows.grad is not None
    assert rows.grad.abs().max() > 0.01


def test_a_latent_that_did_not_fire_has_norm_and_gradient_0() -> None:
    acts = ACTS.clone().requires_grad_()
    norms = batch_norms(acts, LATENTS, 3)
    assert norms.tolist() == [5.0, 2.0, 0.0]
    norms.sum().backward()
    assert acts.grad is not None
    assert acts.grad.tolist() == pytest.approx([3 / 5, 1.0, 4 / 5])


def test_in_chunks_each_row_has_a_neighbour_that_is_another_row_and_whole_it_is_the_nearest() -> None:
    torch.manual_seed(0)
    unit = torch.nn.functional.normalize(torch.randn(11, 4), dim=1)
    cosines = (unit @ unit.T).fill_diagonal_(-2)
    assert nearest_rows(unit, 11).tolist() == cosines.argmax(dim=1).tolist()
    in_chunks = nearest_rows(unit, 4)
    assert not (in_chunks == torch.arange(11)).any()
    assert in_chunks.tolist() != nearest_rows(unit, 4).tolist()  # another split at each step


def test_the_penalty_is_added_to_batchtopks_loss_at_every_fifth_step_alone() -> None:
    similar = SimilarRows(orthogonality=0.25, consistency=5.0)
    plain = with_weights(SparseBatchTopKTrainingSAE(config()))
    ours = with_weights(SimilarRowsBatchTopKTrainingSAE(config(), similar_rows=similar))
    for step in range(6):
        expected, found = (sae.training_forward_pass(batch(step)) for sae in (plain, ours))
        penalised = step % 5 == 0
        assert ("similar_rows_loss" in found.losses) == penalised
        if penalised:
            fired = expected.feature_acts.coalesce()
            penalty = similar.loss(ours.W_dec, fired.values(), fired.indices()[1])
            assert float(penalty.detach()) > 1
            torch.testing.assert_close(found.loss, expected.loss + penalty)
        else:
            torch.testing.assert_close(found.loss, expected.loss)


def test_training_with_the_penalty_makes_rows_less_similar(tmp_path: Path) -> None:
    cosines = {}
    for orthogonality in (0.0, 2.0):
        recipe = tiny_recipe("batchtopk", orthogonality=orthogonality)
        rows = tiny_trainer(tmp_path / str(orthogonality), recipe).fit().W_dec.detach()
        unit = torch.nn.functional.normalize(rows, dim=1)
        cosines[orthogonality] = float((unit @ unit.T).fill_diagonal_(0).amax(dim=1).mean())
    assert cosines[2.0] < 0.9 * cosines[0.0]


def test_a_levels_loss_weighs_three_quarters_of_the_next_wider_ones() -> None:
    widths = [12, 24, D_SAE]
    theirs = with_weights(
        MatryoshkaBatchTopKTrainingSAE(
            config(MatryoshkaBatchTopKTrainingSAEConfig, matryoshka_widths=[*widths])
        )
    )
    ours = with_weights(
        SparseMatryoshkaTrainingSAE(
            config(MatryoshkaBatchTopKTrainingSAEConfig, matryoshka_widths=[*widths]), level_weight=0.75
        )
    )
    plain, found = (sae.training_forward_pass(batch()).losses for sae in (theirs, ours))
    weights = {"inner_mse_loss_12": 0.5625, "inner_mse_loss_24": 0.75, "mse_loss": 1.0}
    for name, weight in weights.items():
        torch.testing.assert_close(found[name], weight * plain[name])
    torch.stack([weight * plain[name] for name, weight in weights.items()]).sum().backward()
    torch.stack([found[name] for name in weights]).sum().backward()
    for name in ("W_enc", "W_dec", "b_enc", "b_dec"):
        assert getattr(theirs, name).grad.abs().max() > 1e-3
        torch.testing.assert_close(getattr(ours, name).grad, getattr(theirs, name).grad)


def test_a_tied_saes_gradient_is_the_sum_of_an_untied_ones_two() -> None:
    tied = with_weights(TiedBatchTopKTrainingSAE(config()))
    free = with_weights(SparseBatchTopKTrainingSAE(config()))
    with torch.no_grad():
        free.W_enc.copy_(tied.W_dec.t())
        for name in ("W_dec", "b_enc", "b_dec"):
            getattr(free, name).copy_(getattr(tied, name))
    losses = [sae.training_forward_pass(batch()).loss for sae in (tied, free)]
    torch.testing.assert_close(*losses)
    for loss in losses:
        loss.backward()
    assert free.W_enc.grad.abs().max() > 1e-3
    torch.testing.assert_close(tied.W_dec.grad, free.W_dec.grad + free.W_enc.grad.t())


def test_tied_stays_tied_after_training_and_on_disk_and_reconstructs_the_same(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path / "checkpoint", tiny_recipe("batchtopk", tied=True))
    sae: Any = trainer.fit()
    assert "W_enc" not in dict(sae.named_parameters())
    assert torch.equal(sae.W_enc, sae.W_dec.t())
    scale = trainer.data_provider.scale
    x = torch.from_numpy(planted_activations().rows[:50]).float()
    with torch.no_grad():
        before = (x * scale - sae.b_dec) @ sae.W_enc + sae.b_enc
        written = (before @ sae.W_dec + sae.b_dec) / scale
        moved = (sae.W_dec - tiny_trainer(tmp_path / "new").sae.W_dec).abs().max()
    sae.fold_activation_norm_scaling_factor(scale)
    with torch.no_grad():
        after = (x - sae.b_dec) @ sae.W_enc + sae.b_enc
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(after @ sae.W_dec + sae.b_dec, written, rtol=1e-4, atol=1e-3)
    sae.save_inference_model(tmp_path / "sae")
    loaded = SAE.load_from_disk(tmp_path / "sae")
    cosines = torch.nn.functional.cosine_similarity(loaded.W_enc.detach().t(), loaded.W_dec.detach(), dim=1)
    torch.testing.assert_close(cosines, torch.ones_like(cosines))
    assert float(moved) > 0.01


@pytest.mark.parametrize("remedy", [{"tied": True}, {"orthogonality": 0.25}, {"consistency": 5.0}])
def test_the_same_remedies_go_with_topk(remedy: dict[str, Any]) -> None:
    for architecture, plain in (("topk", SparseTopKTrainingSAE), ("batchtopk", SparseBatchTopKTrainingSAE)):
        sae: Any = untrained_sae(tiny_recipe(architecture, **remedy), 24, SAEMetadata())
        assert isinstance(sae, plain)
        assert isinstance(sae, SparseBatchTopKTrainingSAE) == (architecture == "batchtopk")
        x = torch.from_numpy(planted_activations().rows[:64]).float()
        given = TrainStepInput(
            sae_in=x, coefficients={}, dead_neuron_mask=None, n_training_steps=0, is_logging_step=False
        )
        output = sae.training_forward_pass(given)
        assert ("W_enc" in dict(sae.named_parameters())) != ("tied" in remedy)
        assert ("similar_rows_loss" in output.losses) != ("tied" in remedy)
        per_row = (output.feature_acts.to_dense() > 0).sum(dim=1)
        assert (int(per_row.max()) <= 4) == (architecture == "topk")


@pytest.mark.parametrize(
    ("architecture", "changes", "said"),
    [
        (
            "jumprelu",
            {"tied": True},
            "tied=True is not of architecture 'jumprelu'; allowed: topk, batchtopk.",
        ),
        ("standard", {"orthogonality": 0.25}, "orthogonality=0.25 is not of architecture 'standard'"),
        ("matryoshka", {"consistency": 5.0}, "consistency=5.0 is not of architecture 'matryoshka'"),
        ("batchtopk", {"level_weight": 0.5}, "level_weight=0.5 is not of architecture 'batchtopk'"),
        ("batchtopk", {"tied": True, "orthogonality": 0.1}, "tied=True; allowed beside it: orthogonality=0"),
    ],
)
def test_a_remedy_that_an_architecture_would_not_heed_is_refused(
    architecture: str, changes: dict[str, Any], said: str
) -> None:
    recipe = tiny_recipe(architecture, **changes)
    with pytest.raises(ValueError, match=said):
        untrained_sae(recipe, 24, None)  # type: ignore[arg-type]


def test_every_arm_has_four_seeds_and_differs_from_its_baseline_as_its_name_says() -> None:
    assert {recipe.seed for recipe in REMEDIES_RECIPES} == {0, 1, 2, 3}
    names = [recipe.sae_id for recipe in REMEDIES_RECIPES]
    assert len(set(names)) == len(names) == 4 * len(REMEDIES_ARMS)
    assert all(find_recipe(recipe.sae_id) == recipe for recipe in REMEDIES_RECIPES)
    assert {arm: recipe.sae_id for arm, recipe in REMEDIES_ARMS.items()} == {
        "TopK": "topk-2048-l0-12-layer-6",
        "BatchTopK": "batchtopk-2048-l0-12-layer-6",
        "JumpReLU": "jumprelu-2048-l0-12-layer-6",
        "standard": "standard-2048-l0-12-layer-6",
        "Matryoshka": "matryoshka-2048-l0-12-layer-6",
        "balanced Matryoshka": "matryoshka-2048-l0-12-layer-6-levels-0.75",
        "balanced Matryoshka, .5": "matryoshka-2048-l0-12-layer-6-levels-0.5",
        "balanced Matryoshka, .25": "matryoshka-2048-l0-12-layer-6-levels-0.25",
        "OrtSAE": "batchtopk-2048-l0-12-layer-6-orthogonal-0.25",
        "C2R": "batchtopk-2048-l0-12-layer-6-consistent-5",
        "tied": "batchtopk-2048-l0-12-layer-6-tied",
        "OrtSAE on TopK": "topk-2048-l0-12-layer-6-orthogonal-0.25",
        "C2R on TopK": "topk-2048-l0-12-layer-6-consistent-5",
        "tied TopK": "topk-2048-l0-12-layer-6-tied",
        "masked": "batchtopk-2048-l0-12-layer-6-masked-0.1",
        "masked on TopK": "topk-2048-l0-12-layer-6-masked-0.1",
    }

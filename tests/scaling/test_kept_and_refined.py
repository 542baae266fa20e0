"""Other numbers of latents, and refined activations: hand-set SAEs and SAELens' own TopK as the reference."""

from __future__ import annotations

import pytest
import torch
from tests.scaling.topk_saes import D_MODEL, rows, topk_sae
from tests.stitching.hand_set import UNIT, make_sae, random_sae

from absorption.scaling.kept import errors_by_kept
from absorption.scaling.refine import refine


@pytest.mark.parametrize("k", [1, 4, 11, 24])
def test_an_sae_that_keeps_k_latents_is_one_that_was_made_with_that_k(k: int) -> None:
    mine, other = topk_sae(k=4), topk_sae(k=k)
    expected = (rows() - other.reconstruct(rows())).double().pow(2).sum()
    found = errors_by_kept(mine, rows(), [k, 2])
    torch.testing.assert_close(found[0], expected, rtol=1e-5, atol=0)
    assert found.shape == (2,)


def test_more_latents_than_there_are_and_other_architectures_are_refused_with_both_values() -> None:
    with pytest.raises(ValueError, match=r"^k=25 latents cannot be kept of SAE 'topk'; allowed: 1 to its 24"):
        errors_by_kept(topk_sae(), rows(), [4, 25])
    with pytest.raises(ValueError, match=r"SAE 'relu' has architecture 'standard'; .*: topk"):
        errors_by_kept(random_sae("relu", 12, 0), rows(), [4])


def test_activations_that_were_halved_are_doubled_and_the_error_vanishes() -> None:
    halved = make_sae("halved", UNIT[:3] * 0.5, UNIT[:3])
    given = torch.zeros(2, D_MODEL)
    given[0, :3], given[1, 0] = torch.tensor([2.0, 4.0, 6.0]), 3.0
    found = refine(halved, given)
    assert found.original.tolist() == pytest.approx([6.0, 1.5])
    assert found.refined.tolist() == pytest.approx([12.0, 3.0])
    assert found.original_error.tolist() == pytest.approx([14.0, 2.25])
    assert found.refined_error.tolist() == pytest.approx([0.0, 0.0], abs=1e-9)


def test_right_activations_stay_and_latents_that_are_off_stay_off() -> None:
    right = make_sae("right", UNIT[:3], UNIT[:3], b_dec=UNIT[7])
    given = torch.zeros(3, D_MODEL)
    given[0, :2] = torch.tensor([2.0, 1.0])
    given[1, 4] = 5.0  # no latent for it
    given = given + UNIT[7] * torch.tensor([[1.0], [1.0], [0.0]])
    found = refine(right, given)
    assert found.refined.tolist() == pytest.approx(found.original.tolist())
    assert found.original.tolist() == pytest.approx([3.0, 0.0, 0.0])
    assert found.original_error.tolist() == pytest.approx([0.0, 25.0, 1.0])
    assert found.refined_error.tolist() == pytest.approx(found.original_error.tolist())


def test_refined_activations_are_not_negative_and_no_other_ones_are_better() -> None:
    sae = topk_sae(k=4)
    found = refine(sae, rows())
    acts, decoder = sae.encode(rows()), sae.W_dec
    best = torch.full((len(rows()),), torch.inf)
    draw = torch.Generator().manual_seed(0)
    for _ in range(300):
        tried = acts * torch.rand(acts.shape, generator=draw) * 2
        error = (rows() - sae.sae.b_dec - tried @ decoder).pow(2).sum(1)
        best = torch.minimum(best, error)
    assert (torch.from_numpy(found.refined_error) <= best + 1e-6).all()
    assert (found.refined_error <= found.original_error + 1e-9).all()
    assert (found.refined >= 0).all()

"""Sparse activations are the dense ones."""

from pathlib import Path

import pytest
import torch
from tests.latents.hand_made import (
    ABSORBER,
    D_SAE,
    KEEPER,
    MAIN_A,
    NOT_A,
    OTHERS,
    encoded,
    probed,
    sae,
    sparse,
)

from absorption.latents.sparse import encode_words, ones_like, take_rows, weighted_sums


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))


def random_dense(n_words: int = 30, n_latents: int = 12) -> torch.Tensor:
    """A third of the entries are on; one word has none and one latent is never on."""
    values = torch.randn(n_words, n_latents, generator=torch.Generator().manual_seed(0))
    values = torch.where(values > 0.4, values, 0)
    values[4], values[:, 7] = 0, 0
    return values


def test_encoded_words_are_the_dense_latents_whatever_the_batch() -> None:
    acts = probed().acts
    found = encode_words(sae(), acts, batch=33)
    expected = sae().encode(acts)
    assert (expected > 0).any()
    torch.testing.assert_close(found.csr.to_dense(), expected, rtol=0, atol=0)
    torch.testing.assert_close(found.dense(torch.arange(D_SAE)), expected)


def test_a_second_call_reads_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    first, acts = sae(), probed().acts
    expected = encode_words(first, acts)
    again = sae()
    monkeypatch.setattr(type(again), "encode", None)
    torch.testing.assert_close(encode_words(again, acts).csr.to_dense(), expected.csr.to_dense())
    with pytest.raises(TypeError):
        encode_words(again, acts + 1)


def test_the_planted_words_have_the_latents_that_were_planted() -> None:
    dense = encoded().csr.to_dense()
    assert dense[8].nonzero()[:, 0].tolist() == [ABSORBER]
    assert dense[9].nonzero()[:, 0].tolist() == [MAIN_A, KEEPER]
    assert dense[0].nonzero()[:, 0].tolist() == [MAIN_A]
    assert sorted(dense[10].nonzero()[:, 0].tolist()) == sorted([OTHERS[0], NOT_A])


def test_l0_counts_active_latents_by_hand() -> None:
    acts = sparse(torch.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [3.0, 0.0, 0.0]]))
    assert acts.l0.tolist() == [2.0, 0.0, 1.0]


def test_some_latents_can_be_taken_in_any_order() -> None:
    dense = random_dense()
    latents = torch.tensor([11, 7, 0])
    torch.testing.assert_close(sparse(dense).dense(latents), dense[:, latents])


def test_a_latent_asked_for_twice_is_there_twice() -> None:
    dense = random_dense()
    latents = torch.tensor([2, 2])
    torch.testing.assert_close(sparse(dense).dense(latents), dense[:, latents])


def test_rows_sums_and_ones_are_those_of_the_dense_matrix() -> None:
    dense = random_dense()
    csr = sparse(dense).csr
    rows = torch.tensor([29, 4, 4, 0, 13])
    torch.testing.assert_close(take_rows(csr, rows).to_dense(), dense[rows])
    torch.testing.assert_close(ones_like(csr).to_dense(), (dense > 0).float())
    right = torch.randn(30, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(weighted_sums(csr, right), right.T @ dense)

"""Meta-SAEs on rows whose parts are known, their baselines by hand, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.composition.planted_rows import meta_of, sums_of_directions
from tests.stitching.hand_set import UNIT, make_sae

from absorption.composition import matches
from absorption.composition.baselines import gaussian_rows, principal_parts, pursue, random_directions
from absorption.composition.training import MetaRecipe, check_recipe, meta_width, train_meta
from absorption.composition.variance import Explained, estimate_of, explained
from absorption.composition.weights import chosen_weights
from absorption.stitching.pairs import directions

RECIPE = MetaRecipe(n_latents=24, k=2, steps=700, batch=128, lr=3e-3)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))


def test_a_meta_sae_finds_the_directions_that_rows_are_sums_of() -> None:
    rows, parts = sums_of_directions()
    meta = train_meta(rows, RECIPE)
    found = matches.nearest(parts, meta.decoder)
    assert found.min() > 0.95
    share = explained(rows, [meta.written()]).estimate()
    assert share.value > 0.9
    without = gaussian_rows(rows)
    assert explained(without, [train_meta(without, RECIPE).written()]).estimate().value < share.value - 0.2


def test_training_is_the_same_twice_is_kept_and_leaves_the_random_state_alone(tmp_path: Path) -> None:
    rows, _ = sums_of_directions()
    recipe = MetaRecipe(n_latents=8, k=2, steps=5, batch=64)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = train_meta(rows, recipe)
    assert torch.equal(torch.get_rng_state(), before)
    (kept,) = tmp_path.rglob("*.safetensors")
    kept.unlink()
    again = train_meta(rows, recipe)
    assert torch.equal(first.decoder, again.decoder)
    np.testing.assert_array_equal(first.weights.toarray(), again.weights.toarray())
    other = train_meta(rows, MetaRecipe(n_latents=8, k=2, steps=5, batch=64, seed=1))
    assert not torch.equal(first.decoder, other.decoder)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2


def test_a_meta_sae_has_k_weights_a_row_and_unit_directions() -> None:
    rows, _ = sums_of_directions()
    meta = train_meta(rows, MetaRecipe(n_latents=16, k=2, steps=20, batch=64))
    assert meta.weights.nnz == 2 * len(rows)
    assert meta.weights.data.min() > 0
    torch.testing.assert_close(meta.decoder.norm(dim=1), torch.ones(16))


def test_the_largest_activations_of_a_batch_are_kept() -> None:
    pre = torch.tensor([[3.0, 2.0, 1.0], [0.5, -1.0, 0.1]])
    expected = torch.tensor([[3.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    assert torch.equal(chosen_weights(pre, 1), expected)
    assert torch.equal(chosen_weights(-pre.abs(), 1), torch.zeros(2, 3))


def test_a_meta_sae_writes_its_bias_and_weighted_directions() -> None:
    meta = meta_of(UNIT[:2], torch.tensor([[2.0, 0.0], [1.0, 3.0], [0.0, 0.0]]), bias=UNIT[4])
    expected = torch.stack([2 * UNIT[0] + UNIT[4], UNIT[0] + 3 * UNIT[1] + UNIT[4], UNIT[4]])
    torch.testing.assert_close(meta.written(), expected)
    latents, values = meta.of_row(1)
    assert (latents.tolist(), values.tolist()) == ([1, 0], [3.0, 1.0])
    assert meta.rows_of(0).tolist() == [0, 1]
    assert meta.used.tolist() == [0, 1]


def test_the_share_explained_is_one_minus_error_over_variance() -> None:
    rows = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
    found = explained(rows, [rows * 0.5, torch.zeros_like(rows), rows])
    np.testing.assert_allclose(found.by_seed, [0.75, 0.0, 1.0])
    drawn = found.drawn()
    assert drawn[0] == pytest.approx(1.75 / 3)
    assert drawn[1:].min() < 0.3  # seeds are drawn again
    assert drawn[1:].max() > 0.9
    one_seed = Explained(found.errors[:1], found.distances).estimate()
    assert (one_seed.low, one_seed.value, one_seed.high) == pytest.approx((0.75, 0.75, 0.75))
    assert estimate_of(np.array([2.0, 1.0, 3.0])).value == 2.0


def test_gaussian_rows_have_the_mean_and_covariance_of_the_rows() -> None:
    rows = (
        torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 1.0, 0.2]) + 5
    )
    rows[:, 1] += rows[:, 0]
    drawn = gaussian_rows(rows)
    torch.testing.assert_close(drawn.mean(0), rows.mean(0), atol=0.2, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(rows.T), rtol=0.1, atol=0.05)
    assert not torch.allclose(drawn, gaussian_rows(rows, seed=1))


def test_principal_parts_by_hand() -> None:
    """Rows along three axes: variances 32, 8, 2 of 42."""
    sizes = {0: 4.0, 1: 2.0, 2: 1.0}
    rows = torch.cat([torch.stack([size * UNIT[i], -size * UNIT[i]]) for i, size in sizes.items()]) + 7
    shared = explained(rows, [principal_parts(rows, 3, 1, shared=True)]).by_seed
    assert shared[0] == pytest.approx(32 / 42, abs=1e-5)
    own = explained(rows, [principal_parts(rows, 3, 1)]).by_seed
    assert own[0] == pytest.approx(1.0, abs=1e-5)
    fewer = explained(rows, [principal_parts(rows, 2, 1)]).by_seed
    assert fewer[0] == pytest.approx(40 / 42, abs=1e-5)


def test_matching_pursuit_by_hand() -> None:
    dictionary = torch.stack([UNIT[0], UNIT[1], -UNIT[2]])
    vectors = torch.stack([3 * UNIT[0] + 2 * UNIT[1] - UNIT[2], -UNIT[0] - UNIT[2], -UNIT[0]])
    two = pursue(vectors, dictionary, 2)
    assert two.tolist() == [[3.0, 2.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert pursue(vectors, dictionary, 3)[0].tolist() == [3.0, 2.0, 1.0]
    drawn = random_directions(5, 7)
    torch.testing.assert_close(drawn.norm(dim=1), torch.ones(5))


def test_a_match_is_the_largest_cosine_and_stands_beside_the_base() -> None:
    tilted = torch.nn.functional.normalize(UNIT[0] + UNIT[1], dim=0)
    near = matches.nearest(torch.stack([UNIT[0], tilted]), UNIT[:1])
    np.testing.assert_allclose(near, [1.0, 0.5**0.5], atol=1e-6)
    table = matches.match_table(
        {"meta": [near, near], "base": [np.array([0.1, 0.2, 0.3])]}, "base"
    ).set_index("kind")
    assert table.loc["meta", "value"] == pytest.approx(near.mean())
    assert table.loc["meta", "above"] == pytest.approx(near.mean() - 0.2)
    assert table["above"].isna().to_dict() == {"meta": False, "base": True}
    curve = matches.share_of_cosines([near], n_points=11).set_index("cosine")["share"]
    assert curve.loc[0.0] == 1.0
    assert curve.iloc[8] == 0.5


def test_more_meta_latents_on_than_there_are_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^k is 5 and the meta-SAE has 4 latents; allowed: k from 1 to 4\.$"
    ):
        check_recipe(MetaRecipe(n_latents=4, k=5))
    with pytest.raises(ValueError, match=r"^k is 0 and the meta-SAE has 4 latents"):
        train_meta(UNIT, MetaRecipe(n_latents=4, k=0))


def test_as_many_meta_latents_as_rows_are_refused() -> None:
    said = r"^a meta-SAE of 12 latents is asked of SAE 'x', which has 8 decoder rows; allowed: fewer"
    with pytest.raises(ValueError, match=said):
        meta_width(1.5, 8, "x")
    with pytest.raises(ValueError, match="of 8 latents is asked of SAE 'x', which has 8 decoder rows"):
        train_meta(UNIT, MetaRecipe(n_latents=8), "x")
    assert meta_width(2304 / 49152, 8192, "x") == 384
    assert meta_width(0.25, 8193, "x") == 2049


def test_a_row_without_a_direction_is_refused() -> None:
    decoder = UNIT[:3].clone()
    decoder[1] = 0
    with pytest.raises(
        ValueError, match=r"^SAE 'bad' has 1 of 3 decoder rows of norm 0, the first that of latent 1;"
    ):
        directions(make_sae("bad", UNIT[:3], decoder))

"""Training is seeded, cached under all its inputs, and saved in the form that was trained."""

from pathlib import Path

import pytest
import torch

from absorption.base import cache
from absorption.toy import architectures, measure
from absorption.toy import train as training
from absorption.toy.recipes import BATCH_SIZE, Recipe, fast, paper
from absorption.toy.train import Run, train, train_all, train_settled
from absorption.toy.worlds import World, four_features

WORLD = four_features(hierarchy=True)
SHORT = 30 * BATCH_SIZE
ARCHITECTURES = ["standard", "tied", "gated", "jumprelu", "topk", "batchtopk", "matryoshka", "orthogonal"]


def recipe(architecture: str, n_samples: int = SHORT) -> Recipe:
    by_k = architecture in ("topk", "batchtopk", "matryoshka", "orthogonal")
    levels = (2, 4) if architecture == "matryoshka" else ()
    strength = 1.0 if by_k else 0.01
    return fast(architecture, 4, strength, n_samples, levels=levels, orthogonality=0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_trains_and_has_unit_decoder_rows(architecture: str) -> None:
    sae = train(Run(WORLD, recipe(architecture)))
    norms = sae.W_dec.norm(dim=1)
    assert torch.allclose(norms, torch.ones(4), atol=1e-5)
    assert not any(parameter.requires_grad for parameter in sae.parameters())


@pytest.mark.parametrize("architecture", ["standard", "tied", "gated", "jumprelu", "topk"])
def test_the_saved_form_computes_what_was_trained(architecture: str) -> None:
    torch.manual_seed(0)
    trained = recipe(architecture).build(WORLD.d_in)
    for parameter in trained.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)  # so that no part is at its trivial start
    state = {name: tensor.detach().clone() for name, tensor in trained.state_dict().items()}
    trained.process_state_dict_for_saving_inference(state)
    saved = training._inference_form(recipe(architecture), WORLD.d_in, state)
    x = WORLD.sample(500, 0) @ WORLD.directions
    expected = trained.decode(trained.encode(x)).detach()
    assert expected.norm() > 1
    assert torch.allclose(saved(x), expected, atol=1e-4)


def test_tied_weights_read_with_what_they_write() -> None:
    sae = train(Run(WORLD, recipe("tied")))
    cosines = torch.nn.functional.cosine_similarity(sae.W_enc.T, sae.W_dec, dim=1)
    assert torch.allclose(cosines, torch.ones(4), atol=1e-5)


def test_the_orthogonality_penalty_is_the_mean_squared_largest_cosine() -> None:
    rows = torch.tensor([[1.0, 0.0], [2.0, 2.0], [0.0, -3.0]])
    assert architectures.largest_cosines(rows).tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0.0], abs=1e-6)


def test_the_orthogonality_penalty_changes_the_decoder() -> None:
    runs = [Run(WORLD, recipe("orthogonal").changed(orthogonality=weight)) for weight in (0.0, 10.0)]
    free, pushed = train_all(runs, workers=1)
    assert (
        architectures.largest_cosines(pushed.W_dec).mean() < architectures.largest_cosines(free.W_dec).mean()
    )


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(own_cache: Path) -> None:
    first = train(Run(WORLD, recipe("standard"), seed=1)).W_dec
    for path in own_cache.rglob("*.safetensors"):
        path.unlink()
    assert torch.equal(first, train(Run(WORLD, recipe("standard"), seed=1)).W_dec)
    assert not torch.equal(first, train(Run(WORLD, recipe("standard"), seed=2)).W_dec)


def test_a_second_call_trains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(WORLD, recipe("standard"))
    first = train(run).W_dec
    monkeypatch.setattr(training, "fit_together", lambda *_: pytest.fail("trained again"))
    assert torch.equal(first, train(run).W_dec)


def test_a_damaged_entry_is_trained_again(own_cache: Path) -> None:
    run = Run(WORLD, recipe("standard"))
    first = train(run).W_dec
    entry = next(own_cache.rglob("*.safetensors"))
    entry.write_bytes(entry.read_bytes()[:50])
    assert torch.equal(first, train(run).W_dec)


def test_every_field_is_part_of_the_key() -> None:
    run = Run(WORLD, recipe("standard"))
    others = [
        Run(WORLD, recipe("standard"), seed=1),
        Run(WORLD, recipe("standard").changed(lr=1e-4)),
        Run(WORLD, recipe("standard").changed(lr_decay=0.1)),
        Run(four_features(hierarchy=True, p_parent=0.9), recipe("standard")),
        Run(World(rates=WORLD.rates, parents=WORLD.parents, seed=1), recipe("standard")),
    ]
    keys = {cache.key_of(other.inputs()) for other in [run, *others]}
    assert len(keys) == len(others) + 1


def test_workers_give_the_same_weights_in_the_order_asked_for(own_cache: Path) -> None:
    runs = [Run(WORLD, recipe("standard"), seed) for seed in (3, 1, 2)]
    parallel = [sae.W_dec for sae in train_all(runs, workers=2)]
    for path in own_cache.rglob("*.safetensors"):
        path.unlink()
    alone = [sae.W_dec for sae in train_all(runs, workers=1)]
    assert all(torch.equal(one, other) for one, other in zip(parallel, alone, strict=True))


def test_a_recipe_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1024 samples"):
        paper(n_samples=10)


def test_an_sae_whose_bias_took_a_feature_in_is_trained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []

    def stuck_at_first(world: World, recipes: list[Recipe], seed: int) -> list[dict[str, torch.Tensor]]:
        trained.append(seed)
        sae = recipes[0].build(world.d_in)
        state = {name: tensor.detach().clone() for name, tensor in sae.state_dict().items()}
        if seed < 1000:
            state["b_dec"] = world.directions[0].clone()
        return [state]

    monkeypatch.setattr(training, "fit_together", stuck_at_first)
    saes = train_settled([Run(WORLD, recipe("standard"), 4), Run(WORLD, recipe("standard"), 5)], workers=1)
    assert trained == [4, 5, 1004, 1005]
    assert all(training.has_settled(sae) for sae in saes)


def test_absorption_appears_with_the_hierarchy_and_not_without_it() -> None:
    settled = fast("standard", 4, 0.01, 4_000_000)
    independent, hierarchy = train_settled(
        [Run(four_features(hierarchy=False), settled), Run(WORLD, settled)], workers=2
    )
    own = measure.cosines(independent, four_features(hierarchy=False)).query(
        "side == 'decoder' and latent == feature"
    )
    assert own["cosine"].min() > 0.99
    row = measure.absorption(hierarchy, WORLD).iloc[0]
    assert row["absorbed"] > 0.95
    assert row["silent"] > 0.95
    assert row["hedged"] < 0.02

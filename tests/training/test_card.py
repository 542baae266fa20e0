"""What a card says, recomputed by hand on SAEs whose quality is known."""

import json
from pathlib import Path

import pytest
import torch
from sae_lens import StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata
from tests.ablation.architectures import tiny_model
from tests.training.tiny import RECIPE

from absorption.base.cache import file_sha256
from absorption.models.hooks import resolve_site
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.training.card import cross_entropy_recovered, machine, quality, rows_of, write_card

HOOK = "blocks.1.hook_resid_post"
D = 32


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_model("llama", dtype=torch.float32)[0]


@pytest.fixture(scope="module")
def tokens(model: LanguageModel) -> torch.Tensor:
    """Windows drawn from the model itself: on other text a random model predicts worse than by its mean."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.full((16, 1), 1)
    with torch.no_grad():
        for _ in range(11):
            chances = model.hf(drawn).logits[:, -1].softmax(-1)
            drawn = torch.cat([drawn, torch.multinomial(chances, 1, generator=generator)], dim=1)
    return drawn


def sae_of(W_enc: torch.Tensor, W_dec: torch.Tensor, b_dec: torch.Tensor) -> LoadedSae:
    """A ReLU SAE with these weights and no encoder bias."""
    metadata = SAEMetadata(hook_name=HOOK)
    config = StandardSAEConfig(
        d_in=len(W_enc), d_sae=len(W_dec), dtype="float32", metadata=metadata, apply_b_dec_to_input=True
    )
    sae = StandardSAE(config)
    with torch.no_grad():
        sae.W_enc.copy_(W_enc)
        sae.W_dec.copy_(W_dec)
        sae.b_dec.copy_(b_dec)
    return LoadedSae("by hand", sae.requires_grad_(False), resolve_site(HOOK, 4))


def perfect() -> LoadedSae:
    """Each dimension's positive and negative part has a latent: the output is the input."""
    both = torch.cat([torch.eye(D), -torch.eye(D)])
    return sae_of(both.T, both, torch.zeros(D))


def constant(value: torch.Tensor) -> LoadedSae:
    """No latent ever fires; the output is always ``value``."""
    return sae_of(torch.zeros(D, 4), torch.zeros(4, D), value)


def test_l0_explained_variance_and_firing_by_hand() -> None:
    # Latents: x if positive, y if positive, and -y if positive; the last one's decoder is half too short.
    sae = sae_of(
        torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, -1.0]]),
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -0.5]]),
        torch.zeros(2),
    )
    rows = torch.tensor([[1.0, 1.0], [1.0, -2.0], [0.0, 1.0], [2.0, 0.0]])
    found = quality(sae, rows, batch=3)
    assert found["l0"] == pytest.approx((2 + 2 + 1 + 1) / 4)
    assert found["fired"].tolist() == [3, 2, 1]
    # The only error is -2 rebuilt as -1; the mean is (1, 0), so x varies by 2 in all and y by 6.
    assert found["explained_variance"] == pytest.approx(1 - 1 / 8)


def test_a_perfect_sae_explains_all_and_a_constant_one_nothing() -> None:
    rows = torch.randn(50, D, generator=torch.Generator().manual_seed(0)) + 2
    assert quality(perfect(), rows)["explained_variance"] == pytest.approx(1, abs=1e-6)
    assert quality(constant(rows.mean(0)), rows)["explained_variance"] == pytest.approx(0, abs=1e-6)
    assert quality(constant(torch.zeros(D)), rows)["explained_variance"] < -1


def test_a_perfect_sae_recovers_the_loss_and_the_mean_recovers_none(
    model: LanguageModel, tokens: torch.Tensor
) -> None:
    found = cross_entropy_recovered(model, perfect(), tokens)
    assert found["loss_mean"] - found["loss_clean"] > 0.05  # or the shares below would mean nothing
    assert found["recovered"] == pytest.approx(1, abs=1e-3)
    mean = model.residual_stream(tokens[:8], HOOK)[:, 1:].flatten(0, 1).mean(0)
    assert cross_entropy_recovered(model, constant(mean), tokens)["recovered"] == pytest.approx(0, abs=1e-3)


def test_half_the_way_to_the_mean_costs_something_in_between(
    model: LanguageModel, tokens: torch.Tensor
) -> None:
    mean = model.residual_stream(tokens[:8], HOOK)[:, 1:].flatten(0, 1).mean(0)
    whole = perfect()
    half = sae_of(whole.W_enc, whole.W_dec / 2, mean)
    found = cross_entropy_recovered(model, half, tokens)
    assert found["loss_clean"] < found["loss_spliced"]
    assert found["recovered"] < 0.99


def test_the_clean_loss_is_the_models_own(model: LanguageModel, tokens: torch.Tensor) -> None:
    logits = model.hf(tokens).logits[:, :-1]
    by_hand = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    found = cross_entropy_recovered(model, perfect(), tokens)
    assert found["loss_clean"] == pytest.approx(float(by_hand), rel=1e-5)
    again = model.hf(tokens).logits[:, :-1]
    assert torch.equal(logits, again)  # no hook is left behind


def test_bos_is_not_replaced(model: LanguageModel, tokens: torch.Tensor) -> None:
    sae, seen = perfect(), []
    encode = sae.sae.encode
    sae.sae.encode = lambda x: seen.append(x.shape) or encode(x)  # type: ignore[method-assign]
    cross_entropy_recovered(model, sae, tokens[:8])
    assert seen == [(8, 11, D)]


def test_an_sae_on_the_embedding_has_no_block_to_splice_behind(
    model: LanguageModel, tokens: torch.Tensor
) -> None:
    sae = LoadedSae("embedding", perfect().sae, resolve_site("hook_embed", 4))
    with pytest.raises(ValueError, match="reads the embedding"):
        cross_entropy_recovered(model, sae, tokens)


def test_held_out_rows_leave_out_bos(model: LanguageModel, tokens: torch.Tensor) -> None:
    rows = rows_of(model, HOOK, tokens, batch=5)
    expected = model.residual_stream(tokens, HOOK)[:, 1:].flatten(0, 1)
    torch.testing.assert_close(rows, expected, rtol=1e-5, atol=1e-5)


def test_a_card_names_model_recipe_and_the_hash_of_its_weights(tmp_path: Path, model: LanguageModel) -> None:
    sae = perfect()
    sae.sae.save_model(tmp_path)
    write_card(tmp_path, RECIPE, model, trained={"seconds": 1.5}, measured={"dead_latents": 0}, sae=sae)
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["weights_sha256"] == file_sha256(tmp_path / "sae_weights.safetensors")
    assert card["weights_hash"] == sae.weights_hash
    assert (card["model"], card["model_weights_hash"]) == (model.name, model.weights_hash)
    assert card["recipe"] == RECIPE.to_dict()
    assert (card["training"], card["measured"]) == ({"seconds": 1.5}, {"dead_latents": 0})


def test_the_machine_is_described_without_its_name() -> None:
    import platform

    assert "cores" in machine()
    assert platform.node() not in machine() or platform.node() == ""

"""An SAE in any format on disk gives the numbers of a plain computation by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from sae_lens.registry import get_sae_training_class
from tests.ablation.architectures import tiny_model
from tests.saes import folders, plain
from tests.saes.plain import D_IN, D_SAE, PLAIN, K

from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL

HOOK = "blocks.1.hook_resid_post"


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_model("llama")[0]


def load(folder: Path, model: LanguageModel, **more: str) -> LoadedSae:
    return load_sae(LOCAL, "", model, path=str(folder), **more)


def assert_same(sae: LoadedSae, latents: torch.Tensor, output: torch.Tensor, x: torch.Tensor) -> None:
    share = float((latents > 0).float().mean())
    assert 0.02 < share < 0.98, "the example would not notice a wrong activation function"
    torch.testing.assert_close(sae.encode(x, batch=7), latents, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(sae.reconstruct(x), output, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", sorted(PLAIN))
@pytest.mark.parametrize("unit_norm", [True, False], ids=["unit norm", "any norm"])
@pytest.mark.parametrize("centred", [True, False], ids=["b_dec off the input", "input as it is"])
def test_a_saelens_folder_of_every_architecture(
    tmp_path: Path, model: LanguageModel, architecture: str, unit_norm: bool, centred: bool
) -> None:
    w = plain.weights(unit_norm=unit_norm)
    folder = folders.saelens(tmp_path / "sae", architecture, w, HOOK, apply_b_dec_to_input=centred)
    x = plain.inputs()
    latents = PLAIN[architecture](x, w, centred)
    sae = load(folder, model)
    assert_same(sae, latents, plain.decode(latents, w), x)
    torch.testing.assert_close(sae.W_dec, w["W_dec"])
    torch.testing.assert_close(sae.decoder_directions.norm(dim=1), torch.ones(D_SAE))


@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka_batchtopk"])
def test_batchtopk_and_matryoshka_as_saelens_trainer_saves_them(
    tmp_path: Path, model: LanguageModel, architecture: str
) -> None:
    """Trained with a threshold over the batch, used with a fixed one; decoder norms are folded in."""
    made: Any
    config: Any
    made, config = get_sae_training_class(architecture)
    more = {"matryoshka_widths": [16, D_SAE]} if "matryoshka" in architecture else {}
    trained = made(config(d_in=D_IN, d_sae=D_SAE, k=K, dtype="float32", device="cpu", **more))
    w = plain.weights()
    with torch.no_grad():
        for name in ("W_enc", "W_dec", "b_enc", "b_dec"):
            getattr(trained, name).copy_(w[name])
        trained.topk_threshold.fill_(3.0)
    trained.cfg.metadata.hook_name = HOOK
    trained.save_inference_model(tmp_path)
    x = plain.inputs()
    norms = w["W_dec"].norm(dim=1)
    before = ((x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]) * norms
    latents = torch.where(before > 3.0, before, 0)
    sae = load(tmp_path, model)
    assert_same(sae, latents, latents / norms @ w["W_dec"] + w["b_dec"], x)
    torch.testing.assert_close(sae.W_dec, w["W_dec"] / norms[:, None])


def test_topk_that_ranks_by_decoder_norm_has_its_norms_folded_in(
    tmp_path: Path, model: LanguageModel
) -> None:
    """Otherwise activation times decoder row would not be what a latent writes."""
    w = plain.weights()
    folder = folders.saelens(tmp_path / "sae", "topk", w, HOOK, rescale_acts_by_decoder_norm=True)
    x = plain.inputs()
    norms = w["W_dec"].norm(dim=1)
    scaled = {
        **w,
        "W_enc": w["W_enc"] * norms,
        "b_enc": w["b_enc"] * norms,
        "W_dec": w["W_dec"] / norms[:, None],
    }
    latents = plain.topk(x, scaled)
    sae = load(folder, model)
    assert_same(sae, latents, plain.decode(latents, scaled), x)
    torch.testing.assert_close(
        sae.encode(x) @ sae.W_dec + w["b_dec"], sae.reconstruct(x), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("how", ["layer_norm", "constant_norm_rescale"])
def test_an_sae_that_rescales_its_input_has_activations_in_units_of_the_stream(
    tmp_path: Path, model: LanguageModel, how: str
) -> None:
    w = plain.weights()
    folder = folders.saelens(tmp_path / "sae", "standard", w, HOOK, normalize_activations=how)
    x = plain.inputs()
    if how == "layer_norm":
        mean, scale = x.mean(1, keepdim=True), x.std(1, keepdim=True)
        given = (x - mean) / (scale + 1e-5)
    else:
        mean, scale = torch.zeros(1), x.norm(dim=1, keepdim=True) / D_IN**0.5
        given = x / scale
    latents = plain.standard(given, w)
    assert_same(load(folder, model), latents * scale, plain.decode(latents, w) * scale + mean, x)


def test_an_sae_made_for_a_centred_stream_is_given_one(tmp_path: Path, model: LanguageModel) -> None:
    """TransformerLens takes the mean over dimensions out of GPT-2's stream; ``gpt2-small-res-jb`` was made so."""
    w = plain.weights()
    kwargs = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    folder = folders.saelens(tmp_path / "sae", "standard", w, HOOK, metadata=kwargs)
    x = plain.inputs()
    mean = x.mean(1, keepdim=True)
    assert float(mean.abs().min()) > 0
    latents = plain.standard(x - mean, w)
    assert_same(load(folder, model), latents, plain.decode(latents, w) + mean, x)


@pytest.mark.parametrize("how", ["expected_average_only_in", "covariance_whitening"])
def test_an_sae_whose_scale_is_not_in_its_files_is_refused(
    tmp_path: Path, model: LanguageModel, how: str
) -> None:
    folder = folders.saelens(tmp_path / "sae", "standard", plain.weights(), HOOK, normalize_activations=how)
    with pytest.raises(ValueError, match=f"'{how}', which its files do not hold; fold the scale"):
        load(folder, model)


def test_an_old_saelens_folder(tmp_path: Path, model: LanguageModel) -> None:
    w = plain.weights()
    sae = load(folders.saelens_old(tmp_path / "sae", w, "blocks.1.hook_resid_pre"), model)
    x = plain.inputs()
    latents = plain.standard(x, w)
    assert_same(sae, latents, plain.decode(latents, w), x)
    assert sae.site.depth == 1


def test_an_old_topk_config_becomes_topk(tmp_path: Path, model: LanguageModel) -> None:
    w = plain.weights()
    more = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}}
    sae = load(folders.saelens_old(tmp_path / "sae", w, HOOK, **more), model)
    x = plain.inputs()
    latents = plain.topk(x, w)
    assert_same(sae, latents, plain.decode(latents, w), x)


def test_a_gemma_scope_folder(tmp_path: Path, model: LanguageModel) -> None:
    w = plain.weights(unit_norm=True)
    sae = load(folders.gemma_scope(tmp_path / "layer_2" / "width_16k" / "average_l0_59", w), model)
    x = plain.inputs()
    latents = plain.jumprelu(x, w, centred=False)
    assert_same(sae, latents, plain.decode(latents, w), x)
    assert sae.hook_name == "blocks.2.hook_resid_post"


def test_a_gemma_scope_file_in_a_folder_of_another_name_asks_for_the_hook(
    tmp_path: Path, model: LanguageModel
) -> None:
    folder = folders.gemma_scope(tmp_path / "mine", plain.weights())
    with pytest.raises(ValueError, match="does not say which hook it reads; set hook_name"):
        load(folder, model)
    assert load(folder, model, hook_name=HOOK).hook_name == HOOK


def test_a_gemma_scope_2_folder(tmp_path: Path, model: LanguageModel) -> None:
    w = plain.weights()
    sae = load(folders.gemma_scope_2(tmp_path / "sae", w, layer=2), model)
    x = plain.inputs()
    latents = plain.jumprelu(x, w, centred=False)
    assert_same(sae, latents, plain.decode(latents, w), x)
    assert sae.hook_name == "blocks.2.hook_resid_post"


def by_hand(kind: str, x: torch.Tensor, w: plain.Weights) -> torch.Tensor:
    """dictionary_learning's classes as their own code has them."""
    one = {**w, "threshold": torch.full((D_SAE,), 0.8)}
    return {
        "AutoEncoder": lambda: plain.standard(x, w),
        "GatedAutoEncoder": lambda: plain.gated(x, w),
        "AutoEncoderTopK": lambda: plain.topk(x, w),
        "BatchTopKSAE": lambda: plain.jumprelu(x, one),
        "MatryoshkaBatchTopKSAE": lambda: plain.jumprelu(x, one),
        "JumpReluAutoEncoder": lambda: plain.jumprelu(x, w, centred=False),
    }[kind]()


KINDS = [
    "AutoEncoder", "GatedAutoEncoder", "AutoEncoderTopK", "BatchTopKSAE", "MatryoshkaBatchTopKSAE",
    "JumpReluAutoEncoder",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_dictionary_learning_folder(tmp_path: Path, model: LanguageModel, kind: str) -> None:
    w = plain.weights()
    sae = load(folders.dictionary_learning(tmp_path / "sae", kind, w, layer=2), model)
    x = plain.inputs()
    latents = by_hand(kind, x, w)
    assert_same(sae, latents, plain.decode(latents, w), x)
    assert sae.hook_name == "blocks.2.hook_resid_post"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_halved_weights_give_the_numbers_of_halved_arithmetic(
    tmp_path: Path, model: LanguageModel, dtype: str
) -> None:
    halved = getattr(torch, dtype)
    w = {name: value.to(halved) for name, value in plain.weights().items()}
    folder = folders.saelens(tmp_path / "sae", "jumprelu", w, HOOK, dtype=dtype)
    x = plain.inputs()
    in_half = plain.jumprelu(x.to(halved), w)
    torch.testing.assert_close(load(folder, model, dtype=dtype).encode(x), in_half.float())
    whole = {name: value.float() for name, value in w.items()}
    torch.testing.assert_close(load(folder, model).encode(x), plain.jumprelu(x, whole), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("hook", "depth"), [("blocks.1.hook_resid_pre", 1), (HOOK, 2), ("hook_embed", 0)])
def test_before_a_block_and_after_the_one_below_are_the_same_place(
    tmp_path: Path, model: LanguageModel, hook: str, depth: int
) -> None:
    folder = folders.saelens(tmp_path / "sae", "standard", plain.weights(), hook)
    assert load(folder, model).site.depth == depth


def test_a_training_checkpoint_says_how_to_save_the_sae(tmp_path: Path, model: LanguageModel) -> None:
    folder = folders.saelens(tmp_path / "sae", "standard", plain.weights(), HOOK)
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps({**config, "architecture": "batchtopk"}))
    with pytest.raises(
        ValueError, match="training checkpoint; save the SAE with SAELens' save_inference_model"
    ):
        load(folder, model)


def test_a_transcoder_is_refused(tmp_path: Path, model: LanguageModel) -> None:
    folder = folders.saelens(tmp_path / "sae", "standard", plain.weights(), HOOK, apply_b_dec_to_input=False)
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps({**config, "architecture": "transcoder", "d_out": D_IN}))
    with pytest.raises(ValueError, match="has architecture 'transcoder'; allowed: standard"):
        load(folder, model)


def test_an_sae_of_another_place_than_the_residual_stream_is_refused(
    tmp_path: Path, model: LanguageModel
) -> None:
    folder = folders.dictionary_learning(tmp_path / "sae", "AutoEncoder", plain.weights(), layer=1)
    config = json.loads((folder / "config.json").read_text())
    config["trainer"]["submodule_name"] = "mlp_out_layer_1"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="reads 'mlp_out_layer_1'; allowed: the residual stream"):
        load(folder, model)

"""Whatever of an SAE's configuration changes an output changes the cache's key, and nothing else does."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from sae_lens.registry import get_sae_class, get_sae_training_class
from sae_lens.saes.sae import SAEMetadata
from safetensors.torch import load_file, save_file
from tests.ablation.architectures import tiny_model

from absorption.latents.sparse import encode_words
from absorption.models.language_model import DTYPES, LanguageModel
from absorption.saes.formats import ARCHITECTURES, IN_TRAINING
from absorption.saes.identity import NOT_DECISIVE
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL

D_IN, D_SAE, K = 32, 96, 32
HOOK = "blocks.1.hook_resid_post"
WEIGHTS = "sae_weights.safetensors"
UNTRIED = {
    "d_in": "the weights' shapes, which the hash of the weights holds, allow one value only",
    "d_sae": "likewise",
    "device": "a test machine has one",
    "reshape_activations": "the residual stream has no heads, so the other value has no output",
}
"""Fields that cannot be changed with the same weights on the same machine, and why."""
MORE_VALUES = {"normalize_activations": ["constant_norm_rescale"]}
"""Values that SAELens accepts without declaring them."""
CENTRED = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
KINDS = (*ARCHITECTURES, *IN_TRAINING)
pytestmark = pytest.mark.usefixtures("own_cache")


def inference_class(kind: str) -> Any:
    """The configuration that an SAE of this kind has once saved; BatchTopK and Matryoshka become JumpReLU."""
    return get_sae_class("jumprelu" if kind in IN_TRAINING else kind)[1]


FIELDS = [(kind, each.name) for kind in KINDS for each in dataclasses.fields(inference_class(kind))]


@cache
def model() -> LanguageModel:
    return tiny_model("llama")[0]


@cache
def acts() -> torch.Tensor:
    """Rows with a mean over dimensions, so that centring does something."""
    return torch.randn(60, D_IN, generator=torch.Generator().manual_seed(0)) + 0.5


def write(folder: Path, kind: str, **fields: Any) -> dict[str, Any]:
    """An SAE with random weights, written the way SAELens writes its kind. Returns its configuration."""
    given = {"d_in": D_IN, "d_sae": D_SAE, "metadata": SAEMetadata(hook_name=HOOK), **fields}
    if kind == "matryoshka_batchtopk":
        given["matryoshka_widths"] = [24, D_SAE]
    if kind in (*IN_TRAINING, "topk"):
        given.setdefault("k", K)
    made, config = (get_sae_training_class if kind in IN_TRAINING else get_sae_class)(kind)
    sae: Any = made(config(**given))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        if kind in IN_TRAINING:
            sae.topk_threshold.fill_(0.7)
    (sae.save_inference_model if kind in IN_TRAINING else sae.save_model)(folder)
    return json.loads((folder / "cfg.json").read_text())


def load(folder: Path, dtype: str = "float32") -> LoadedSae:
    return load_sae(LOCAL, "", model(), path=str(folder), dtype=dtype)


def load_changed(folder: Path, config: dict[str, Any], name: str, value: Any) -> LoadedSae | None:
    """The same weights with one field changed; None if they are refused."""
    (folder / "cfg.json").write_text(json.dumps(config | {name: value}))
    try:
        return load(folder, dtype=value if name == "dtype" else "float32")
    except ValueError:
        return None


def other_values(kind: str, name: str, value: Any) -> list[Any]:
    """What else a field could hold; a field of a type that is not known here is an error, so that it is thought of."""
    hint = get_type_hints(inference_class(kind))[name]
    if name == "metadata":
        return [value | CENTRED]
    if name == "dtype":
        found = list(DTYPES)
    elif get_origin(hint) is Literal:
        found = [*get_args(hint), *MORE_VALUES.get(name, [])]
    elif hint is bool:
        found = [True, False]
    else:
        assert hint is int, f"{name} is of type {hint}: say here what else it could be"
        found = [1, K // 2, K + 1]
    return [other for other in found if other != value]


def same_outputs(one: LoadedSae, other: LoadedSae) -> bool:
    encoded, rebuilt = (
        torch.equal(function(one), function(other))
        for function in (lambda sae: sae.encode(acts()), lambda sae: sae.reconstruct(acts()))
    )
    return encoded and rebuilt


@pytest.mark.parametrize(("kind", "name"), [pair for pair in FIELDS if pair[1] not in UNTRIED])
def test_a_field_that_changes_an_output_changes_the_key(tmp_path: Path, kind: str, name: str) -> None:
    folder = tmp_path / "sae"
    config = write(folder, kind)
    first = load(folder)
    encode_words(first, acts())
    tried = []
    for value in other_values(kind, name, config[name]):
        other = load_changed(folder, config, name, value)
        if other is not None and not same_outputs(first, other):
            tried.append(value)
            assert other.identity != first.identity
            kept = encode_words(other, acts()).csr.to_dense()
            torch.testing.assert_close(kept, other.encode(acts()), rtol=0, atol=0)
    assert tried, f"no other value of {name} changes an output: nothing was tested"


def test_every_field_is_tried_or_has_a_reason() -> None:
    names = {name for _, name in FIELDS}
    assert set(UNTRIED) < names
    assert set(NOT_DECISIVE) <= names


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_cannot_be_tried_is_held_by_the_weights_or_has_no_output(
    tmp_path: Path, kind: str
) -> None:
    config = write(tmp_path, kind)
    for name, value in (("d_in", D_IN + 1), ("d_sae", D_SAE + 1), ("reshape_activations", "hook_z")):
        assert load_changed(tmp_path, config, name, value) is None


@pytest.mark.parametrize("kind", KINDS)
def test_where_an_sae_comes_from_and_where_it_is_does_not_count(tmp_path: Path, kind: str) -> None:
    config = write(tmp_path / "here", kind)
    first = load(tmp_path / "here")
    told = {"training_architecture_details": {"k": 7}, "l0": 7.0, "hook_name": "blocks.2.hook_resid_post"}
    config["metadata"] |= told
    other = load_changed((tmp_path / "here").rename(tmp_path / "there"), config, "device", "cpu")
    assert other is not None
    assert same_outputs(first, other)
    assert other.identity == first.identity


def test_one_changed_weight_changes_the_identity(tmp_path: Path) -> None:
    write(tmp_path, "topk")
    first, other = load(tmp_path), load(tmp_path)
    with torch.no_grad():
        other.W_dec[0, 0] += 1e-6
    assert first.configuration_hash == other.configuration_hash
    assert first.identity != other.identity


def test_the_same_weights_with_k_32_and_16_have_an_l0_of_32_and_16(tmp_path: Path) -> None:
    config = write(tmp_path, "topk")
    weights = load_file(tmp_path / WEIGHTS)
    save_file(weights | {"b_enc": torch.full((D_SAE,), 50.0)}, tmp_path / WEIGHTS)  # every latent could be on
    for k in (32, 16):
        sae = load_changed(tmp_path, config, "k", k)
        assert sae is not None
        assert encode_words(sae, acts()).l0.tolist() == [k] * len(acts())


@pytest.mark.parametrize("k", [0, -1, D_SAE + 1, 2.5, True, None, "32"])
def test_a_k_that_no_sae_can_have_is_refused(tmp_path: Path, k: Any) -> None:
    config = write(tmp_path, "topk")
    (tmp_path / "cfg.json").write_text(json.dumps(config | {"k": k}))
    with pytest.raises(
        ValueError, match=rf"has k {k!r}; allowed: a whole number from 1 to d_sae \({D_SAE}\)"
    ):
        load(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, kind: str, value: float) -> None:
    write(tmp_path, kind)
    whole = load_file(tmp_path / WEIGHTS)
    for part, weights in whole.items():
        damaged = weights.clone()
        damaged.view(-1)[3] = value
        save_file(whole | {part: damaged}, tmp_path / WEIGHTS)
        wanted = rf"has NaN or infinite values in {part} \(1 of {weights.numel():,}\)"
        with pytest.raises(ValueError, match=wanted) as caught:
            load(tmp_path)
        assert len(str(caught.value).splitlines()) == 1


def test_weights_that_are_too_large_for_the_type_asked_for_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "standard")
    whole = load_file(tmp_path / WEIGHTS)
    save_file(whole | {"b_dec": whole["b_dec"] + 1e6}, tmp_path / WEIGHTS)
    assert load(tmp_path, "bfloat16").d_sae == D_SAE
    with pytest.raises(ValueError, match=rf"values in b_dec \({D_IN} of {D_IN}\)"):
        load(tmp_path, "float16")

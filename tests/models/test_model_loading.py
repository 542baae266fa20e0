"""A model loads from a folder as it was saved; what cannot be loaded is one short error."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from tests.ablation.architectures import tiny_model

from absorption.base.devices import resolve_device
from absorption.models.embedded import EMBEDDED
from absorption.models.language_model import LanguageModel, load_model

TOKENS = torch.arange(40, 64).reshape(2, 12)


@cache
def tiny() -> LanguageModel:
    """A tiny model with random weights."""
    return tiny_model("llama", dtype=torch.float32)[0]


def _is_short(error: BaseException) -> bool:
    return len(str(error).splitlines()) <= 2


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder written by ``save_pretrained``."""
    folder = tmp_path_factory.mktemp("saved")
    tiny_model("llama", dtype=torch.float32)[1].save_pretrained(folder)
    tiny().tokenizer.save_pretrained(folder)
    return folder


def test_a_local_folder_loads_as_the_model_that_was_saved(saved: Path) -> None:
    model, original = load_model(str(saved), "cpu"), tiny()
    hook = "blocks.3.hook_resid_post"
    assert torch.equal(model.residual_stream(TOKENS, hook), original.residual_stream(TOKENS, hook))
    assert model.tokenizer_hash == original.tokenizer_hash
    assert load_model(str(saved), "cpu", "bfloat16").dtype == torch.bfloat16


def _cut(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "has no config.json; save it with save_pretrained"),
        (lambda folder: _cut(folder / "config.json"), "not a valid JSON file.*Allowed"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "no-such"}'), "no-such.*Allowed"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "t5"}'), "T5Config.*Allowed"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no file named model.safetensors.*Allowed"),
        (lambda folder: _cut(folder / "model.safetensors"), "is damaged or not a causal.*Allowed"),
        (lambda folder: _cut(folder / "tokenizer.json"), "is damaged or not a causal.*Allowed"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.*Allowed"),
    ],
    ids=["no config", "cut config", "unknown type", "encoder-decoder", "no weights", "cut weights",
         "cut tokenizer", "no tokenizer"],
)  # fmt: skip
def test_a_damaged_folder_is_one_short_error(
    saved: Path, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    damage(folder)
    with pytest.raises((ValueError, ConnectionError), match=message) as caught:
        load_model(str(folder), "cpu")
    assert repr(str(folder)) in str(caught.value)
    assert _is_short(caught.value)


@pytest.mark.parametrize("name", ["no-such/model", "no such model", "./no/such/folder"])
def test_an_unknown_model_is_named_with_the_ways_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        ConnectionError, match=f"Allowed: '{EMBEDDED}', a folder .*, or a Hugging Face id"
    ) as caught:
        load_model(name, "cpu")
    assert repr(name) in str(caught.value)
    assert _is_short(caught.value)


def test_an_unknown_dtype_is_named_with_those_allowed() -> None:
    with pytest.raises(
        ValueError, match="dtype 'int8' is unknown; allowed: float32, bfloat16, float16"
    ) as caught:
        load_model(dtype="int8")
    assert _is_short(caught.value)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", ""])
def test_an_unknown_device_is_named_with_those_allowed(device: str) -> None:
    with pytest.raises(ValueError, match="Allowed: auto, cpu, cuda") as caught:
        load_model(device=device)
    assert f"device {device!r} is not available" in str(caught.value)
    assert _is_short(caught.value)


def test_auto_is_a_device_of_this_machine() -> None:
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == torch.device("cpu")

"""Files of strangers: nothing in them is executed, and pages show their texts as text."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import save_file
from tests.ablation.architectures import tiny_model
from tests.saes import folders, plain
from tests.saes.models import save_model

from absorption.base.settings import SaeSettings
from absorption.models.before_loading import model_size
from absorption.models.language_model import LanguageModel, load_model
from absorption.saes import archives, headers, preflight
from absorption.saes.loader import load_sae
from absorption.saes.shipped import LOCAL

HOOK = "blocks.1.hook_resid_post"


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_model("llama")[0]


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "somebody was here"


def refused(folder: Path, model: LanguageModel) -> str:
    with pytest.raises(ValueError, match="could not be read") as caught:
        load_sae(LOCAL, "", model, path=str(folder))
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def test_the_bomb_goes_off_where_pickles_are_trusted(mark: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(mark)))
    assert mark.exists()


def test_weights_that_are_a_pickle_are_not_unpickled(
    tmp_path: Path, model: LanguageModel, mark: Path
) -> None:
    folder = folders.saelens(tmp_path / "sae", "standard", plain.weights(), HOOK)
    (folder / "sae_weights.safetensors").write_bytes(pickle.dumps(Bomb(mark)))
    refused(folder, model)
    torch.save({"W_enc": Bomb(mark)}, folder / "sae_weights.safetensors")
    refused(folder, model)
    assert not mark.exists()


def test_an_ae_pt_that_holds_more_than_tensors_is_refused(
    tmp_path: Path, model: LanguageModel, mark: Path
) -> None:
    folder = folders.dictionary_learning(tmp_path / "sae", "AutoEncoder", plain.weights(), layer=1)
    torch.save({"encoder.weight": Bomb(mark)}, folder / "ae.pt")
    said = refused(folder, model)
    assert "a pickle with more than tensors in it" in said
    assert "weights_only" not in said
    assert "nothing in it was executed" in said
    assert not mark.exists()


def test_an_npz_with_objects_is_refused(tmp_path: Path, model: LanguageModel, mark: Path) -> None:
    folder = tmp_path / "layer_1"
    folder.mkdir()
    np.savez(folder / "params.npz", W_enc=np.array([Bomb(mark)], dtype=object))
    refused(folder, model)
    assert not mark.exists()


@pytest.mark.parametrize("architecture", ["os.system", "../../sae", "__import__('os')", 3])
def test_a_config_that_names_a_class_or_a_path_is_refused(
    tmp_path: Path, model: LanguageModel, architecture: object
) -> None:
    folder = folders.saelens(tmp_path / "sae", "standard", plain.weights(), HOOK)
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps({**config, "architecture": architecture}))
    with pytest.raises(ValueError, match="sae_path"):
        load_sae(LOCAL, "", model, path=str(folder))


def test_a_dictionary_class_of_ones_own_is_not_looked_up(tmp_path: Path, model: LanguageModel) -> None:
    folder = folders.dictionary_learning(tmp_path / "sae", "AutoEncoder", plain.weights(), layer=1)
    config = json.loads((folder / "config.json").read_text())
    config["trainer"]["dict_class"] = "os.system"
    (folder / "config.json").write_text(json.dumps(config))
    assert "dict_class 'os.system'; allowed: AutoEncoder" in refused(folder, model)


def test_a_models_own_code_is_never_run(tmp_path: Path, mark: Path) -> None:
    folder = save_model("llama", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"import os\nos.mkdir({str(mark)!r})\n")
    with pytest.raises((ValueError, ConnectionError)) as caught:
        load_model(str(folder), "cpu")
    assert len(str(caught.value).splitlines()) <= 2
    assert not mark.exists()


def test_a_models_weights_that_are_a_pickle_are_not_unpickled(tmp_path: Path, mark: Path) -> None:
    folder = save_model("llama", tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({"x": Bomb(mark)}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="damaged or not a causal language model") as caught:
        load_model(str(folder), "cpu")
    assert len(str(caught.value).splitlines()) <= 2
    assert "weights_only" not in str(caught.value)
    assert not mark.exists()


WEIGHTS = "sae_weights.safetensors"
LONG = 200_000
"""Brackets that are opened and never closed."""


def with_header(header: bytes, length: int | None = None) -> Callable[[Path], object]:
    """Writes a safetensors file with this header; ``length`` is what the file says of it."""
    start = struct.pack("<Q", len(header) if length is None else length)
    return lambda folder: (folder / WEIGHTS).write_bytes(start + header + b"x" * 400)


def sparse_header(folder: Path) -> None:
    with (folder / WEIGHTS).open("wb") as handle:
        handle.write(struct.pack("<Q", 2 << 30))
        handle.truncate((2 << 30) + 100)


def config(**changes: object) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        content = json.loads((folder / "cfg.json").read_text())
        (folder / "cfg.json").write_text(json.dumps(content | changes))

    return write


@pytest.mark.parametrize(
    "harm",
    [
        sparse_header,
        with_header(b"{}", 1 << 62),
        with_header(b"[" * LONG),
        with_header(b"[1]"),
        with_header(b'{"W_enc": 3}'),
        with_header(b'{"W_enc": {"dtype": "F32", "shape": [32, 48], "data_offsets": []}}'),
        with_header(b'{"W_enc": {"dtype": "F32", "shape": [1000000000000, 48], "data_offsets": [0, 4]}}'),
        lambda folder: (folder / "cfg.json").write_text("[" * LONG),
        lambda folder: (folder / "cfg.json").write_bytes(b"\xff\xfe"),
        lambda folder: (folder / "cfg.json").write_text(f'{{"d_in": {"9" * 5000}}}'),
        config(d_sae=10**9),
        config(d_sae=[1]),
        config(metadata="a text"),
        lambda folder: save_file({"b": torch.ones(3)}, folder / WEIGHTS),
    ],
)
def test_a_header_or_a_config_is_not_taken_at_its_word(
    tmp_path: Path, model: LanguageModel, harm: Callable[[Path], object]
) -> None:
    folder = folders.saelens(tmp_path / "sae", "standard", plain.weights(), HOOK)
    harm(folder)
    refused(folder, model)
    with pytest.raises(ValueError, match=r"could not be read as SAELens: .") as caught:
        headers.read_header(folder)
    assert len(str(caught.value)) < 600


def npz(folder: Path, bomb: str, size: int) -> Path:
    """Gemma Scope's file; the zeros of one array take no room in it."""
    shapes = {"W_enc": (32, 48), "W_dec": (48, 32), "b_enc": (48,), "b_dec": (32,), "threshold": (48,)}
    shapes[bomb] = (32, size // 128) if bomb == "W_enc" else (size // 4,)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "params.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, shape in shapes.items():
            with archive.open(f"{name}.npy", "w") as handle:
                np.lib.format.write_array_header_1_0(
                    handle, {"descr": "<f4", "fortran_order": False, "shape": shape}
                )
                size = int(np.prod(shape)) * 4
                for start in range(0, size, 1 << 20):
                    handle.write(bytes(min(size - start, 1 << 20)))
    return folder


def in_a_child_with(megabytes: int, action: Callable[[], object]) -> str:
    """What an action ends with in a process that may take so much more memory than it has."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            most = psutil.Process().memory_info().vms + (megabytes << 20)
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            action()
            said = "done"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode()[:2000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as handle:
        said = handle.read()
    os.waitpid(pid, 0)
    return said


def test_a_zip_bomb_is_not_inflated(tmp_path: Path, model: LanguageModel) -> None:
    """240 MB of zeros, in a process that may take 100: where it would be read, memory would run out."""
    beside = npz(tmp_path / "layer_1" / "beside", "junk", 240 << 20)
    assert (beside / "params.npz").stat().st_size < 5 << 20
    load = lambda: load_sae(LOCAL, "", model, path=str(beside))  # noqa: E731
    assert in_a_child_with(100, load) == "done"  # an array that no SAE has is left alone
    inside = npz(tmp_path / "layer_1" / "inside", "W_enc", 8 << 20)
    assert "W_dec has shape 48 x 32" in refused(inside, model)
    with zipfile.ZipFile(beside / "params.npz") as archive:
        inflate = lambda: archive.read("junk.npy")  # noqa: E731
        assert in_a_child_with(100, inflate).startswith("MemoryError")


def test_weights_larger_than_the_memory_are_refused_before_they_are_read(
    tmp_path: Path, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders.gemma_scope(tmp_path / "layer_1", plain.weights())
    monkeypatch.setattr(archives.psutil, "virtual_memory", lambda: SimpleNamespace(available=4000))
    monkeypatch.setattr(np, "load", None)
    assert "params.npz becomes 0.0 GB in memory; 0.0 GB are free" in refused(folder, model)


def lying_array(folder: Path) -> None:
    with zipfile.ZipFile(folder / "params.npz", "w") as archive, archive.open("W_enc.npy", "w") as handle:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)}
        np.lib.format.write_array_header_1_0(handle, header)


def long_array_header(folder: Path) -> None:
    with zipfile.ZipFile(folder / "params.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("W_enc.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 50 << 20) + b" " * (50 << 20))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lying_array, "lack W_dec"),
        (long_array_header, "lack W_dec"),
        (lambda folder: (folder / "params.npz").write_bytes(b""), "no zip archive, or was cut off"),
        (lambda folder: np.save((folder / "params.npz").open("wb"), np.zeros(4)), "no zip archive"),
    ],
)
def test_an_npz_that_lies_is_refused(tmp_path: Path, model: LanguageModel, harm: Callable, said: str) -> None:
    folder = folders.gemma_scope(tmp_path / "layer_1", plain.weights())
    harm(folder)
    assert said in refused(folder, model)
    with pytest.raises(ValueError, match=r"\w"):
        archives.npz_shapes(folder / "params.npz", ["W_enc"])


def deflated(path: Path) -> None:
    whole = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as sink:
        for info in source.infolist():
            sink.writestr(info.filename, source.read(info))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            lambda path: torch.save({"encoder.weight": torch.ones(1, 1).expand(10**6, 10**6)}, path),
            "the file holds",
        ),
        (lambda path: torch.save([1, 2], path), "a mapping from names to tensors"),
        (lambda path: torch.save({"bias": 3}, path), "a mapping from names to tensors"),
        (deflated, "torch.save compresses nothing"),
        (lambda path: path.write_bytes(b""), "could not be read"),
    ],
)
def test_a_pt_file_that_would_grow_is_refused(
    tmp_path: Path, model: LanguageModel, harm: Callable, said: str
) -> None:
    folder = folders.dictionary_learning(tmp_path / "sae", "AutoEncoder", plain.weights(), layer=1)
    harm(folder / "ae.pt")
    assert said in refused(folder, model)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_hidden_layers": 10**6}, "layers 1,000,000; allowed: 1 to 1,000"),
        ({"num_hidden_layers": -1}, "layers -1; allowed"),
        ({"hidden_size": 10**9}, "width 1,000,000,000; allowed"),
        ({"num_hidden_layers": "x"}, "damaged or not a causal language model"),
        ({"num_attention_heads": 0}, "damaged or not a causal language model"),
        ({"model_type": ["a"]}, "damaged or not a causal language model"),
    ],
)
def test_a_models_config_is_not_taken_at_its_word(tmp_path: Path, changes: dict, said: str) -> None:
    folder = save_model("llama", tmp_path / "model")
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | changes))
    for ask in (model_size, load_model):
        with pytest.raises(ValueError, match=said) as caught:
            ask(str(folder))
        assert len(str(caught.value).splitlines()) <= 2


def test_a_model_whose_files_lack_layers_is_not_filled_with_random_numbers(tmp_path: Path) -> None:
    folder = save_model("llama", tmp_path / "model")
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"num_hidden_layers": 5}))
    with pytest.raises(ValueError, match="its files lack 9 of the weights that its config asks for"):
        load_model(str(folder), "cpu")


def test_a_hook_that_is_no_text_is_no_hook(tmp_path: Path) -> None:
    folder = folders.saelens(tmp_path / "sae", "standard", plain.weights(), HOOK)
    config(metadata={"hook_name": ["a"]})(folder)
    settings = SaeSettings(
        model=str(save_model("llama", tmp_path / "model")), sae_release=LOCAL, sae_path=str(folder), sae_id="",
        hook_name="", device="cpu", dtype="float32", n_words=0, seed=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="does not say which hook it reads"):
        preflight.check(settings)

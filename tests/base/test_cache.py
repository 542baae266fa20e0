"""A stage's result is kept under a key of all its inputs; nothing half-written is ever seen or left."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from absorption.base import cache

INPUTS = {"model": "abc", "seed": 0, "depth": 8}
TENSORS = {"acts": torch.arange(600.0).reshape(20, 30), "ids": torch.arange(7)}
TABLE = pd.DataFrame({"letter": list("abc") * 50, "f1": np.linspace(0, 1, 150)})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    return tmp_path


class Stage:
    """A computation that counts its calls."""

    def __init__(self, result: Any) -> None:
        self.result, self.calls = result, 0

    def __call__(self) -> Any:
        self.calls += 1
        return self.result


def _interrupted():
    raise KeyboardInterrupt


def _write_half(opened: AbstractContextManager[Path]) -> None:
    with opened as temporary:
        target = temporary / "new.txt" if temporary.is_dir() else temporary
        target.write_text("half")
        raise KeyboardInterrupt


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "other",
    [
        {**INPUTS, "model": "abd"},
        {**INPUTS, "seed": 1},
        {**INPUTS, "depth": "8"},
        {**INPUTS, "version": 1},
        {"model": "abc", "seed": 0},
    ],
)
def test_the_key_changes_with_any_input(other: dict[str, object]) -> None:
    assert cache.key_of(other) != cache.key_of(INPUTS)


def test_the_key_does_not_depend_on_the_inputs_order() -> None:
    assert cache.key_of(dict(reversed(INPUTS.items()))) == cache.key_of(INPUTS)


def test_an_input_that_cannot_be_part_of_a_key_is_refused() -> None:
    with pytest.raises(TypeError):
        cache.key_of({"path": Path("x")})
    with pytest.raises(ValueError, match="JSON compliant"):
        cache.key_of({"share": float("nan")})


@pytest.mark.parametrize(
    "other",
    [np.arange(6).reshape(3, 2), np.arange(6.0).reshape(2, 3), np.array([[0, 1, 2], [3, 4, 6]])],
    ids=["shape", "type", "value"],
)
def test_an_arrays_hash_changes_with_shape_type_and_values(other: np.ndarray) -> None:
    array = np.arange(6).reshape(2, 3)
    assert cache.array_hash(array) != cache.array_hash(other)
    assert cache.array_hash(array) == cache.array_hash(np.asfortranarray(array))


def test_tensors_are_computed_once_for_each_key() -> None:
    stage = Stage(TENSORS)
    for _ in range(2):
        found = cache.cached_tensors("stage", INPUTS, stage)
        assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)
    assert stage.calls == 1
    cache.cached_tensors("stage", {**INPUTS, "seed": 1}, stage)
    cache.cached_tensors("other-stage", INPUTS, stage)
    assert stage.calls == 3


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999, "garbage"])
def test_a_cut_off_tensor_file_is_computed_again_and_replaced(folder: Path, kept: float | str) -> None:
    cache.cached_tensors("stage", INPUTS, Stage(TENSORS))
    path = folder / "stage" / f"{cache.key_of(INPUTS)}.safetensors"
    whole = path.read_bytes()
    path.write_bytes(b"\xff" * 99 if isinstance(kept, str) else whole[: int(kept * len(whole))])
    again = Stage(TENSORS)
    assert torch.equal(cache.cached_tensors("stage", INPUTS, again)["acts"], TENSORS["acts"])
    assert again.calls == 1
    assert path.read_bytes() == whole


def test_an_interrupted_computation_leaves_nothing(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        cache.cached_tensors("stage", INPUTS, _interrupted)
    assert _files(folder) == []
    assert not cache.has_tensors("stage", INPUTS)


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(folder: Path) -> None:
    final = folder / "results" / "table.json"
    cache.write_json(final, {"f1": 0.5})
    before = final.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        _write_half(cache.atomic_path(final))
    assert _files(folder) == ["table.json"]
    assert final.read_bytes() == before
    with pytest.raises(ValueError, match="JSON compliant"):
        cache.write_json(final, {"f1": float("nan")})
    assert final.read_bytes() == before
    assert _files(folder) == ["table.json"]


def test_an_interrupted_folder_leaves_the_old_folder_and_nothing_else(folder: Path) -> None:
    final = folder / "models" / "tiny"
    with cache.atomic_folder(final) as temporary:
        (temporary / "old.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        _write_half(cache.atomic_folder(final))
    assert [path.name for path in (folder / "models").iterdir()] == ["tiny"]
    assert _files(folder) == ["old.txt"]


def test_a_new_folder_takes_the_old_ones_place_whole(folder: Path) -> None:
    final = folder / "models" / "tiny"
    for name in ("old.txt", "new.txt"):
        with cache.atomic_folder(final) as temporary:
            (temporary / name).write_text(name)
    assert [path.name for path in (folder / "models").iterdir()] == ["tiny"]
    assert _files(folder) == ["new.txt"]


def test_what_is_written_can_be_read_by_others(folder: Path) -> None:
    cache.write_text(folder / "a.txt", "a")
    with cache.atomic_folder(folder / "b"):
        pass
    assert (folder / "a.txt").stat().st_mode & 0o777 == 0o644
    assert (folder / "b").stat().st_mode & 0o777 == 0o755


def test_the_cache_is_where_the_environment_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.root() == folder
    monkeypatch.delenv("ABSORPTION_CACHE")
    assert cache.root().name == "absorption"

"""Whatever is stored and then damaged is computed again or refused by name, and never used."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.ablation.architectures import tiny_model
from tests.training.tiny import tiny_recipe, tiny_trainer

from absorption.base import cache, data, seals
from absorption.base.settings import DEFAULT_SAE
from absorption.saes.shipped import check_shipped
from absorption.training import harvest
from absorption.training.trainer import STATE_FILE

FLIPS = 40
"""Bits turned one at a time, at seeded places over the whole file."""
TENSORS = {"acts": torch.arange(600.0).reshape(20, 30), "ids": torch.arange(7)}
TABLE = pd.DataFrame({"letter": list("abc") * 50, "f1": np.linspace(0, 1, 150), "word": range(150)})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def damages(whole: bytes, seed: int = 0) -> list[bytes]:
    """The file with one bit turned, cut at ten places, and emptied."""
    places = random.Random(seed).sample(range(8 * len(whole)), FLIPS)
    flipped = []
    for place in places:
        copy = bytearray(whole)
        copy[place // 8] ^= 1 << place % 8
        flipped.append(bytes(copy))
    return [*flipped, *(whole[: len(whole) * part // 10] for part in range(10))]


def is_same(found: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


def test_damaged_tensors_are_computed_again(folder: Path) -> None:
    store = lambda seed, stage="stage": cache.cached_tensors(stage, {"seed": seed}, lambda: TENSORS)  # noqa: E731
    store(0)
    path = folder / "stage" / f"{cache.key_of({'seed': 0})}.safetensors"
    whole = path.read_bytes()
    for damage in damages(whole):
        path.write_bytes(damage)
        assert is_same(store(0))
        assert path.read_bytes() == whole


def test_an_entry_under_another_key_is_not_used(folder: Path) -> None:
    """The same shapes under a second key and in a second stage, and the files swapped."""
    paths = {}
    for stage, seed in (("stage", 0), ("stage", 1), ("other", 0)):
        made = {"x": torch.full((4,), float(seed) + 10 * (stage == "other"))}
        cache.cached_tensors(stage, {"seed": seed}, lambda made=made: made)
        paths[stage, seed] = folder / stage / f"{cache.key_of({'seed': seed})}.safetensors"
    for other in (("stage", 1), ("other", 0)):
        shutil.copy(paths[other], paths["stage", 0])
        found = cache.cached_tensors("stage", {"seed": 0}, lambda: {"x": torch.zeros(4)})
        assert torch.equal(found["x"], torch.zeros(4))


def test_a_damaged_table_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    seals.write_table(path, "mine", TABLE)
    pd.testing.assert_frame_equal(seals.read_table(path, "mine"), TABLE)
    whole = path.read_bytes()
    for damage in damages(whole):
        path.write_bytes(damage)
        try:
            pd.testing.assert_frame_equal(seals.read_table(path, "mine"), TABLE)  # a bit that says nothing
        except seals.Broken:
            pass
    path.write_bytes(whole)
    with pytest.raises(seals.Broken):
        seals.read_table(path, "another")


def test_training_does_not_go_on_from_a_damaged_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    whole = tiny_trainer(tmp_path / "run")
    whole.fit()
    expected = {name: value.clone() for name, value in whole.sae.state_dict().items()}
    stopped = tiny_trainer(tmp_path / "run")
    (tmp_path / "run" / STATE_FILE).unlink()
    stopped.stop_after = 14
    stopped.fit()
    checkpoint = (tmp_path / "run" / STATE_FILE).read_bytes()
    tried = damages(checkpoint)
    refused = 0
    for damage in [*tried[:4], *tried[FLIPS : FLIPS + 2]]:
        (tmp_path / "run" / STATE_FILE).write_bytes(damage)
        again = tiny_trainer(tmp_path / "run")
        again.fit()
        refused += "Training starts anew" in capsys.readouterr().out
        assert all(torch.equal(value, expected[name]) for name, value in again.sae.state_dict().items())
    assert refused >= 5
    (tmp_path / "run" / STATE_FILE).write_bytes(checkpoint)
    shutil.copytree(tmp_path / "run", tmp_path / "another")
    other = tiny_trainer(tmp_path / "another", tiny_recipe("topk", seed=5))
    other.fit()
    assert "is not what was written there. Training starts anew" in capsys.readouterr().out


def test_damaged_activations_are_stored_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harvest, "SHARD_WINDOWS", 8)
    model = tiny_model("llama", dtype=torch.float32)[0]
    tokens = torch.randint(35, 500, (20, 12), generator=torch.Generator().manual_seed(0))
    hook = "blocks.1.hook_resid_post"
    store = lambda: harvest.store_activations(model, hook, tokens, windows_key="t", batch_windows=4)  # noqa: E731
    stored = store()
    rows, place = np.array(stored.rows), folder / harvest.STAGE / stored.key
    for name in ("rows.npy", "rows.json"):
        whole = (place / name).read_bytes()
        for damage in damages(whole)[::6]:
            (place / name).write_bytes(damage)
            assert np.array_equal(store().rows, rows)
    for other in ("rows.npy", "rows.json"):
        (place / other).unlink()
    join = harvest._join
    monkeypatch.setattr(harvest, "_join", lambda shards, final: shards[1].write_bytes(b"x") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store()
    monkeypatch.setattr(harvest, "_join", join)
    assert np.array_equal(store().rows, rows)


HARMS: dict[str, Callable[[bytes], bytes]] = {
    "a bit": lambda whole: whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:],
    "cut": lambda whole: whole[: len(whole) // 2],
    "empty": lambda whole: b"",
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_shipped_sae_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    check_shipped(DEFAULT_SAE)
    shutil.copytree(data.data_root() / "saes" / DEFAULT_SAE, tmp_path / "saes" / DEFAULT_SAE)
    monkeypatch.setattr("absorption.saes.shipped.data_root", lambda: tmp_path)
    check_shipped(DEFAULT_SAE)
    weights = tmp_path / "saes" / DEFAULT_SAE / "sae_weights.safetensors"
    weights.write_bytes(HARMS[harm](weights.read_bytes()))
    with pytest.raises(ValueError, match=f"shipped SAE '{DEFAULT_SAE}' is damaged: .* git checkout -- "):
        check_shipped(DEFAULT_SAE)
    assert json.loads((tmp_path / "saes" / DEFAULT_SAE / "card.json").read_text())["sae_id"] == DEFAULT_SAE

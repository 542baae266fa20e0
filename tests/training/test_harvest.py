"""Activations for training: stored once, resumed from whole shards, without BOS and outliers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.ablation.architectures import tiny_model

from absorption.base import cache, seals
from absorption.models.language_model import LanguageModel
from absorption.training import harvest
from absorption.training.harvest import STAGE, keep_rows, store_activations

HOOK = "blocks.1.hook_resid_post"


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_model("llama", dtype=torch.float32)[0]


@pytest.fixture(autouse=True)
def small_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    monkeypatch.setattr(harvest, "SHARD_WINDOWS", 8)


def windows(n_windows: int = 20) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(35, 500, (n_windows, 12), generator=generator)
    tokens[:, 0] = 1
    return tokens


def store(model: LanguageModel, tokens: torch.Tensor):
    return store_activations(model, HOOK, tokens, windows_key="test", batch_windows=4)


def test_rows_are_the_residual_stream_in_order_without_bos(model: LanguageModel) -> None:
    tokens = windows()
    stored = store(model, tokens)
    expected = model.residual_stream(tokens, HOOK)[:, 1:].flatten(0, 1)
    assert stored.n_dropped == 20  # one BOS a window; random weights make no outliers
    found = stored.batch(np.arange(len(stored.rows)))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)  # stored as float16
    torch.testing.assert_close(stored.mean, expected.mean(0), rtol=1e-3, atol=1e-3)
    assert stored.rows.dtype == np.float16


def test_outliers_and_bos_are_dropped() -> None:
    acts = torch.ones(2, 4, 9)
    acts[0, 2] *= 5.1
    acts[1, 1] *= 4.9
    assert keep_rows(acts, median_norm=3.0).tolist() == [
        [False, True, False, True],
        [False, True, True, True],
    ]


def test_an_outlier_in_the_text_is_left_out_and_counted(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams, special = LanguageModel.residual_streams, 40

    def with_sink(self: LanguageModel, tokens: torch.Tensor, depths: list[int]) -> dict[int, torch.Tensor]:
        sink = torch.where((tokens == special)[..., None], 30.0, 1.0)
        return {depth: acts * sink for depth, acts in streams(self, tokens, depths).items()}

    monkeypatch.setattr(LanguageModel, "residual_streams", with_sink)
    tokens = windows()
    tokens[3, 5] = tokens[19, 11] = special
    n_special = int((tokens == special).sum())
    stored = store(model, tokens)
    assert stored.n_dropped == 20 + n_special
    assert len(stored.rows) == tokens.numel() - 20 - n_special


def test_an_interrupted_call_goes_on_from_its_last_whole_shard(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tokens = windows()
    whole = np.array(store(model, tokens).rows)
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "second"))
    save, written = seals.write_tensors, []

    def killed_in_the_third(path: Path, place: str, tensors: dict[str, torch.Tensor]) -> None:
        if len(written) == 2:
            path.write_bytes(b"half a shard")
            raise KeyboardInterrupt
        written.append(place)
        save(path, place, tensors)

    monkeypatch.setattr(seals, "write_tensors", killed_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        store(model, tokens)
    monkeypatch.setattr(seals, "write_tensors", save)
    left = sorted(path.name for path in (cache.root() / STAGE).rglob("*.*"))
    assert left == ["shard-00000.safetensors", "shard-00001.safetensors"]
    passes = count_passes(model, monkeypatch)
    resumed = store(model, tokens)
    # The median once more (4 windows), then only the last shard of 20 - 2 * 8 windows.
    assert passes == [4, 4]
    assert np.array_equal(resumed.rows, whole)
    assert sorted(path.name for path in (cache.root() / STAGE).rglob("*.*")) == ["rows.json", "rows.npy"]


def count_passes(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Windows of each forward pass from now on."""
    streams, passes = LanguageModel.residual_streams, []

    def counted(self: LanguageModel, tokens: torch.Tensor, depths: list[int]) -> dict[int, torch.Tensor]:
        passes.append(len(tokens))
        return streams(self, tokens, depths)

    monkeypatch.setattr(LanguageModel, "residual_streams", counted)
    return passes


def test_a_second_call_runs_no_model(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store(model, windows())
    passes = count_passes(model, monkeypatch)
    second = store(model, windows())
    assert passes == []
    assert np.array_equal(first.rows, second.rows)
    assert second.n_dropped == first.n_dropped


def test_products_in_bfloat16_move_rows_by_little_and_have_a_store_of_their_own(model: LanguageModel) -> None:
    tokens = windows()
    exact = store(model, tokens)
    rough = store_activations(model, HOOK, tokens, windows_key="test", batch_windows=4, products="bfloat16")
    assert rough.key != exact.key
    everywhere = np.arange(len(exact.rows))
    moved = (rough.batch(everywhere) - exact.batch(everywhere)).norm(dim=1) / exact.batch(everywhere).norm(
        dim=1
    )
    assert 1e-5 < moved.median() < 0.02


def test_several_hooks_in_one_pass_have_the_rows_that_each_would_have_alone(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = windows()
    hooks = [f"blocks.{layer}.hook_resid_post" for layer in (0, 1)]
    alone = {}
    for hook in hooks:
        monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / hook))
        found = store_activations(model, hook, tokens, windows_key="test", batch_windows=4)
        alone[hook] = (found.key, found.n_dropped, found.rows.copy())
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "together"))
    deepest = []
    streams = LanguageModel.residual_streams
    monkeypatch.setattr(
        LanguageModel,
        "residual_streams",
        lambda self, tokens, depths, **kw: (deepest.append(depths), streams(self, tokens, depths, **kw))[1],
    )
    found = {}
    for hook in hooks:
        found[hook] = store_activations(model, hook, tokens, windows_key="test", batch_windows=4, also=hooks)
    assert (
        len(deepest) == 1 + 5
    )  # the medians, then twenty windows by fours: the second hook asks for nothing
    assert all(depths == [1, 2] for depths in deepest)
    for hook in hooks:
        key, n_dropped, rows = alone[hook]
        assert (found[hook].key, found[hook].n_dropped) == (key, n_dropped)
        assert np.array_equal(found[hook].rows, rows)
    assert not list(tmp_path.rglob("together/**/shard-*"))


def test_one_hook_of_several_is_stored_already(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = windows()
    before = store(model, tokens)
    [kept] = [path for path in (cache.root() / STAGE).rglob("rows.npy") if path.parent.name == before.key]
    stamp = kept.stat().st_mtime_ns
    other = "blocks.0.hook_resid_post"
    store_activations(model, other, tokens, windows_key="test", batch_windows=4, also=[HOOK])
    assert kept.stat().st_mtime_ns == stamp

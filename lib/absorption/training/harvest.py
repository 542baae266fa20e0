"""Activations for training: the residual stream at one hook, stored once on disk and shared by all SAEs.

Rows are float16, in the order of the text; a training run reads them in a seeded random order of its own.
The BOS position and outlier positions (norm above ``OUTLIER_RATIO`` times the median, the attention sinks:
well under 1% of tokens) are left out: a few rows of six times the usual norm would rule the loss.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import cache, seals
from absorption.models.language_model import LanguageModel
from absorption.saes.headers import safetensors_shapes

OUTLIER_RATIO = 5.0
SHARD_WINDOWS = 512
STAGE = "training-activations"


@dataclass(frozen=True)
class StoredActivations:
    """Rows of a hook's activations on disk, with what is needed to centre them."""

    rows: np.ndarray
    """Memory map, float16, shape ``token d_model``."""
    mean: Float[Tensor, " d_model"]
    n_dropped: int
    """BOS and outlier positions left out."""
    key: str

    def batch(self, index: np.ndarray) -> Float[Tensor, "row d_model"]:
        """The rows at ``index`` as float32."""
        return torch.from_numpy(self.rows[index].astype(np.float32))


def keep_rows(acts: Float[Tensor, "window position d_model"], median_norm: float) -> Tensor:
    """Mask of positions that are trained on: not BOS, norm at most ``OUTLIER_RATIO`` medians."""
    keep = acts.norm(dim=-1) <= OUTLIER_RATIO * median_norm
    keep[:, 0] = False
    return keep


def store_activations(
    model: LanguageModel,
    hook_name: str,
    windows: Int[Tensor, "window position"],
    *,
    windows_key: str,
    batch_windows: int = 32,
    products: str = "float32",
    also: Iterable[str] = (),
) -> StoredActivations:
    """Store the activations of all windows; an interrupted call goes on from its last whole shard.

    Args:
        model: the language model.
        hook_name: where its residual stream is read.
        windows: token ids.
        windows_key: hash of ``windows``.
        batch_windows: windows a forward pass.
        products: precision of matrix products inside the model (``Recipe.harvest``); the residual stream is summed in
            the model's own.
        also: hooks that will be asked for later. If this one is not stored yet, the same pass stores those too: a pass
            as deep as the deepest instead of one for each. They get the rows that they would have got alone.
    """

    def key_at(hook: str) -> str:
        inputs = {
            "model": model.identity, "hook": hook, "windows": windows_key,
            "n": list(windows.shape), "outlier_ratio": OUTLIER_RATIO, "median_of": batch_windows, "version": 1,
        } | ({} if products == "float32" else {"products": products})  # fmt: skip
        return cache.key_of(inputs)

    def rows_at(hook: str) -> Path:
        return cache.root() / STAGE / key_at(hook) / "rows.npy"

    with ExitStack() as turns:
        hooks = sorted(
            {hook_name, *also}, key=key_at
        )  # in one order, so that two calls never wait for each other
        for hook in hooks:
            turns.enter_context(cache.turn(rows_at(hook)))  # two at once would take each other's shards away
        if not _is_whole(rows_at(hook_name)):
            missing = [hook for hook in hooks if hook == hook_name or not _is_whole(rows_at(hook))]
            medians = _median_norms(model, missing, windows[:batch_windows])
            folders = {hook: rows_at(hook).parent for hook in missing}
            shards = _store_shards(model, folders, windows, medians, batch_windows, products)
            for hook in missing:
                _join(shards[hook], rows_at(hook))
        for hook in hooks:  # also those of a call that was killed just here
            if rows_at(hook).exists():
                for shard in rows_at(hook).parent.glob("shard-*"):
                    shard.unlink()
    rows = np.load(rows_at(hook_name), mmap_mode="r")
    n_dropped = windows.numel() - rows.shape[0]
    return StoredActivations(rows=rows, mean=_mean(rows), n_dropped=n_dropped, key=key_at(hook_name))


def _is_whole(rows: Path) -> bool:
    """Whether the file is what was written there; one from before checksums has none, and its shape must do."""
    if not rows.exists():
        return False
    try:
        if not (record := rows.with_suffix(".json")).exists():
            return len(np.load(rows, mmap_mode="r")) > 0
        return json.loads(record.read_text(encoding="utf-8"))["sha256"] == cache.file_sha256(rows)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _residual_streams(model: LanguageModel, hooks: Iterable[str], tokens: Tensor) -> dict[str, Tensor]:
    depths = {hook: model.site(hook).depth for hook in hooks}
    streams = model.residual_streams(tokens, sorted(set(depths.values())))
    return {hook: streams[depth] for hook, depth in depths.items()}


def _median_norms(model: LanguageModel, hooks: Iterable[str], windows: Tensor) -> dict[str, float]:
    streams = _residual_streams(model, hooks, windows)
    return {hook: float(acts[:, 1:].norm(dim=-1).median()) for hook, acts in streams.items()}


def _store_shards(
    model: LanguageModel,
    folders: dict[str, Path],
    windows: Tensor,
    medians: dict[str, float],
    batch_windows: int,
    products: str,
) -> dict[str, list[Path]]:
    """Each hook's shards, in the order of the text."""
    n_shards = len(windows.split(SHARD_WINDOWS))
    shards = {
        hook: [folder / f"shard-{number:05d}.safetensors" for number in range(n_shards)]
        for hook, folder in folders.items()
    }
    with tqdm(total=windows.numel(), desc=f"Activations at {', '.join(folders)}", unit="tok") as bar:
        for number, chunk in enumerate(windows.split(SHARD_WINDOWS)):
            wanted = [hook for hook in folders if _read_shard(shards[hook][number]) is None]
            parts: dict[str, list[np.ndarray]] = {hook: [] for hook in wanted}
            for batch in chunk.split(batch_windows) if wanted else ():
                with torch.autocast(model.device.type, torch.bfloat16, enabled=products == "bfloat16"):
                    streams = _residual_streams(model, wanted, batch)
                for hook, acts in streams.items():
                    parts[hook].append(acts[keep_rows(acts, medians[hook])].to(torch.float16).cpu().numpy())
            for hook in wanted:
                path = shards[hook][number]
                with cache.atomic_path(path) as temporary:
                    rows = torch.from_numpy(np.concatenate(parts[hook]))
                    seals.write_tensors(temporary, _place(path), {"rows": rows})
            bar.update(chunk.numel())
    return shards


def _place(shard: Path) -> str:
    return f"{shard.parent.name}/{shard.stem}"


def _read_shard(path: Path) -> np.ndarray | None:
    """A shard's rows; None if there is none, or none that is whole."""
    try:
        return seals.read_tensors(path, _place(path))["rows"].numpy()
    except (SafetensorError, OSError, ValueError, KeyError):
        return None


def _join(shards: list[Path], final: Path) -> None:
    shapes = [safetensors_shapes(shard)["rows"] for shard in shards]
    shape = (sum(rows for rows, _ in shapes), shapes[0][1])
    with cache.atomic_path(final) as temporary:
        joined = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
        start = 0
        for shard in shards:
            array = seals.read_tensors(shard, _place(shard))["rows"].numpy()
            joined[start : start + len(array)] = array
            start += len(array)
        joined.flush()
        cache.write_json(final.with_suffix(".json"), {"sha256": cache.file_sha256(temporary)})


def _mean(rows: np.ndarray, n_rows: int = 200_000) -> Float[Tensor, " d_model"]:
    """Mean over evenly spaced rows: the same rows at every call."""
    step = max(1, len(rows) // n_rows)
    return torch.from_numpy(rows[::step].mean(axis=0, dtype=np.float64)).float()

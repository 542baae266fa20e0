"""Disk cache: one folder, one key for every input of a stage, atomic writes, damage is recomputed.

A stage's result is stored under ``<root>/<stage>/<key>`` where the key is a hash of *all* its inputs: the
``identity`` of a model or SAE (weights and configuration), hashes of arrays, parameters, the stage's version, and
the versions of the packages that compute. Device and machine are left out: they change a result by rounding only,
and a sweep's jobs on different machines share their work. Readers never see a half-written entry: everything is
written beside its final place and renamed into it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from absorption.base import locks, parts, seals, timing
from absorption.base.cache_root import root as root

if TYPE_CHECKING:  # it takes longer to import than a build in which nothing changed does otherwise
    import torch

PACKAGES = (
    "numpy", "sae-lens", "scikit-learn", "scipy", "tokenizers", "torch", "transformer-lens", "transformers",
)  # fmt: skip
"""Packages whose code decides stored results. All are in every key: which of them a stage calls is easily got wrong,
and versions are pinned, so within one environment nothing is computed twice."""
PAUSE = 0.1
"""Seconds between two looks whether another process has computed an entry."""


def key_of(inputs: Mapping[str, Any]) -> str:
    """16 hex digits that change when any input or any of ``PACKAGES`` does; inputs must be JSON values."""
    return json_hash({"inputs": inputs, "packages": versions()})


@cache
def versions() -> dict[str, str]:
    """Installed version of each of ``PACKAGES``."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def json_hash(value: Any) -> str:
    """16 hex digits of a JSON value; the order of a mapping's keys does not count."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """A temporary path beside ``final``; renamed to it on success, removed on any failure."""
    with parts.unfinished(final) as temporary:
        yield temporary
        temporary.chmod(0o644)  # temporary files are private; a cache or result is meant to be shared
        temporary.replace(final)


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """A temporary folder beside ``final``; swapped into its place on success, removed on any failure."""
    with parts.unfinished(final, folder=True) as temporary:
        yield temporary
        temporary.chmod(0o755)
        parts.swap(temporary, final)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, with a final newline."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def cached_tensors(
    stage: str, inputs: Mapping[str, Any], compute: Callable[[], dict[str, torch.Tensor]]
) -> dict[str, torch.Tensor]:
    """``compute()``'s named tensors, from disk when the same inputs were computed before.

    A file that is damaged (cut off, with a bit turned, another key's) is computed again and replaced.
    """
    place = f"{stage}/{key_of(inputs)}"
    path = root() / f"{place}.safetensors"
    if (found := _stored(path, place)) is not None:
        return found
    with turn(path) as waited:
        if waited and (found := _stored(path, place)) is not None:
            return found
        with timing.stage(stage):
            tensors = compute()
        with atomic_path(path) as temporary:
            seals.write_tensors(temporary, place, tensors)
    return tensors


_mine = threading.local()
"""``paths``: entries that this thread is computing."""


@contextmanager
def turn(path: Path) -> Iterator[bool]:
    """Wait while another process computes the same entry; gives whether one did.

    Where no lock can be had (a file system without, a folder that may not be written) nobody waits.
    """
    held: set[Path] = _mine.__dict__.setdefault("paths", set())
    if path in held:
        yield False
        return
    with ExitStack() as stack:
        waited = False
        while True:
            try:
                stack.enter_context(locks.hold(locks.beside(path), quiet=True))
            except locks.Held:
                waited = True
                time.sleep(PAUSE)
                continue
            except OSError:
                pass
            break
        held.add(path)
        stack.callback(held.discard, path)
        yield waited


def _stored(path: Path, place: str) -> dict[str, torch.Tensor] | None:
    """The tensors of an entry; None if there is none, or none that is whole."""
    from safetensors import SafetensorError

    if not path.exists():
        return None
    try:
        return seals.read_tensors(path, place)
    except (SafetensorError, OSError, ValueError):
        return None


def has_tensors(stage: str, inputs: Mapping[str, Any]) -> bool:
    """Whether ``cached_tensors`` would find an entry (it may still turn out damaged)."""
    return (root() / stage / f"{key_of(inputs)}.safetensors").exists()


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as parquet, atomically."""
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def array_hash(array: np.ndarray) -> str:
    """16 hex digits of an array's shape, type and values."""
    digest = hashlib.sha256(f"{array.shape}{array.dtype}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def tensors_hash(tensors: Mapping[str, torch.Tensor]) -> str:
    """16 hex digits of named tensors' shapes, types and values, in name order."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def csr_hash(csr: torch.Tensor) -> str:
    """16 hex digits of a sparse CSR matrix: its shape, the places of its entries, and their values."""
    parts = {"rows": csr.crow_indices(), "columns": csr.col_indices(), "values": csr.values()}
    return json_hash([list(csr.shape), tensors_hash(parts)])

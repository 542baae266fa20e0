"""Seconds and memory of the whole book, of each chapter and of each stage, measured in one fresh run."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from absorption.base import cache, timing
from absorption.runner import book, execute
from benchmarks import ablation, long, shared_prefix

COMPARISONS: tuple[Callable[[], dict[str, float]], ...] = (
    shared_prefix.measure, ablation.measure, long.measure,
)  # fmt: skip
"""What returns measured numbers by dotted key; speeds are ratios to a baseline of the same run."""


def measure(root: Path, output: Path, warm: bool = False) -> Path:
    """Build the book twice in a temporary folder and write ``output/bench.json``.

    The second build measures what remains when nothing changed.

    Args:
        root: the repository.
        output: where ``bench.json`` goes.
        warm: use the present cache; otherwise an empty one, into which only downloaded packages are put.

    Raises:
        RuntimeError: a notebook failed.
        BookError: the book could not be built.
    """
    with tempfile.TemporaryDirectory(prefix="absorption-bench-") as folder:
        fresh = {} if warm else {"ABSORPTION_CACHE": str(_fresh_cache(Path(folder) / "cache"))}
        with execute.environment(fresh):
            folders = book.Folders(Path(folder) / "build")
            numbers: dict[str, Any] = {"warm": warm, "machine.cores": os.cpu_count()}
            numbers |= _book("book", root, folders.output)
            numbers |= _chapters([book.read_stamp(folders, name) for name in book.toc_notebooks(root)], root)
            numbers |= _book("book.again", root, folders.output)
            for comparison in COMPARISONS:
                numbers |= comparison()
    path = output / "bench.json"
    cache.write_json(path, numbers)
    return path


def _book(prefix: str, root: Path, output: Path) -> dict[str, float]:
    start = time.perf_counter()
    with timing.PeakMemory() as memory:
        _, errors = book.make(root, output)
    if errors:
        raise RuntimeError(errors[0])
    return _numbers(prefix, time.perf_counter() - start, memory.peak_bytes)


def _chapters(stamps: list[Mapping[str, Any]], root: Path) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, stamp in zip(book.toc_notebooks(root), stamps, strict=True):
        numbers |= _numbers(f"chapter.{Path(name).name}", stamp["seconds"], stamp["peak_bytes"])
    stages = timing.total([row for stamp in stamps for row in stamp["stages"]])
    for row in stages:
        numbers |= _numbers(f"stage.{row['stage']}", row["seconds"], row["peak_bytes"])
        numbers[f"stage.{row['stage']}.calls"] = row["calls"]
    return numbers


def _numbers(prefix: str, seconds: float, peak_bytes: int) -> dict[str, float]:
    return {
        f"{prefix}.seconds": round(seconds, 2),
        f"{prefix}.peak_memory_gb": round(peak_bytes / 1e9, 3),
    }


def _fresh_cache(folder: Path) -> Path:
    """An empty cache that already has the downloads: the network is not measured."""
    wheels = cache.root() / "wheels"
    folder.mkdir()
    if wheels.is_dir():
        shutil.copytree(wheels, folder / "wheels")
    return folder

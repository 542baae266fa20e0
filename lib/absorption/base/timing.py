"""How long a stage takes and how much memory it needs, reported only when someone asks.

Stages of the library wrap their work in ``stage("name")``. It costs nothing unless ``$ABSORPTION_TIMINGS``
names a file; then one JSON line is appended per run of a stage: ``{"stage", "seconds", "peak_bytes"}``.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

VARIABLE = "ABSORPTION_TIMINGS"
"""Environment variable with the file that stages report to."""


class PeakMemory:
    """Largest resident memory of some processes together while the context is open.

    Sampled, so a peak shorter than the interval can be missed; pages that processes share count twice.
    """

    def __init__(
        self, interval: float = 0.25, processes: Callable[[], list[psutil.Process]] | None = None
    ) -> None:
        """Args:
        interval: seconds between samples.
        processes: asked for whom to count at every sample; None: this process and all its children.
        """
        self.peak_bytes = 0
        self._processes = processes or _this_and_children
        self._interval = interval
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._done.wait(self._interval):
            self._sample()

    def _sample(self) -> None:
        total = 0
        for process in self._processes():
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue  # it ended between the two calls
        self.peak_bytes = max(self.peak_bytes, total)


def _this_and_children() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Report this block's seconds and peak memory under a dotted name."""
    target = os.environ.get(VARIABLE)
    if not target:
        yield
        return
    start = time.perf_counter()
    with PeakMemory() as memory:
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
    line = {"stage": name, "seconds": round(seconds, 4), "peak_bytes": memory.peak_bytes}
    with Path(target).open("a", encoding="utf-8") as sink:
        sink.write(json.dumps(line) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The reports in a timings file, in the order in which the stages ended; none if there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def total(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a stage, in order of first appearance: calls, summed seconds, largest memory."""
    rows: dict[str, dict[str, Any]] = {}
    for report in reports:
        row = rows.setdefault(
            report["stage"], {"stage": report["stage"], "calls": 0, "seconds": 0.0, "peak_bytes": 0}
        )
        row["calls"] += report.get("calls", 1)
        row["seconds"] = round(row["seconds"] + report["seconds"], 4)
        row["peak_bytes"] = max(row["peak_bytes"], report["peak_bytes"])
    return list(rows.values())

"""How many times faster one way is than another, both timed in one process, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def ratio(slow: Callable[[], object], fast: Callable[[], object], repeats: int = 3) -> float:
    """How many times faster ``fast`` is: ratio of median seconds, both run in turn, after one run each."""
    seconds: dict[Callable[[], object], list[float]] = {slow: [], fast: []}
    for turn in range(repeats + 1):
        for work in (slow, fast):
            start = time.perf_counter()
            work()
            if turn:  # the first turn warms caches and threads
                seconds[work].append(time.perf_counter() - start)
    return statistics.median(seconds[slow]) / statistics.median(seconds[fast])

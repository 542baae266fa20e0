"""Worker processes that stay: to start one takes as long as to train a toy SAE, so a chapter starts them once."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from absorption.base import cache

Task = TypeVar("Task")
Result = TypeVar("Result")

_POOLS: dict[int, ProcessPoolExecutor] = {}
"""The pool in use, by its number of workers: one at a time."""


def run_all(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[Task, Result]]:
    """Call ``function`` on every task in worker processes; yields each task with its result when it is done.

    Tasks are started in the order given: put the longest first. Workers use this process's cache folder.

    Args:
        function: a module's function (workers import it).
        tasks: what to call it on.
        workers: processes.

    Raises:
        Exception: whatever the function raised; tasks that have not begun are dropped.
    """
    pool, root = _pool(workers), str(cache.root())
    waiting = {pool.submit(_call, function, task, root): task for task in tasks}
    try:
        for done in as_completed(waiting):
            yield waiting[done], done.result()
    except BaseException:
        close()  # a broken pool, or one with work that nobody waits for, is no good to the next caller
        raise


def close() -> None:
    """End the workers; the next call starts new ones."""
    while _POOLS:
        _POOLS.popitem()[1].shutdown(wait=False, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    if workers not in _POOLS:
        close()
        # Forking a process that has used torch's threads can hang, so workers are spawned.
        context = multiprocessing.get_context("spawn")
        _POOLS[workers] = ProcessPoolExecutor(workers, context, _end_with_parent)
    return _POOLS[workers]


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()  # a killed parent cannot end its workers itself


def _call(function: Callable[[Task], Result], task: Task, cache_root: str) -> Result:
    os.environ["ABSORPTION_CACHE"] = cache_root  # it may have changed since the worker was started
    return function(task)

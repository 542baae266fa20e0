"""Worker processes for toy SAEs: joblib's, which stay from one call to the next, since to start one takes as long as
to train a toy SAE."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, cast

from joblib import Parallel, delayed

from absorption.base import cache, parents

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_all(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[Task, Result]]:
    """Call ``function`` on every task in worker processes; yields each task with its result when it is done.

    Tasks are started in the order given: put the longest first. Workers use this process's cache folder.

    Args:
        function: a module's function (workers import it).
        tasks: what to call it on.
        workers: processes; with one, the work is done in this process.

    Raises:
        Exception: whatever the function raised; tasks that have not begun are dropped.
    """
    calls = (delayed(_call)(function, task, str(cache.root())) for task in tasks)
    parallel = Parallel(
        workers,
        backend="loky",
        return_as="generator_unordered",
        initializer=_end_with_parent,
    )
    return cast(Iterator[tuple[Task, Result]], parallel(calls))


def _end_with_parent() -> None:
    parents.end_with(os.getppid())


def _call(function: Callable[[Task], Result], task: Task, cache_root: str) -> tuple[Task, Result]:
    os.environ["ABSORPTION_CACHE"] = cache_root  # it may have changed since the worker was started
    return task, function(task)

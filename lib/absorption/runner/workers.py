"""Threads that take notebooks from one list, so that two run side by side; each has its own kernel."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import psutil

Job = TypeVar("Job")
Made = TypeVar("Made")

MOST = 2
"""Notebooks at once if nobody says how many: most steps use one core, and a third notebook would not fit a laptop."""
MEMORY = 10e9
"""Bytes that must be free for two: the largest pair of notebooks that ran side by side needed 7.3 GB."""


def usual() -> int:
    """How many notebooks run at once on this machine: 1 where cores or memory are short of two."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST, cores)) if psutil.virtual_memory().available >= MEMORY else 1


def check(at_once: int) -> int:
    """``at_once``, or ``usual()`` for 0.

    Raises:
        ValueError: it is negative or more than the cores can serve.
    """
    cores = os.cpu_count() or 1
    if not 0 <= at_once <= cores:
        raise ValueError(
            f"--at-once {at_once}: allowed are 1 to {cores}, one a core, and 0 for what suits this machine."
        )
    return at_once or usual()


class Workers(Generic[Job, Made]):
    """Works through a list of jobs, several at a time.

    At most one *heavy* job runs as long as another is left: heavy ones share what the first of them puts into the
    cache, and are large.
    """

    def __init__(
        self, work: Callable[[Job], Made], is_heavy: Callable[[Job], bool], stop: Callable[[], None]
    ) -> None:
        """Args:
        work: does one job, on any thread.
        is_heavy: whether it is.
        stop: ends the jobs that run, whose ``work`` then raises; called when this process is told to end, or when
            another job raises.
        """
        self._work, self._is_heavy, self._stop = work, is_heavy, stop
        self._lock = threading.Lock()

    def run(self, jobs: Sequence[Job], at_once: int) -> list[Made]:
        """What came of each job, in their order.

        Raises:
            BaseException: the first that a job raised, or that a signal raised meanwhile; no job runs any more then.
        """
        self._pending = list(enumerate(jobs))
        self._heavy_running = 0
        self._made: dict[int, Made] = {}
        self._raised: list[BaseException] = []
        if at_once == 1:
            return [self._work(job) for job in jobs]
        ends = [threading.Event() for _ in range(min(at_once, len(jobs)))]
        try:
            for end in ends:
                threading.Thread(target=self._take_turns, args=(end,)).start()
            _wait(ends)
        except BaseException:
            self._end()
            _wait(ends)
            raise
        if self._raised:
            raise self._raised[0]
        return [self._made[position] for position in range(len(jobs))]

    def _take_turns(self, end: threading.Event) -> None:
        try:
            self._work_off()
        finally:
            end.set()

    def _work_off(self) -> None:
        while taken := self._next():
            position, job = taken
            try:
                self._made[position] = self._work(job)
            except BaseException as error:
                self._raised.append(error)
                self._end()
            finally:
                with self._lock:
                    self._heavy_running -= self._is_heavy(job)

    def _next(self) -> tuple[int, Job] | None:
        """The first job of the kind that is wanted now, or the first of all."""
        with self._lock:
            if not self._pending:
                return None
            wanted = [
                entry for entry in self._pending if self._is_heavy(entry[1]) == (self._heavy_running == 0)
            ]
            taken = (wanted or self._pending)[0]
            self._pending.remove(taken)
            self._heavy_running += self._is_heavy(taken[1])
            return taken

    def _end(self) -> None:
        with self._lock:
            self._pending.clear()
        self._stop()


def _wait(ends: Sequence[threading.Event]) -> None:
    """A signal may interrupt it. (``Thread.join`` takes a thread for ended once it was interrupted, in Python 3.11.)"""
    for end in ends:
        end.wait()

"""Worker processes stay from call to call, fail loudly, and end with the process that started them."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from absorption.toy import pool


def test_workers_stay_and_follow_a_change_of_the_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {result for _, result in pool.run_all(where, [0.5, 0.5], 2)}
    monkeypatch.setenv("ABSORPTION_CACHE", "/elsewhere")
    second = {result for _, result in pool.run_all(where, [0.5, 0.5, 0.5], 2)}
    assert {pid for pid, _ in first} == {pid for pid, _ in second}
    assert len(first) == 2
    assert os.getpid() not in {pid for pid, _ in first}
    assert {root for _, root in second} == {"/elsewhere"}


def test_results_come_with_their_tasks_as_they_are_done() -> None:
    assert sorted(pool.run_all(double, [3, 1, 2], 2)) == [(1, 2), (2, 4), (3, 6)]


def test_after_an_error_the_next_call_works() -> None:
    with pytest.raises(ZeroDivisionError):
        list(pool.run_all(fail, [1], 2))
    assert len(list(pool.run_all(where, [0.0], 2))) == 1


def test_workers_end_with_a_parent_that_is_killed() -> None:
    begin = "from tests.toy.test_pool import pool, where; "
    begin += "print(next(pool.run_all(where, [0.0, 60.0], 2))[1][0], flush=True)"
    parent = subprocess.Popen([sys.executable, "-c", begin], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while psutil.pid_exists(worker) and psutil.Process(worker).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the worker outlived its parent"
        time.sleep(0.2)


def where(seconds: float) -> tuple[int, str]:
    time.sleep(seconds)  # long enough that the other worker takes the other task
    return os.getpid(), os.environ["ABSORPTION_CACHE"]


def double(number: int) -> int:
    return 2 * number


def fail(number: int) -> float:
    return number / 0

"""A lock is one process's, says whose, and is free once the process is gone, however it went."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from absorption.base import locks, repository
from absorption.runner import execute
from absorption.runner.parameters import ParameterError

HOLDS = """
import sys, time
from pathlib import Path
from absorption.base import locks
with locks.hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(120)
"""


@pytest.fixture
def other(tmp_path: Path):
    """Another process that holds the lock ``tmp_path/.x.lock``."""
    lib = repository.package().parent
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path / ".x.lock")],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(lib)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_held_lock_names_its_process(tmp_path: Path, other: subprocess.Popen) -> None:
    lock = locks.beside(tmp_path / "x")
    with pytest.raises(locks.Held, match=rf"process {other.pid} on .+, since 20\d\d-"), locks.hold(lock):
        pass
    assert f"process {other.pid} on " in locks.holder(lock)


def test_a_killed_process_holds_nothing(tmp_path: Path, other: subprocess.Popen) -> None:
    lock = locks.beside(tmp_path / "x")
    other.kill()
    other.wait()
    assert lock.exists()
    assert locks.holder(lock) == ""
    with locks.hold(lock):
        assert f"process {os.getpid()} on " in locks.holder(lock)
    assert not lock.exists(), "a lock leaves no file behind"


def test_of_many_at_once_one_at_a_time_holds_a_lock(tmp_path: Path) -> None:
    """The file is removed at each end: who opened the removed one must not think that it holds the lock."""
    code = """
import sys, time
from pathlib import Path
from absorption.base import locks
folder, done = Path(sys.argv[1]), 0
while done < 40:
    try:
        with locks.hold(folder / ".x.lock"):
            (folder / "inside").touch(exist_ok=False)
            (folder / "inside").unlink()
            done += 1
    except locks.Held:
        time.sleep(0.001)
"""
    lib = {**os.environ, "PYTHONPATH": str(repository.package().parent)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    several = [subprocess.Popen(command, env=lib, stderr=subprocess.PIPE) for _ in range(4)]
    said = [process.communicate(timeout=120)[1].decode() for process in several]
    assert [process.returncode for process in several] == [0] * 4, said


def test_a_run_whose_page_is_being_written_is_refused(tmp_path: Path, other: subprocess.Popen) -> None:
    source = repository.root() / "notebooks" / "03-the-recall-gap.ipynb"
    before = time.monotonic()
    with pytest.raises(ParameterError, match=rf"output .*x' is being written by process {other.pid} on"):
        execute.run(source, tmp_path / "x", {})
    assert time.monotonic() - before < 10, "no kernel was started"
    assert not (tmp_path / "x").exists()

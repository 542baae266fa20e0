"""Notebooks side by side: which goes next, and what happens when one ends the others."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from absorption.cli import main
from absorption.runner import workers
from absorption.runner.workers import Workers

WAIT = 10


class Notes:
    """What ran, beside what."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.together: list[frozenset[str]] = []
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def work(self, job: str) -> str:
        with self._lock:
            self.begun.append(job)
            self._running.add(job)
            self.together.append(frozenset(self._running))
        time.sleep(0.05)
        with self._lock:
            self._running.remove(job)
        return job.upper()


def is_heavy(job: str) -> bool:
    return job.startswith("h")


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_one_at_a_time_runs_in_order_on_the_callers_thread(notes: Notes) -> None:
    threads = set()

    def work(job: str) -> str:
        threads.add(threading.current_thread())
        return notes.work(job)

    assert Workers(work, is_heavy, lambda: None).run(["h1", "l1", "h2"], 1) == ["H1", "L1", "H2"]
    assert notes.begun == ["h1", "l1", "h2"]
    assert threads == {threading.main_thread()}


def test_a_heavy_and_a_light_one_run_side_by_side_and_results_keep_their_order(notes: Notes) -> None:
    made = Workers(notes.work, is_heavy, lambda: None).run(["h1", "h2", "l1", "l2"], 2)
    assert made == ["H1", "H2", "L1", "L2"]
    assert set(notes.begun[:2]) == {"h1", "l1"}
    assert max(len(some) for some in notes.together) == 2
    assert not any({"h1", "h2"} <= some for some in notes.together)


def test_when_only_heavy_ones_are_left_two_run_side_by_side(notes: Notes) -> None:
    Workers(notes.work, is_heavy, lambda: None).run(["h1", "h2", "h3"], 2)
    assert max(len(some) for some in notes.together) == 2


def test_nothing_to_do_gives_nothing(notes: Notes) -> None:
    assert Workers(notes.work, is_heavy, lambda: None).run([], 2) == []


def test_what_one_raises_ends_the_others_and_reaches_the_caller() -> None:
    stopped = threading.Event()
    begun: list[str] = []

    def work(job: str) -> str:
        begun.append(job)
        if job == "h1":
            raise ValueError("broken on purpose")
        assert stopped.wait(WAIT)
        raise RuntimeError("was stopped")

    with pytest.raises(ValueError, match="broken on purpose"):
        Workers(work, is_heavy, stopped.set).run(["h1", "l1", "h2", "l2"], 2)
    assert stopped.is_set()
    assert set(begun) <= {"h1", "l1"}


@pytest.mark.parametrize("given", [-1, 10_000])
def test_a_number_at_once_that_no_machine_has_is_refused(
    given: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["book", "--at-once", str(given)]) == 2
    assert f"--at-once {given}: allowed are 1 to {os.cpu_count()}" in capsys.readouterr().err


@pytest.mark.parametrize(("free", "most"), [(workers.MEMORY - 1, 1), (workers.MEMORY, workers.MOST)])
def test_two_run_only_where_memory_suffices(monkeypatch: pytest.MonkeyPatch, free: float, most: int) -> None:
    class Memory:
        available = free

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4), raising=False)
    assert workers.check(0) == most


BOOK = """\
import sys
from pathlib import Path
from absorption.cli import main
from absorption.base import repository
repository.root = lambda: Path.cwd()
sys.exit(main.main(["book", "--output", "_build", "--at-once", "2"]))
"""
SLEEPER = "import os, time\nopen({path!r}, 'w').write(str(os.getpid()))\ntime.sleep(120)"


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two at once need two cores")
def test_a_signal_ends_both_notebooks_and_leaves_nothing(
    write_notebook: Callable[..., Path], tmp_path: Path
) -> None:
    started = [tmp_path / "one.pid", tmp_path / "two.pid"]
    clone, scratch = tmp_path / "clone", tmp_path / "scratch"
    (clone / "notebooks").mkdir(parents=True)
    scratch.mkdir()
    for path in started:
        write_notebook(SLEEPER.format(path=str(path))).rename(clone / "notebooks" / f"{path.stem}.ipynb")
    toc = "format: jb-book\nroot: intro\nchapters:\n- file: notebooks/one\n- file: notebooks/two\n"
    (clone / "_toc.yml").write_text(toc)
    (clone / "intro.md").write_text("# Intro\n")
    variables = {**os.environ, "TMPDIR": str(scratch)}
    runner = subprocess.Popen([sys.executable, "-c", BOOK], cwd=clone, env=variables, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 90
    while not all(path.exists() and path.read_text() for path in started) and time.monotonic() < deadline:
        time.sleep(0.1)
    kernels = [int(path.read_text()) for path in started]
    runner.send_signal(signal.SIGTERM)
    _, said = runner.communicate(timeout=60)
    assert runner.returncode == 130
    assert said.decode().splitlines() == ["stopped; nothing half-written is left"]
    assert list(scratch.glob("absorption-run-*")) == []
    assert [path for path in (clone / "_build" / "executed").rglob("*") if path.is_file()] == []
    assert not any(_is_running(pid) for pid in kernels)


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

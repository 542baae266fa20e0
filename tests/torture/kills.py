"""Kills a command at seeded moments, runs it again, and looks at everything that is left."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tests.torture.subjects import Subject, quiet

from absorption.base import locks, parts

POINTS = ("replace", "rename", "unlink", "mkdir", "rmdir", "open", "fsync", "ftruncate")
"""Functions of ``os`` at whose every call a command can be killed, just before it and just after."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
MARK = "ABSORPTION_TORTURE"
"""Environment variable by which a command's processes are known."""
LIMIT = 600.0
"""Seconds that a command may take, on a busy machine too; a deadlock ends there."""


@dataclass
class Tally:
    """What was tried, and what was lost, in words."""

    tried: int = 0
    lost: list[str] = field(default_factory=list)

    def add(self, found: list[str]) -> None:
        """One more trial."""
        self.tried += 1
        self.lost += found


class Place:
    """A folder with a cache and a temporary folder of its own."""

    def __init__(self, below: Path) -> None:
        """Make it."""
        self.root = Path(tempfile.mkdtemp(dir=below))
        self.work, self.tmp = self.root / "wörk ing", self.root / "tmp"  # a space, and no ASCII
        self.work.mkdir()
        self.tmp.mkdir()

    def start(self, subject: Subject, before: Callable[[], None] = lambda: None) -> int:
        """Run a subject in a process of its own; returns its number."""
        if pid := os.fork():
            return pid
        status = 1
        try:
            os.setpgid(0, 0)
            os.environ.update({"ABSORPTION_CACHE": str(self.work / "cache"), "TMPDIR": str(self.tmp)})
            os.environ |= {MARK: self.root.name, "ABSORPTION_WRITTEN": ""}
            tempfile.tempdir = None
            parts._cleaned.clear()
            quiet()
            signal.signal(signal.SIGTERM, _raise)
            before()
            subject.run(self.work)
            status = 0
        except KeyboardInterrupt:
            status = 130
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            (self.root / "error").write_text(f"{type(error).__name__}: {error} ({where.name})")
        finally:
            os._exit(status)

    def wait(self, pid: int) -> int:
        """The exit status; negative for a signal, -99 for a command that did not end in time."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return -99

    def orphans(self, patience: float = 60.0) -> list[str]:
        """Processes of this place that live on, after they had time to notice; a sweep's jobs, to end."""
        deadline = time.monotonic() + patience
        while (left := self._living()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def _living(self) -> list[str]:
        found = []
        for process in self.processes():
            try:
                found.append(" ".join(process.cmdline())[:80])
            except psutil.Error:
                continue
        return found

    def processes(self) -> list[psutil.Process]:
        """All that the command started, also where they have lost their parent."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and process.environ().get(MARK) == self.root.name:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def litter(self) -> list[str]:
        """Unfinished files, locks that are held, and whatever is in the temporary folder."""
        names = [path for path in self.work.rglob("*") if path.name.endswith(parts.ENDING)]
        names += [path for path in self.work.rglob("*.lock") if locks.holder(path)]
        return [path.relative_to(self.root).as_posix() for path in [*names, *self.tmp.iterdir()]]

    def remove(self) -> None:
        """Take it away."""
        shutil.rmtree(self.root, ignore_errors=True)


def _raise(*_: object) -> None:
    raise KeyboardInterrupt


def at_call(number: int, kill: signal.Signals, after: bool) -> Callable[[], None]:
    """Patches ``os`` so that the process is killed at its n-th call of ``POINTS``."""

    def patch() -> None:
        made = [0]
        for name in POINTS:
            setattr(os, name, _counted(getattr(os, name), made, number, kill, after))

    return patch


def _counted(function: Callable, made: list[int], number: int, kill: signal.Signals, after: bool) -> Callable:
    def call(*args: Any, **kwargs: Any) -> Any:
        made[0] += 1
        mine = made[0] == number
        if mine and not after:
            os.kill(os.getpid(), kill)
        found = function(*args, **kwargs)
        if mine and after:
            os.kill(os.getpid(), kill)
        return found

    return call


def undisturbed(subject: Subject, below: Path) -> tuple[dict[str, str], int, float]:
    """Results of a run that nothing happens to, how many fault points it passes, and its seconds."""
    place = Place(below)
    counter = place.root / "calls"

    def count() -> None:
        made = [0]
        for name in POINTS:
            setattr(os, name, _counted(getattr(os, name), made, -1, signal.SIGKILL, False))
        leave = os._exit

        def said(status: int) -> None:
            counter.write_text(str(made[0]))
            leave(status)

        os._exit = said  # type: ignore[assignment]

    begin = time.monotonic()
    status = place.wait(place.start(subject, count))
    seconds = time.monotonic() - begin
    if status:
        error = place.root / "error"
        raise RuntimeError(f"{subject.name}: {status} {error.read_text() if error.exists() else ''}")
    found, calls, left = subject.digest(place.work), int(counter.read_text()), place.litter()
    place.remove()
    if not found or left:
        raise RuntimeError(f"{subject.name} made {len(found)} results and left {left}")
    return found, calls, seconds


def campaign(subject: Subject, kills: int, seed: int, below: Path) -> Tally:
    """Kill a command so many times, half at calls and half at moments, and run it again each time."""
    expected, calls, seconds = undisturbed(subject, below)
    choose, tally = random.Random(f"{seed} {subject.name}"), Tally()
    for number in range(kills):
        how = choose.choice(SIGNALS)
        call, after, moment = choose.randint(1, calls), choose.random() < 0.5, choose.uniform(0, seconds)
        place = Place(below)
        if number % 2:
            pid, label = place.start(subject), f"{how.name} after {moment:.2f} s"
            time.sleep(moment)
            os.kill(pid, how)
            if everything := how is signal.SIGKILL and choose.random() < 0.5:
                label += ", and all that it had started"
            for process in place.processes() if everything else []:
                with suppress(psutil.Error):
                    process.kill()
        else:
            pid = place.start(subject, at_call(call, how, after))
            label = f"{how.name} {'after' if after else 'before'} call {call}"
        if place.wait(pid) == -99:
            tally.add([f"{subject.name}, {label}: did not end"])
            continue
        tally.add([f"{subject.name}, {label}: {what}" for what in _again(subject, place, expected)])
        place.remove()
    return tally


def _again(subject: Subject, place: Place, expected: dict[str, str]) -> list[str]:
    """What is wrong after a second, undisturbed run of a command that was killed."""
    wrong = [f"lives on: {process}" for process in place.orphans()]
    if status := place.wait(place.start(subject)):
        error = place.root / "error"
        return [*wrong, f"the second run ended with {status} {error.read_text() if error.exists() else ''}"]
    found = subject.digest(place.work)
    wrong += [f"{name} differs" for name in sorted(found.keys() ^ expected.keys())]
    wrong += [
        f"{name} is not the same" for name in found.keys() & expected.keys() if found[name] != expected[name]
    ]
    return [*wrong, *(f"{name} was left" for name in place.litter())]


def two_at_once(subject: Subject, rounds: int, below: Path) -> Tally:
    """Start a command twice at the same moment, in one folder; a refusal because of the other one is allowed."""
    expected, _, _ = undisturbed(subject, below)
    tally = Tally()
    for _ in range(rounds):
        place = Place(below)
        both = [place.start(subject) for _ in range(2)]
        ends = [place.wait(pid) for pid in both]
        wrong = [f"{subject.name}: {ends}"] if 0 not in ends or -99 in ends else []
        tally.add([*wrong, *(f"{subject.name} twice: {what}" for what in _again(subject, place, expected))])
        place.remove()
    return tally


def beside(one: Subject, other: Subject, below: Path) -> Tally:
    """Start two commands at the same moment on one cache: each ends as it does alone."""
    expected = {name: sha for subject in (one, other) for name, sha in undisturbed(subject, below)[0].items()}
    place, tally = Place(below), Tally()
    ends = [place.wait(pid) for pid in [place.start(subject) for subject in (one, other)]]
    found = one.digest(place.work) | other.digest(place.work)
    wrong = [f"ended with {ends}"] if any(ends) else []
    wrong += [
        f"{name} differs" for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    ]
    wrong += [f"lives on: {process}" for process in place.orphans()]
    wrong += [f"{name} was left" for name in place.litter()]
    tally.add([f"{one.name} beside {other.name}: {what}" for what in wrong])
    place.remove()
    return tally

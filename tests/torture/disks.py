"""Disks that are full or may only be read: small file systems in memory, mounted where nobody else sees them."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.torture.kills import Place, Tally, undisturbed
from tests.torture.subjects import Subject

from absorption.base import reasons

NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000
REMOUNT, READ_ONLY, PRIVATE = 32, 1, (1 << 18) | (1 << 14)
LIBC = ctypes.CDLL(None, use_errno=True)


class NoNamespace(OSError):
    """This machine gives a process no file systems of its own."""


def _mount(target: Path, flags: int, options: str) -> None:
    if LIBC.mount(b"tmpfs", os.fsencode(target), b"tmpfs", flags, options.encode()):
        raise NoNamespace(ctypes.get_errno(), "mount")


def alone() -> None:
    """Give this process a view of the file systems of its own."""
    user, group = os.getuid(), os.getgid()
    if LIBC.unshare(NEW_USER | NEW_MOUNTS):
        raise NoNamespace(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path("/proc/self", name).write_text(text)
    LIBC.mount(None, b"/", None, PRIVATE, None)


def available() -> bool:
    """Whether a process of ours can mount a file system."""
    return _in_a_child(lambda: (alone(), _mount(Path("/tmp"), 0, "size=64k"))) == "done"


def _in_a_child(action: Callable[[], object]) -> str:
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            action()
            said = "done"
        except BaseException as error:
            said = reasons.disk(error) or f"!{type(error).__name__}: {error}"
        os.write(write, said.encode()[:500])
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as handle:
        said = handle.read()
    os.waitpid(pid, 0)
    return said


def full(subject: Subject, sizes: list[int], below: Path) -> Tally:
    """Run a command on disks of so many kilobytes; then with room enough, on what the first run left."""
    expected, _, _ = undisturbed(subject, below)
    tally = Tally()
    for size in sizes:
        place = Place(below)

        def both(place: Place = place, size: int = size) -> None:
            alone()
            _mount(place.work, 0, f"size={size}k")
            said = _in_a_child(lambda: _run(subject, place))
            if said != "done" and not said.startswith("No space left on device"):
                raise AssertionError(f"{subject.name} on {size} kB: {said}")
            _mount(place.work, REMOUNT, "size=200m")
            if (said := _in_a_child(lambda: _run(subject, place))) != "done":
                raise AssertionError(f"{subject.name} after {size} kB: {said}")
            if subject.digest(place.work) != expected:
                raise AssertionError(f"{subject.name} after {size} kB: other results")
            if left := place.litter():
                raise AssertionError(f"{subject.name} after {size} kB left {left}")

        said = _in_a_child(both)
        tally.add([] if said == "done" else [said])
        place.remove()
    return tally


def read_only(subject: Subject, below: Path) -> Tally:
    """Run a command where nothing may be written: one line says so."""
    place, tally = Place(below), Tally()

    def once() -> None:
        alone()
        _mount(place.work, 0, "size=64m")
        (place.work / "cache").mkdir()
        _mount(place.work, REMOUNT | READ_ONLY, "size=64m")
        _run(subject, place)

    said = _in_a_child(once)
    tally.add([] if said.startswith("Read-only file system") else [f"{subject.name}, read-only: {said}"])
    place.remove()
    return tally


def _run(subject: Subject, place: Place) -> None:
    from tests.torture.subjects import quiet

    from absorption.base import parts

    os.environ |= {"ABSORPTION_CACHE": str(place.work / "cache"), "TMPDIR": str(place.tmp)}
    parts._cleaned.clear()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    quiet()
    subject.run(place.work)

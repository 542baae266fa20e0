"""Locks on what a process writes: the kernel lets go of them when the process dies, however it dies.

Standard library only: the tests load this file where the library's packages are not installed.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


class Held(RuntimeError):
    """Another process holds the lock; the message names it."""


def beside(target: Path) -> Path:
    """The lock of a file that is to be written: a hidden file beside it."""
    return target.with_name(f".{target.name}.lock")


@contextmanager
def hold(lock: Path, *, quiet: bool = False) -> Iterator[int]:
    """Hold a lock file, and remove it at the end; gives its descriptor, which a child may be handed to keep the lock.

    On a file system without locks (some clusters' scratch) nothing is held, and that is said unless ``quiet``.

    Raises:
        Held: somebody else holds it.
    """
    handle = _open(lock)
    if handle < 0:
        if not quiet:
            told = f"{str(lock.parent)!r} lies on a file system without locks: run nothing twice."
            print(told, file=sys.stderr)
        yield -1
        return
    try:
        _sign(handle)
        yield handle
    finally:
        with suppress(OSError):
            lock.unlink()  # before the lock is let go: whoever waits for it looks whether the file is still there
        os.close(handle)


def _open(lock: Path) -> int:
    """Descriptor of the locked file; -1 where there are no locks."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.stat(lock)):
                return handle
        except FileNotFoundError:
            pass  # its last holder has just removed it
        except OSError as error:
            os.close(handle)
            if error.errno not in TAKEN:
                return -1
            raise Held(_words(lock)) from None
        os.close(handle)


def holder(lock: Path) -> str:
    """Who holds a lock, in words; empty if nobody does."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:
        return ""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return _words(lock) if error.errno in TAKEN else ""
    finally:
        os.close(handle)
    return ""


def sign(handle: int, pid: int) -> None:
    """Write another process's name into a held lock: one that was handed the descriptor, and keeps the lock."""
    if handle >= 0:
        _sign(handle, pid)


def _sign(handle: int, pid: int = 0) -> None:
    signed = {
        "pid": pid or os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    if job := os.environ.get("SLURM_JOB_ID"):
        signed["SLURM job"] = job
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(signed).encode(), 0)


def _words(lock: Path) -> str:
    try:
        signed = json.loads(lock.read_text(encoding="utf-8"))
        job = f", SLURM job {signed['SLURM job']}" if "SLURM job" in signed else ""
        return f"process {signed['pid']} on {signed['host']}{job}, since {signed['since']}"
    except (OSError, ValueError, KeyError):
        return "a process that has not said which"

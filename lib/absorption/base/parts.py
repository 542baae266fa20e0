"""Unfinished files and folders: beside their place, locked by the process that writes them; dead ones' are removed.

A process that is killed removes nothing. Whoever next writes into the same folder does it: the kernel has let go of
the dead process's lock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ENDING = ".unfinished"
_cleaned: set[tuple[int, str]] = set()
"""Process and folder: each process looks once."""


@contextmanager
def unfinished(final: Path, *, folder: bool = False) -> Iterator[Path]:
    """A file (or folder) beside ``final`` to write into; what has not been renamed at the end is removed.

    Args:
        final: where it is to go, or what it is for.
        folder: make a folder.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    remove_dead(final.parent)
    path, handle = _make(final, folder)
    try:
        yield path
    finally:
        _remove(path)
        os.close(handle)


def swap(new: Path, final: Path) -> None:
    """Put a whole folder in the place of another, which is never half there."""
    if not final.exists():
        new.replace(final)
        return
    with unfinished(final, folder=True) as aside:
        final.replace(aside / final.name)  # of this name, so that it can be put back
        new.replace(final)


def remove_dead(folder: Path) -> None:
    """Remove what processes that live no more left unfinished; a folder that one of them had taken away is put back."""
    if (os.getpid(), str(folder)) in _cleaned:
        return
    _cleaned.add((os.getpid(), str(folder)))
    for path in folder.glob(f".*{ENDING}"):
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused: somebody is writing it
                _put_back(path)
                _remove(path)
            finally:
                os.close(handle)


def _make(final: Path, folder: bool) -> tuple[Path, int]:
    """A new file or folder and the descriptor that locks it. On a file system without locks it is not locked."""
    while True:
        if folder:
            name = tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}.", suffix=ENDING)
        else:
            made, name = tempfile.mkstemp(dir=final.parent, prefix=f".{final.name}.", suffix=ENDING)
            os.close(made)
        with suppress(FileNotFoundError):  # another process took it for a dead one's before it was locked
            handle = os.open(name, os.O_RDONLY)
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.exists(name):
                return Path(name), handle
            os.close(handle)


def _put_back(path: Path) -> None:
    """A kill between the two renames of ``swap``: the old folder is still whole, in here."""
    if not path.is_dir():
        return
    for name in os.listdir(path):
        taken = path.name.startswith(f".{name}.") and (path / name).is_dir()
        if taken and not (path.parent / name).exists():
            (path / name).replace(path.parent / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

"""Checksums of a folder's files, kept beside them as ``sha256sum -c SHA256SUMS`` reads them.

They tell a shipped file that was damaged on its way from the one that was written. A folder without them passes: it is
from before there were any, or somebody's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from absorption.base import cache

NAME = "SHA256SUMS"


class Damaged(ValueError):
    """A file is not the one that was written; the message names it."""


def write(folder: Path, *names: str) -> None:
    """Put down the checksums of files of a folder."""
    lines = [f"{cache.file_sha256(folder / name)}  {name}\n" for name in sorted(names)]
    cache.write_text(folder / NAME, "".join(lines))


def write_together(folder: Path, files: Mapping[str, Callable[[Path], object]]) -> None:
    """Write files that only make sense together, and their checksums: all of them, or what was there stays.

    Args:
        folder: theirs; other files in it stay.
        files: what writes each of them, by name.
    """
    with cache.atomic_folder(folder) as new:
        for name, write_one in files.items():
            write_one(new / name)
        write(new, *files)
        for other in folder.iterdir() if folder.exists() else ():
            if other.name not in {*files, NAME}:
                copy = shutil.copytree if other.is_dir() else shutil.copy2
                copy(other, new / other.name)


def check(folder: Path, *names: str, refuse: type[Exception] = Damaged) -> None:
    """Compare files with their checksums; all that have one if none are named.

    Args:
        folder: theirs.
        names: of files.
        refuse: what is raised, of the reader's own kind.

    Raises:
        Damaged: or ``refuse``: one differs, is missing, or has no checksum although others have.
    """
    if not (folder / NAME).exists():
        return
    known = read(folder)
    for name in names or known:
        path = folder / name
        found = cache.file_sha256(path) if path.exists() else "none"
        if name not in known:
            raise refuse(f"{path} is not in {NAME} beside it; get both again: git checkout -- {folder}")
        if found != known[name]:
            raise refuse(
                f"{path} is damaged: it has SHA-256 {found[:16]}, {NAME} beside it says {known[name][:16]}; "
                f"get it again: git checkout -- {folder}"
            )


def read(folder: Path) -> dict[str, str]:
    """Checksum by file name."""
    lines = (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = [line.split("  ", 1) for line in lines]
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}

"""Which files a notebook wrote among its results, reported only when someone asks.

What writes a result calls ``report``. It does nothing unless ``$ABSORPTION_WRITTEN`` names a file; then it appends one
line a file. Two notebooks side by side write into one folder, so the files' times would not tell whose they are.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "ABSORPTION_WRITTEN"
"""Environment variable with the file that lists what was written."""


def report(path: Path) -> Path:
    """Note that this process wrote ``path``; gives it back."""
    if target := os.environ.get(VARIABLE):
        with Path(target).open("a", encoding="utf-8") as sink:
            sink.write(f"{path.resolve()}\n")
    return path


def read(listing: Path) -> list[Path]:
    """What was reported, once each, in order of path; nothing if there is no such list."""
    if not listing.exists():
        return []
    return sorted({Path(line) for line in listing.read_text(encoding="utf-8").splitlines()})

"""Folders that a run will write to: whether it can, asked before an hour is spent."""

from __future__ import annotations

import tempfile
from pathlib import Path


def check_writable(folder: Path, what: str, way_out: str) -> None:
    """Refuse a folder that cannot be written, or made. Nothing is left behind.

    Args:
        folder: it need not exist yet.
        what: what the folder is, for the message: ``cache folder``.
        way_out: what sets it.

    Raises:
        ValueError: a file is in its place (or on the way to it), or writing is not permitted.
    """
    folder = folder.expanduser()
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        is_what = "is a file" if place == folder else f"lies below the file {str(place)!r}"
        raise ValueError(f"{what} {str(folder)!r} {is_what}; it must be a folder: {way_out}.")
    try:
        with tempfile.TemporaryFile(dir=place, prefix=".absorption-"):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"{what} {str(folder)!r} cannot be written: {reason}; {way_out}.") from None

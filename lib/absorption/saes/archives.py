"""Zip archives of weights, ``.npz`` and ``.pt``: what they hold is known before any of it is inflated.

A few megabytes of zip can become any number of gigabytes. No torch is imported here.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import psutil

MOST_MEMBERS = 10_000
"""Arrays or tensors in one archive."""
HEADER = 16_384
"""Bytes of an array that are read for its header; NumPy's own take 128."""


def npz_shapes(path: Path, names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Shapes of some arrays of an ``.npz`` file, from their headers; all other members are left alone.

    Raises:
        ValueError: no such archive, an array that is missing, holds objects, or is cut off, or all of them together
            are more than fits into memory.
    """
    shapes, total = {}, 0
    with _opened(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        if missing := [name for name in names if f"{name}.npy" not in members]:
            there = ", ".join(sorted(name.removesuffix(".npy") for name in list(members)[:8]))
            raise ValueError(f"the weights lack {', '.join(missing)}; there are: {there}.")
        for name in names:
            info = members[f"{name}.npy"]
            with archive.open(info) as handle:
                shapes[name], kind = _array_header(io.BytesIO(handle.read(HEADER)))
            if kind.hasobject:
                raise ValueError(
                    f"{name} holds Python objects; allowed: numbers. Nothing in it was executed."
                )
            size = math.prod(shapes[name]) * kind.itemsize
            if size > info.file_size:
                raise ValueError(f"{name} says {size:,} bytes and holds {info.file_size:,}.")
            total += size
    check_memory(total, path.name)
    return shapes


def check_stored(path: Path) -> None:
    """Refuse a ``.pt`` archive that would grow when it is read: ``torch.save`` compresses nothing.

    A file that is no zip (as torch wrote them before) is left to torch.

    Raises:
        ValueError: compressed members, or more bytes in them than in the file.
    """
    if not zipfile.is_zipfile(path):
        return
    with _opened(path) as archive:
        size = sum(info.file_size for info in archive.infolist())
        squeezed = any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist())
    if squeezed or size > path.stat().st_size:
        raise ValueError(
            f"{path.name} is compressed, to become {size:,} bytes; torch.save compresses nothing."
        )


def check_memory(size: int, name: str) -> None:
    """Refuse what is larger than the memory that is free (ValueError)."""
    free = psutil.virtual_memory().available
    if size > free:
        raise ValueError(f"{name} becomes {size / 1e9:,.1f} GB in memory; {free / 1e9:,.1f} GB are free.")


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path.name} is no zip archive, or was cut off: {error}") from None
    if len(archive.infolist()) > MOST_MEMBERS:
        archive.close()
        raise ValueError(f"{path.name} has {len(archive.infolist()):,} members; allowed: {MOST_MEMBERS:,}.")
    return archive


def _array_header(start: io.BytesIO) -> tuple[tuple[int, ...], np.dtype]:
    major, _minor = np.lib.format.read_magic(start)
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, _fortran, kind = read(start)
    return tuple(shape), kind

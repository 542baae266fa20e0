"""Other libraries' errors in one line of ours."""

from __future__ import annotations

import errno
import os
import re
from pickle import UnpicklingError


def first_line(error: BaseException, limit: int = 300) -> str:
    """The first line of an error's text, or its type.

    Of a refused pickle torch tells how to load it all the same; that would run whatever is in it, so it is not said.
    """
    if isinstance(error, UnpicklingError) or "weights_only" in str(error) or "Weights only" in str(error):
        return "it is a pickle with more than tensors in it, or no pickle; nothing in it was executed."
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:limit]


def is_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the machine or of a GPU: no word on what was being read."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"MemoryError", "OutOfMemoryError"}) or "can't allocate memory" in str(error)


DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
"""A disk that is full, a quota, a disk that may only be read, a file larger than is allowed."""


def disk(error: BaseException) -> str:
    """One line on a disk that could not be written; empty if that is not what is wrong.

    Other languages' libraries have errors of their own, and only their text says it.
    """
    cause: BaseException | None = error
    while cause is not None:
        number = cause.errno if isinstance(cause, OSError) else None
        if found := re.search(r"os error (\d+)", str(cause)):
            number = int(found[1])
        if number in DISK:
            place = getattr(cause, "filename", None)
            where = f" ({place})" if place else ""
            return f"{os.strerror(number)}{where}. What was whole before is kept; the same command goes on from it."
        cause = cause.__cause__ or cause.__context__
    return ""

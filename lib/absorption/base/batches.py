"""How many words pass through the model at once: a matter of memory, never of results.

``$ABSORPTION_BATCH`` is the number of single tokens behind a shared prefix, 256 unless set. Stages that need
more memory a word take their usual share of it.
"""

from __future__ import annotations

import os

VARIABLE = "ABSORPTION_BATCH"
"""Environment variable; a preset's ``about: batch:`` sets it for its run."""
USUAL = 256


def size(usual: int) -> int:
    """A stage's batch: ``usual`` where nothing is set, else in proportion, at least one.

    Raises:
        ValueError: the variable is not a whole number above 0.
    """
    given = os.environ.get(VARIABLE, "")
    if not given:
        return usual
    if not given.isdecimal() or int(given) < 1:
        raise ValueError(f"{VARIABLE} is {given!r}; allowed: a whole number above 0, {USUAL} if not set.")
    return max(1, usual * int(given) // USUAL)

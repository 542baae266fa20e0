"""The definitions of absorption that can be asked for, by name."""

from __future__ import annotations

from collections.abc import Sequence

from absorption.definitions.rules import ABLATION, RELATIVE
from absorption.definitions.versions import SOURCES

DEFINITIONS = tuple(SOURCES)
"""Names of the definitions that ``measure`` knows, as they stand in its tables."""
BY_ABLATION = (ABLATION, RELATIVE)


def check_definitions(definitions: Sequence[str]) -> tuple[str, ...]:
    """The definitions asked for, in the order of ``DEFINITIONS``.

    Raises:
        ValueError: none, or one that is unknown.
    """
    asked = (definitions,) if isinstance(definitions, str) else tuple(definitions)
    if unknown := [name for name in asked if name not in DEFINITIONS]:
        allowed = ", ".join(map(repr, DEFINITIONS))
        raise ValueError(f"definitions has {unknown[0]!r}; allowed: {allowed}.")
    if not asked:
        raise ValueError("definitions is empty; allowed: one or several of absorption.DEFINITIONS.")
    return tuple(name for name in DEFINITIONS if name in asked)

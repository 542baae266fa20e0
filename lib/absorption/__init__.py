"""Feature absorption in sparse autoencoders, measured: the library behind the book.

``absorption.measure(sae, model)`` is the way in; the book's page on the API lists all that is public. Importing this
package alone loads neither PyTorch nor SAELens: the public names are looked up when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from absorption import leftovers

if TYPE_CHECKING:
    from absorption.api import DEFINITIONS, Result, Thresholds, measure

__all__ = ["DEFINITIONS", "Result", "Thresholds", "measure"]

leftovers.avoid()  # before any module of this package imports SAELens


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from absorption import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

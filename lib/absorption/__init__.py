"""Feature absorption in sparse autoencoders, measured: the library behind the book.

``absorption.measure(sae, model)`` is the way in; the book's page on the API lists all that is public. Importing this
package alone loads neither PyTorch nor SAELens: the public names are looked up when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from absorption.base import leftovers

if TYPE_CHECKING:
    from absorption.api import Result, Thresholds, measure

__all__ = ["DEFINITIONS", "Result", "Thresholds", "measure"]

DEFINITIONS: tuple[str, ...]
"""Names of the definitions of absorption, as they stand in tables.

- ``ablation``: without one aligned latent the answer suffers by more than one logit more than without any other (paper,
  section 5.3).
- ``ablation, relative lead``: the same with a lead on the model's own scale.
- ``full absorption``: all main latents are off, and one aligned latent carries much of the word's projection on the
  probe (SAEBench 0.3.2 and 0.6.0).
- ``absorption fraction``: what at most three aligned latents carry, as a share of that and of what the main latents
  carry (SAEBench 0.6.0).
- ``absorption fraction, no thresholds``: the share that all latents but the main ones carry (SAEBench 0.3.2); it may be
  ten times the other fraction.
"""

leftovers.avoid()  # before any module of this package imports SAELens


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from absorption import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

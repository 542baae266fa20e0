"""Which of a word's latents leads, and by how much: the ranking that the ablation rule rests on.

The paper (section 5.3) asks for the largest *negative* effect. The reference code orders all latents' scores from
the most negative up, so that a latent which speaks against the letter (a positive effect) never competes, and a
latent that is off counts as an effect of 0: the runner-up's is never above that. An earlier version of that code
ordered by size, whatever the sign; it is kept as ``MAGNITUDE``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

MOST_NEGATIVE, MAGNITUDE = "most negative", "magnitude"
RANKINGS = (MOST_NEGATIVE, MAGNITUDE)

Array = TypeVar("Array", np.ndarray, Tensor)


@dataclass(frozen=True)
class Leader:
    """The latent that leads among those of one word."""

    at: int
    """Its place among them."""
    effect: float
    rival: float
    """Strength of the runner-up; 0 where no other latent competes."""
    lead: float
    """Its strength minus the rival's; below 0 where no effect is negative."""


def strengths(effects: Array, ranking: str = MOST_NEGATIVE) -> Array:
    """How strongly each effect competes for the lead; above 0 if at all.

    Args:
        effects: of removing latents, negative where the answer suffers.
        ranking: ``most negative`` (published) or ``magnitude``.
    """
    return -effects if check_ranking(ranking) == MOST_NEGATIVE else abs(effects)  # type: ignore[return-value]


def leader(effects: Float[np.ndarray, " active"], ranking: str = MOST_NEGATIVE) -> Leader:
    """The leading latent of a word, from the effects of all that are on (at least one); the first of equals."""
    strength = strengths(effects, ranking)
    top = int(np.argmax(strength))
    rival = float(np.delete(strength, top).max(initial=0.0))
    return Leader(top, float(effects[top]), rival, float(strength[top]) - rival)


def check_ranking(ranking: str) -> str:
    """The ranking, if there is such a one.

    Raises:
        ValueError: there is none.
    """
    if ranking not in RANKINGS:
        raise ValueError(f"ranking is {ranking!r}; allowed: {', '.join(map(repr, RANKINGS))}.")
    return ranking

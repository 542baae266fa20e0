"""The ablation rule: which of a word's latents leads, by how much, and whether that is absorption.

The paper (section 5.3) asks for the largest *negative* effect. The reference code orders all latents' scores from
the most negative up, so that a latent which speaks against the letter (a positive effect) never competes, and a
latent that is off counts as an effect of 0: the runner-up's is never above that. An earlier version of that code
ordered by size, whatever the sign; it is kept as ``MAGNITUDE``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

MOST_NEGATIVE, MAGNITUDE = "most negative", "magnitude"
RANKINGS = (MOST_NEGATIVE, MAGNITUDE)

Array = TypeVar("Array", np.ndarray, Tensor)

AGAINST = "the leading effect is not negative"
NOT_ALIGNED = "the leading latent is not aligned with the probe"
NO_LEAD = "the leading effect does not lead by enough"


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


@dataclass(frozen=True)
class AblationRule:
    """The paper's rule (section 5.3) for the leading latent of a word on which the main latents are off.

    Numbers, arrays and tensors are judged alike, one by one.
    """

    min_cosine: float
    """Least decoder cosine with the probe."""
    min_lead: float
    """By how much it must lead every other, in logits."""
    ranking: str = MOST_NEGATIVE
    """What competes for the lead: negative effects (published), or all by ``magnitude``."""

    def aligned(self, cosine: Any) -> Any:
        """Whether the latent writes along the probe."""
        return cosine >= self.min_cosine

    def leads(self, effect: Any, lead: Any) -> Any:
        """Whether the answer suffers without it, and by enough more than without any other."""
        return (effect < 0) & (lead >= self.min_lead)

    def why_not(self, effect: float, cosine: float, lead: float) -> str:
        """The first clause that fails; empty if the word is absorbed."""
        if effect >= 0:
            return AGAINST
        if not self.aligned(cosine):
            return NOT_ALIGNED
        return "" if self.leads(effect, lead) else NO_LEAD


def check_ranking(ranking: str) -> str:
    """The ranking, if there is such a one.

    Raises:
        ValueError: there is none.
    """
    if ranking not in RANKINGS:
        raise ValueError(f"ranking is {ranking!r}; allowed: {', '.join(map(repr, RANKINGS))}.")
    return ranking

"""When a letter's main latents count as silent, so that a word can be absorbed at all.

Published: every one of them is off. Two other rules stand beside it:

- *Calibrated*: none is above the level that makes it the best classifier of its letter on the training words. A latent
  that leaks a little on most words of the language is on nearly everywhere by the published rule, and says nothing.
- *Share* (paper, appendix A.13): together they write at most ``tau_m`` of the word's projection on the probe. The paper
  names no value but 0, which is its own metric.

Under both a main latent can be on, weakly, at a candidate. It is then a latent like any other: it can be removed, and
it competes for the lead and for the largest projection. Only it cannot be the absorber: where it leads, the letter
still goes through it, and the word is not absorbed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from absorption.latents.sparse import ACTIVE

AT_ZERO, CALIBRATED = "off (published)", "calibrated"


@dataclass(frozen=True)
class Silence:
    """One rule; the default is the published one.

    Raises:
        ValueError: a share that is none, or levels and a share at once.
    """

    name: str = AT_ZERO
    levels: Mapping[str, Mapping[int, float]] = field(default_factory=dict, hash=False)
    """By letter and main latent: the highest activation at which it is silent; ``ACTIVE`` where none is given."""
    max_share: float | None = None
    """The paper's ``tau_m``: the largest share of the word's projection that the main latents may write together."""

    def __post_init__(self) -> None:
        if self.max_share is None:
            return
        if not 0 <= self.max_share < 1:
            raise ValueError(f"max_share is {self.max_share}; allowed: at least 0 and below 1.")
        if self.levels:
            raise ValueError(f"max_share is {self.max_share} and levels are given; allowed: one of them.")

    def on(
        self, letter: str, latents: Int[np.ndarray, " main"], acts: Float[np.ndarray, "*word main"]
    ) -> Bool[np.ndarray, "*word main"]:
        """Which of a letter's main latents are above their levels."""
        mine = self.levels.get(letter, {})
        return acts > np.array([mine.get(int(latent), ACTIVE) for latent in latents])

    def holds(
        self,
        letter: str,
        latents: Int[np.ndarray, " main"],
        acts: Float[np.ndarray, " main"],
        written: float,
        total: float,
    ) -> bool:
        """Whether main latents of a letter count as silent at a word.

        Args:
            letter: the word's.
            latents: those main latents that are on at all.
            acts: their activations.
            written: what they write together along the unit probe direction.
            total: the word's own projection on it; where it is not above 0 there is no share, and a latent that is on
                is not silent.
        """
        if self.max_share is None:
            return not self.on(letter, latents, acts).any()
        return len(latents) == 0 or (total > 0 and written <= self.max_share * total)


PUBLISHED = Silence()


def share_silence(max_share: float) -> Silence:
    """The rule of the paper's appendix A.13 with this ``tau_m``."""
    return Silence(f"share up to {max_share:g}", max_share=max_share)

"""The way from a smaller SAE to a larger one: at which step each latent enters or leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from absorption.stitching.pairs import Groups

NEVER = 0
"""Step of a latent that neither enters nor leaves."""


@dataclass(frozen=True)
class Steps:
    """First novel latents enter, then reconstruction groups are swapped, then what is left of the smaller leaves."""

    enter: Int[np.ndarray, " larger"]
    """Step at which each latent of the larger enters, from 1."""
    leave: Int[np.ndarray, " smaller"]
    """Step at which each latent of the smaller leaves; all have left after the last."""
    n_adding: int
    """Steps that add novel latents."""
    n: int
    """All steps; 0 is the smaller SAE, ``n`` the larger."""

    def bias_share(self, step: int) -> float:
        """How much of the larger SAE's bias has come: none while novel latents enter, then evenly to all."""
        return max(0, step - self.n_adding) / (self.n - self.n_adding)

    def phase(self, step: int) -> str:
        """What a step does."""
        if step == 0:
            return "smaller SAE"
        if step <= self.n_adding:
            return "adding novel latents"
        return "swapping groups" if step < self.n else "larger SAE"


def plan_steps(groups: Groups, *, per_phase: int = 6, seed: int = 0) -> Steps:
    """Novel latents and groups in an order drawn with the seed, evenly over the steps of their phase.

    Args:
        groups: of a pair.
        per_phase: steps that add novel latents, and as many that swap groups; one more takes out the smaller's
            latents that the larger has nothing like.
        seed: of the order.
    """
    random = np.random.default_rng(seed)
    novel = groups.larger < 0
    enter = np.zeros(len(groups.larger), dtype=np.int64)
    enter[novel] = 1 + _evenly(int(novel.sum()), per_phase, random)
    swapped = 1 + per_phase + _evenly(groups.n, per_phase, random)
    last = 2 * per_phase + 1
    leave = np.full(len(groups.smaller), last)
    enter[~novel] = swapped[groups.larger[~novel]]
    leave[groups.smaller >= 0] = swapped[groups.smaller[groups.smaller >= 0]]
    return Steps(enter, leave, per_phase, last)


def _evenly(n: int, bins: int, random: np.random.Generator) -> Int[np.ndarray, " thing"]:
    return random.permutation(n) * bins // max(n, 1)

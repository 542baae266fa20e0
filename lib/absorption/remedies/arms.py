"""What is compared: arms of SAEs that differ in their training seed alone, and the baseline of each remedy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from absorption.training.recipe import REMEDIES_ARMS, REMEDIES_SEEDS, Recipe

BASELINE = "BatchTopK"
"""What remedies are a change of, but for those of ``OTHER_BASELINE``; architectures are compared with it, too."""
LIKE_BASELINE = ("batchtopk", "matryoshka")
"""Architectures of it and of its remedies."""
OTHER_BASELINE = {
    "OrtSAE on TopK": "TopK", "C2R on TopK": "TopK", "tied TopK": "TopK", "masked on TopK": "TopK",
}  # fmt: skip
"""TopK has as many active latents at the words as on text; BatchTopK and its changes have more there."""
MATRYOSHKA, BALANCED, ORTHOGONAL, CONSISTENT, TIED, MASKED = (
    "Matryoshka", "balanced Matryoshka", "OrtSAE", "C2R", "tied", "masked",
)  # fmt: skip
IN_TOYS = {
    "BatchTopK": "BatchTopK", "TopK": "TopK", "JumpReLU": "JumpReLU", "standard": "L1", "Matryoshka": "Matryoshka",
    "OrtSAE": "orthogonal", "tied": "tied L1",
}  # fmt: skip
"""By arm, what the chapter on planted truth calls the same thing; other arms it has not."""
LARGEST_L0_MISS = 0.1
"""Share by which an SAE's L0 on text may differ from its recipe's."""


def baseline_of(arm: str) -> str:
    """What an arm is compared with."""
    return OTHER_BASELINE.get(arm, BASELINE)


@dataclass(frozen=True)
class Member:
    """One SAE of an arm."""

    arm: str
    recipe: Recipe

    @property
    def l0_range(self) -> tuple[float, float]:
        """The L0 on text that counts as matched."""
        return self.recipe.k * (1 - LARGEST_L0_MISS), self.recipe.k * (1 + LARGEST_L0_MISS)


def member(sae_id: str) -> Member | None:
    """The arm and recipe of an SAE; None if it is in no arm."""
    return MEMBERS.get(sae_id)


def _members() -> dict[str, Member]:
    seeded = [
        (arm, replace(recipe, seed=seed)) for arm, recipe in REMEDIES_ARMS.items() for seed in REMEDIES_SEEDS
    ]
    return {recipe.sae_id: Member(arm, recipe) for arm, recipe in seeded}


MEMBERS = _members()
"""By SAE, in the order of arms and seeds."""

"""A recipe: everything that decides how one toy SAE is trained, besides its world and its seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from sae_lens import (
    BatchTopKTrainingSAEConfig,
    GatedTrainingSAEConfig,
    JumpReLUTrainingSAEConfig,
    MatryoshkaBatchTopKTrainingSAEConfig,
    StandardTrainingSAEConfig,
    TopKTrainingSAEConfig,
    TrainingSAE,
    TrainingSAEConfig,
)

from absorption.toy.architectures import OrthogonalTrainingSAEConfig, TiedTrainingSAEConfig

Architecture = Literal[
    "standard", "gated", "jumprelu", "topk", "batchtopk", "matryoshka", "tied", "orthogonal"
]
BATCH_SIZE = 1024
PAPER_SAMPLES = 100_000_000
PAPER_LR = 3e-4
PAPER_L1 = 3e-5
FAST_LR = 2e-2
JUMPRELU_BANDWIDTH = 0.1
"""Width of JumpReLU's straight-through window; toy activations are of order 1, SAELens' default is .05."""


@dataclass(frozen=True)
class Recipe:
    """How one toy SAE is trained (SAELens' toy trainer, Adam)."""

    architecture: Architecture
    d_sae: int
    sparsity: float
    """L1 coefficient (standard, gated, tied), L0 coefficient (jumprelu) or k (the others)."""
    n_samples: int = PAPER_SAMPLES
    lr: float = PAPER_LR
    sparsity_warm_up: float = 0.0
    """Share of the steps over which an L1 or L0 coefficient rises from 0."""
    lr_decay: float = 0.0
    """Share of the steps, at the end, over which the learning rate falls to 0."""
    orthogonality: float = 0.0
    """Weight of the decoder penalty (orthogonal only)."""
    levels: tuple[int, ...] = ()
    """Nested widths (matryoshka only); the last is ``d_sae``."""

    def __post_init__(self) -> None:
        if self.n_samples < BATCH_SIZE or self.sparsity < 0:
            raise ValueError(
                f"recipe with {self.n_samples} samples and sparsity {self.sparsity:g}; "
                f"allowed: at least {BATCH_SIZE} samples, sparsity 0 or more."
            )

    @property
    def n_steps(self) -> int:
        """Optimiser steps."""
        return -(-self.n_samples // BATCH_SIZE)

    def inputs(self) -> dict[str, Any]:
        """Everything that defines the recipe, as JSON values (a cache key's part)."""
        return asdict(self)

    def changed(self, **changes: Any) -> Self:
        """The same recipe with some fields changed."""
        return replace(self, **changes)

    def build(self, d_in: int) -> TrainingSAE[Any]:
        """A new SAE of this architecture; its weights come from torch's global random state."""
        return TrainingSAE.from_dict(self._config(d_in).to_dict())

    def _config(self, d_in: int) -> TrainingSAEConfig:
        shape: dict[str, Any] = {"d_in": d_in, "d_sae": self.d_sae}
        warm_up = round(self.sparsity_warm_up * self.n_steps)
        l1: dict[str, Any] = {"l1_coefficient": self.sparsity, "l1_warm_up_steps": warm_up}
        match self.architecture:
            case "standard":
                return StandardTrainingSAEConfig(**shape, **l1)
            case "tied":
                return TiedTrainingSAEConfig(**shape, **l1)
            case "gated":
                return GatedTrainingSAEConfig(**shape, **l1)
            case "jumprelu":
                return JumpReLUTrainingSAEConfig(
                    **shape,
                    l0_coefficient=self.sparsity,
                    l0_warm_up_steps=warm_up,
                    jumprelu_bandwidth=JUMPRELU_BANDWIDTH,
                    jumprelu_init_threshold=JUMPRELU_BANDWIDTH,
                )
            case "topk":
                return TopKTrainingSAEConfig(**shape, k=round(self.sparsity))
            case "batchtopk":
                return BatchTopKTrainingSAEConfig(**shape, k=self.sparsity)
            case "matryoshka":
                return MatryoshkaBatchTopKTrainingSAEConfig(
                    **shape, k=self.sparsity, matryoshka_widths=list(self.levels)
                )
            case "orthogonal":
                return OrthogonalTrainingSAEConfig(**shape, k=self.sparsity, orthogonality=self.orthogonality)


def paper(l1: float = PAPER_L1, n_samples: int = PAPER_SAMPLES) -> Recipe:
    """The paper's SAE: four latents, L1, learning rate 3e-4 throughout (section 3)."""
    return Recipe("standard", d_sae=4, sparsity=l1, n_samples=n_samples)


def fast(architecture: Architecture, d_sae: int, sparsity: float, n_samples: int, **others: Any) -> Recipe:
    """The same loss with a schedule that settles in about 4,000 steps instead of 100,000.

    A high learning rate that falls to 0 over the second half. At that rate latents would die before they have found
    a feature, so an L1 or L0 coefficient rises over the first third.
    """
    return Recipe(
        architecture, d_sae, sparsity, n_samples, lr=FAST_LR, sparsity_warm_up=1 / 3, lr_decay=1 / 2, **others
    )

"""Parameters of the toy chapters. Toy SAEs train on the CPU and use no language model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from absorption.base.settings import SaeSettings, Settings
from absorption.toy.recipes import BATCH_SIZE

Chance = Annotated[float, Field(gt=0, le=1)]
Coefficient = Annotated[float, Field(gt=0, le=1)]
Samples = Annotated[int, Field(ge=100 * BATCH_SIZE)]


class ToySettings(Settings):
    """What all toy chapters share."""

    seed: int = Field(default=0, ge=0)
    """Seed of the first SAE; further ones count up from it."""
    n_seeds: int = Field(default=5, ge=2)
    """SAEs trained where a spread over seeds is shown."""
    n_samples_fast: Samples = 4_000_000
    """Samples of an SAE on the fast schedule."""
    workers: int = Field(default=0, ge=0)
    """Processes that train side by side; 0: one for each CPU core."""

    @property
    def seeds(self) -> list[int]:
        """The seeds of a spread."""
        return list(range(self.seed, self.seed + self.n_seeds))


class FourFeaturesSettings(ToySettings):
    """Chapter "Absorption in four features"."""

    n_seeds: int = Field(default=8, ge=2)
    """SAEs of each world in the spread over seeds."""
    n_samples: Samples = 100_000_000
    """Samples of the two SAEs that are trained as in the paper."""
    l1: Coefficient = 3e-5
    """Their L1 coefficient (paper, section 3)."""
    l1_fast: Coefficient = 5e-3
    """L1 coefficient of the SAEs of the seed spread."""


class CoOccurrenceSettings(ToySettings):
    """Chapter "How much co-occurrence, how much sparsity"."""

    p_parents: list[Chance] = [0.5, 0.8, 0.9, 0.95, 1.0]
    """P(parent | child) of the surface."""
    l1s: list[Coefficient] = [5e-3, 1e-2, 2e-2, 4e-2, 8e-2]
    """L1 coefficients of the surface."""
    child_rates: list[Chance] = [0.01, 0.05, 0.1, 0.2]
    """Overall rates of the child at one point of the surface."""
    ks: list[Annotated[float, Field(gt=0)]] = [0.3, 0.4, 0.6]
    """Mean numbers of active latents of the BatchTopK surface."""
    child_magnitudes: list[Annotated[float, Field(gt=0)]] = [0.5, 1.0, 2.0, 5.0]
    """Activations of the child where the parent's is 1."""
    n_samples_check: Samples = 20_000_000
    """Samples of the check that the fast schedule has settled."""


class RemediesSettings(ToySettings):
    """Chapter "Do remedies work where truth is known?"."""

    n_seeds: int = Field(default=2, ge=1)
    """SAEs of every remedy."""
    width: Annotated[float, Field(gt=0, le=8)] = 1.0
    """Latents for each planted feature."""


class MetricSettings(Settings):
    """Chapter "Is the metric right?"."""

    seed: int = Field(default=0, ge=0)
    """Seed of the planted words, their directions and their split."""
    n_words: Annotated[int, Field(ge=60)] = 200
    """Words of each letter."""
    d_model: Annotated[int, Field(ge=220)] = 256
    """Dimensions; fewer mean that features overlap more."""
    carried: list[Annotated[float, Field(ge=0, le=1)]] = [0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 1.0]
    """Shares of the letter that absorbing families carry."""
    family_shares: list[Annotated[float, Field(gt=0, le=0.4)]] = [0.01, 0.03, 0.06, 0.1, 0.2]
    """Shares of a letter's words in each absorbing family."""
    strengths: list[Annotated[float, Field(gt=0)]] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    """Activations of a family's feature; the letter's is 1."""
    small_halves: list[Annotated[float, Field(gt=0, le=0.5)]] = [0.01, 0.03, 0.06, 0.1, 0.2, 0.5]
    """Shares of the smaller half of a split letter."""


class BlindSettings(SaeSettings):
    """Chapter "Without a probe"."""

    n_seeds: int = Field(default=2, ge=1)
    """SAEs of each architecture and planted world."""
    n_samples_fast: Samples = 4_000_000
    """Samples of each of those."""
    workers: int = Field(default=0, ge=0)
    """Processes that train side by side; 0: one for each CPU core."""
    n_sets: int = Field(default=4, ge=2, le=64)
    """Seeded sets of in-context examples that the words share."""
    f1_jump: float = Field(default=0.03, gt=0, lt=1)
    """Rise of F1 by which a further latent counts as a main one (paper: .03)."""

    @property
    def seeds(self) -> list[int]:
        """The seeds of the planted worlds' SAEs."""
        return list(range(self.seed, self.seed + self.n_seeds))

"""Settings of the chapters on the language model: their parameters, ranges and defaults."""

from __future__ import annotations

from pydantic import Field

from absorption.settings import ModelSettings, SaeSettings

DEPTHS = [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30]
"""Depths (blocks applied) shown by default: the embedding, every third layer of the embedded model, the last."""


class SpellingSettings(ModelSettings):
    """Chapter 1, can the model spell?"""

    n_words: int = Field(3000, ge=0)
    """Words asked with all in-context examples; 0: the whole vocabulary."""
    n_examples: int = Field(10, ge=1, le=100)
    """In-context examples (the paper uses 10)."""
    n_sets: int = Field(4, ge=2, le=64)
    """Seeded sets of in-context examples that the words share."""
    curve_examples: list[int] = [0, 1, 2, 5, 10, 20]
    """Numbers of in-context examples compared."""
    curve_words: int = Field(500, ge=26)
    """Words used for that comparison."""
    patch_words: int = Field(100, ge=10)
    """Words whose residual stream is replaced."""
    patch_every: int = Field(3, ge=1)
    """Replace at every n-th depth."""


class ProbeSettings(ModelSettings):
    """Chapter 2, probe baselines."""

    n_sets: int = Field(4, ge=2, le=64)
    """Seeded sets of in-context examples that the words share."""
    hook_name: str = "blocks.8.hook_resid_post"
    """The hook that the later chapters' SAEs read; several seeds are run here."""
    n_seeds: int = Field(3, ge=1, le=20)
    """Splits into training and test words at that hook."""
    every: int = Field(3, ge=1)
    """Probe at every n-th depth from the embedding to the last layer."""


class RecallGapSettings(SaeSettings):
    """Chapter 3, the recall gap."""

    n_sets: int = Field(4, ge=2, le=64)
    """Seeded sets of in-context examples that the words share."""
    compare: bool = True
    """Also score the shipped SAEs that read the same model (for the curves against L0 and width)."""
    selection: str = Field("encoder cosine", pattern="^(encoder cosine|k=1 probing|best F1)$")
    """How the letter's latent is chosen where only one choice is shown."""


def every_depth(n_layers: int, every: int) -> list[int]:
    """0, every, 2 * every, ... and the last depth."""
    return sorted({*range(0, n_layers + 1, every), n_layers})

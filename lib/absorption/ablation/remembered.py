"""Effects of single latents that were computed before: one word and latent has one effect, whatever is asked of it."""

from __future__ import annotations

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.ablation.effects import removal_effects
from absorption.ablation.engine import RemovalEngine
from absorption.ablation.word_latent_pairs import WordLatentPairs


class RememberedEffects:
    """``removal_effects`` that makes no pass twice: several choices of main latents share most of their candidates."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._effects: dict[tuple[int, int, float], float] = {}

    def add(self, effects: pd.DataFrame) -> None:
        """Take over effects of the same engine, in the columns of ``all_effects``."""
        keys = zip(*(effects[name].tolist() for name in ("word", "latent", "activation")), strict=True)
        self._effects.update(zip(keys, effects["effect"].tolist(), strict=True))

    def __call__(
        self, engine: RemovalEngine, rows: WordLatentPairs, before: Float[Tensor, " row"]
    ) -> Float[Tensor, " row"]:
        """As ``removal_effects``; rows that were seen before, with the same activation, cost nothing."""
        parts = (rows.words, rows.latents, rows.activations)
        keys = list(zip(*(part.tolist() for part in parts), strict=True))
        new = torch.tensor([key not in self._effects for key in keys], dtype=torch.bool)
        found = removal_effects(engine, rows[new], before[new])
        self._effects.update(
            zip([key for key in keys if key not in self._effects], found.tolist(), strict=True)
        )
        return torch.tensor([self._effects[key] for key in keys], dtype=before.dtype)

"""Keys and values of a shared prefix: run the in-context examples once, then only what follows them."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import DynamicCache

from absorption.models.language_model import LanguageModel


class Prefix:
    """A prefix that has passed through the model; ``expand`` gives a batch of continuations their own cache.

    ``DynamicCache`` cannot be cropped back on sliding-window layers, so every batch gets a fresh copy.
    """

    def __init__(
        self, model: LanguageModel, tokens: Int[Tensor, " position"], depth: int | None = None
    ) -> None:
        """Run the prefix through the first ``depth`` blocks (default all)."""
        self.length = len(tokens)
        self._cache = DynamicCache(config=model.hf.config)
        depth = model.n_layers if depth is None else max(depth, 1)
        model.residual_streams(
            tokens[None], [depth], past_key_values=self._cache, use_cache=True
        )

    @torch.inference_mode()
    def expand(self, n: int) -> DynamicCache:
        """A cache of its own for a batch of ``n`` continuations."""
        cache = copy.deepcopy(self._cache)
        for layer in cache.layers:
            if layer.is_initialized:
                layer.batch_repeat_interleave(n)
        return cache

"""Keys and values of a shared prefix: run the in-context examples once, then only what follows them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from jaxtyping import Int
from torch import Tensor
from transformers import DynamicCache

from absorption.models.language_model import LanguageModel

KEPT = 32
"""Prefixes kept by a model, a few megabytes each."""


class Prefix:
    """A prefix that has passed through the model; ``expand`` gives a batch of continuations their own cache.

    ``DynamicCache`` cannot be cropped back on sliding-window layers, so every batch gets a fresh one. It holds
    views of the prefix's keys and values: the model's first step copies them once, when it appends its own.
    """

    def __init__(
        self, model: LanguageModel, tokens: Int[Tensor, " position"], depth: int | None = None
    ) -> None:
        """Run the prefix through the first ``depth`` blocks (default all)."""
        self.length = len(tokens)
        self._cache = DynamicCache(config=model.hf.config)
        depth = model.n_layers if depth is None else max(depth, 1)
        model.residual_streams(tokens[None], [depth], past_key_values=self._cache, use_cache=True)

    def expand(self, n: int) -> DynamicCache:
        """A cache of its own for a batch of ``n`` continuations."""
        expanded = copy.copy(self._cache)
        expanded.layers = [_expand_layer(layer, n) for layer in self._cache.layers]
        return expanded


def _expand_layer(layer: Any, n: int) -> Any:
    """A layer's cache whose keys and values are views for ``n`` rows; layers not reached stay empty."""
    expanded = copy.copy(layer)
    if layer.is_initialized:
        expanded.keys = layer.keys.expand(n, -1, -1, -1)
        expanded.values = layer.values.expand(n, -1, -1, -1)
    return expanded


def shared_prefix(model: LanguageModel, tokens: Int[Tensor, " position"], depth: int | None = None) -> Prefix:
    """The prefix from this model's last ones, run only if it was not run before (to at least this depth)."""
    depth = model.n_layers if depth is None else depth
    return keep(model, tuple(tokens.tolist()), lambda: Prefix(model, tokens, depth), depth)


def keep(model: LanguageModel, key: tuple[Any, ...], run: Callable[[], Any], depth: int = 0) -> Any:
    """What ``run`` makes of a prefix, from this model's last ones if it is there (to at least this depth)."""
    kept = model.prefixes
    if key not in kept or kept[key][0] < depth:
        if len(kept) >= KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = (depth, run())
    return kept[key][1]

"""Attention in which all rows of a batch share the keys and values of one prefix.

The rows of a batch differ only after the prefix, so its keys and values are neither copied nor expanded:
the queries of all rows are laid end to end and multiplied with the one prefix matrix of each head.
Registered with Hugging Face's attention interface, this works in every model that uses the interface
(rotary, grouped-query and sliding-window attention, softcapping).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.masking_utils import sdpa_mask

NAME = "absorption_shared_prefix"
UNSUPPORTED = ("s_aux", "position_bias", "cache")
"""Extras of some attention layers (sinks, relative biases, paged caches) that this function does not
compute."""

_prefix: ContextVar[SharedPrefix | None] = ContextVar("shared_prefix", default=None)


class SharedLayer(CacheLayerMixin):
    """One layer's prefix keys and values; ``update`` hands back only what is new."""

    is_sliding = False

    def __init__(self, keys: Float[Tensor, "1 head position d"], values: Float[Tensor, "1 head position d"]):
        super().__init__()
        self.shared_keys, self.shared_values = keys[0], values[0]
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: the prefix is there from the start."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any):
        """The new keys and values, unchanged and not stored."""
        return key_states, value_states

    def get_seq_length(self) -> int:
        """Length of the prefix."""
        return self.shared_keys.shape[-2]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys seen and their offset: the whole prefix, also where a window is slid over it."""
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        """No maximum."""
        return -1


class SharedPrefix(Cache):
    """Keys and values of a prefix, for a model whose attention is ``NAME``."""

    def __init__(self, cache: DynamicCache) -> None:
        layers: list[Any] = cache.layers
        super().__init__(layers=[SharedLayer(layer.keys, layer.values) for layer in layers])

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let the attention layers see this prefix."""
        token = _prefix.set(self)
        try:
            yield
        finally:
            _prefix.reset(token)


def shared_prefix_attention(
    module: nn.Module,
    query: Float[Tensor, "row head position d"],
    key: Float[Tensor, "row kv_head position d"],
    value: Float[Tensor, "row kv_head position d"],
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[Float[Tensor, "row position head d"], None]:
    """Attention over the shared prefix and each row's own positions.

    Raises:
        NotImplementedError: the layer asks for something that is not computed here.
    """
    if unknown := [name for name in UNSUPPORTED if kwargs.get(name) is not None]:
        raise NotImplementedError(f"attention with {', '.join(unknown)}")
    rows, heads, length, width = query.shape
    kv_heads = key.shape[1]
    query = query * (width**-0.5 if scaling is None else scaling)
    # Heads that share keys are neighbours: put them, and the rows, side by side on one axis.
    query = query.reshape(rows, kv_heads, -1, width).transpose(0, 1)
    scores = query @ key.transpose(0, 1).transpose(-1, -2)
    layer = _layer(module)
    if layer is not None:
        flat = query.reshape(kv_heads, -1, width)
        scores = torch.cat(
            [(flat @ layer.shared_keys.transpose(-1, -2)).view(*scores.shape[:-1], -1), scores], dim=-1
        )
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    scores = _mask(scores.view(kv_heads, rows, -1, length, scores.shape[-1]), attention_mask)
    pattern = (
        scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype).view(kv_heads, rows, -1, scores.shape[-1])
    )
    out = pattern[..., -length:] @ value.transpose(0, 1)
    if layer is not None:
        seen = pattern[..., :-length].reshape(kv_heads, -1, layer.shared_keys.shape[-2])
        out = out + (seen @ layer.shared_values).view(out.shape)
    out = out.view(kv_heads, rows, -1, length, width).permute(1, 3, 0, 2, 4)
    return out.reshape(rows, length, heads, width), None


def _layer(module: nn.Module) -> SharedLayer | None:
    prefix = _prefix.get()
    return None if prefix is None else prefix.layers[module.layer_idx]  # type: ignore[index,return-value]


def _mask(scores: Float[Tensor, "kv row group query key"], mask: Tensor | None) -> Tensor:
    """Hide what a query may not see; no row is padded, so one mask serves all."""
    if mask is None:
        raise NotImplementedError("attention without a causal mask")
    return scores.masked_fill(~mask[0, 0], torch.finfo(scores.dtype).min)


def _whole_mask(*args: Any, **kwargs: Any) -> Tensor | None:
    """The full boolean mask, never left to the kernel to imply."""
    return sdpa_mask(*args, **{**kwargs, "allow_is_causal_skip": False})


AttentionInterface.register(NAME, shared_prefix_attention)
AttentionMaskInterface.register(NAME, _whole_mask)

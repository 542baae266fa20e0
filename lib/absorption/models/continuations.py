"""Residual streams of many short continuations of one prefix.

The usual way hands every row of a batch its own copy of the prefix's keys and values. ``SharedPrefixModel`` multiplies
all rows with the one prefix (``models.attention``), on a twin without the bridge's hooks: a third of the time on a CPU.
It is used where it agrees with the usual way.
"""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel

from absorption.base import batches
from absorption.models.attention import NAME, SharedPrefix
from absorption.models.language_model import LanguageModel
from absorption.models.plain import blocks_of, plain_twin
from absorption.models.prefix import keep, shared_prefix
from absorption.models.streams import residual_streams

TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Largest difference between the two ways, relative to a state's norm, by type of the weights. Attention patterns are
float32 in every type; the order of sums alone gives 2e-6 in float32 on a model of 30 layers."""

COPIES = {"cpu": 64}
"""Rows at once: more copies of the prefix leave the processor's cache, and take twice the time."""

LAST = torch.tensor([-1])
"""Only the last position's logits. As an index, not as the number 1: a slice is not contiguous, and PyTorch
then copies the whole unembedding once a row (nine tenths of the time, and gigabytes)."""


class SharedPrefixModel:
    """A twin of a model, on the same weights, whose rows share the keys and values of one prefix."""

    def __init__(self, model: LanguageModel) -> None:
        """Make the twin.

        Raises:
            ValueError: the model cannot be rebuilt from its configuration.
        """
        self._model, self.hf = model, plain_twin(model)
        self.hf.set_attn_implementation(NAME)
        self.blocks = blocks_of(model, self.hf)
        """Its decoder layers."""
        self.batch = batches.USUAL
        """Rows at once, unless the user says otherwise."""

    def prefix(self, tokens: Int[Tensor, " before"]) -> SharedPrefix:
        """Keys and values of a prefix in all blocks, from the model's last ones if they are there."""
        return keep(self._model, (NAME, *tokens.tolist()), lambda: self._run(tokens))

    def residual_streams(
        self, prefix: Int[Tensor, " before"], tokens: Int[Tensor, "row position"], depths: list[int]
    ) -> dict[int, Float[Tensor, "row position d_model"]]:
        """Residual stream at each depth of tokens that follow the prefix."""
        shared = self.prefix(prefix)
        with shared.active():
            tokens = tokens.to(self._model.device)
            return residual_streams(
                self.hf, self.blocks, tokens, depths, past_key_values=shared, use_cache=True
            )

    def logits(
        self, prefix: Int[Tensor, " before"], tokens: Int[Tensor, "row position"]
    ) -> Float[Tensor, "row vocabulary"]:
        """Logits at the last of the tokens that follow the prefix."""
        shared = self.prefix(prefix)
        with shared.active(), torch.inference_mode():
            return _last_logits(self.hf, tokens.to(self._model.device), shared)

    def _run(self, tokens: Int[Tensor, " before"]) -> SharedPrefix:
        cache = DynamicCache()
        with torch.inference_mode(False), torch.no_grad():  # gradients may be taken behind it
            self.hf(tokens[None].to(self._model.device), past_key_values=cache, use_cache=True)
        return SharedPrefix(cache)


class CopiedPrefixModel:
    """The model as it is; every row gets its own copy of the prefix's keys and values."""

    def __init__(self, model: LanguageModel, depth: int) -> None:
        self._model, self._depth = model, depth
        self.batch = COPIES.get(model.device.type, batches.USUAL)
        """Rows at once, unless the user says otherwise."""

    def residual_streams(
        self, prefix: Int[Tensor, " before"], tokens: Int[Tensor, "row position"], depths: list[int]
    ) -> dict[int, Float[Tensor, "row position d_model"]]:
        """Residual stream at each depth of tokens that follow the prefix."""
        copies = shared_prefix(self._model, prefix, depth=self._depth).expand(len(tokens))
        return self._model.residual_streams(tokens, depths, past_key_values=copies, use_cache=True)

    def logits(
        self, prefix: Int[Tensor, " before"], tokens: Int[Tensor, "row position"]
    ) -> Float[Tensor, "row vocabulary"]:
        """Logits at the last of the tokens that follow the prefix."""
        copies = shared_prefix(self._model, prefix).expand(len(tokens))
        with torch.inference_mode():
            return _last_logits(self._model.hf, tokens.to(self._model.device), copies)


def _last_logits(hf: PreTrainedModel, tokens: Tensor, past: Cache) -> Tensor:
    return hf(tokens, past_key_values=past, use_cache=True, logits_to_keep=LAST).logits[:, -1]


def continuing(
    model: LanguageModel, prefix: Int[Tensor, " before"], tokens: Int[Tensor, "row position"], depth: int
) -> SharedPrefixModel | CopiedPrefixModel:
    """The fast way if there is one and it agrees with the usual way on these tokens; else the usual, with a warning.

    Args:
        model: a loaded model; the answer is kept with it.
        prefix: what the tokens follow.
        tokens: some of what will be asked.
        depth: the deepest that will be asked.
    """
    return keep(model, ("continuing",), lambda: _choose(model, prefix, tokens, depth), depth)


def _choose(
    model: LanguageModel, prefix: Tensor, tokens: Tensor, depth: int
) -> SharedPrefixModel | CopiedPrefixModel:
    usual = CopiedPrefixModel(model, depth)
    expected = usual.residual_streams(prefix, tokens, [depth])[depth].double()
    try:
        with torch.inference_mode(False):  # it outlives the caller's mode
            fast = SharedPrefixModel(model)
        found = fast.residual_streams(prefix, tokens, [depth])[depth].double()
        difference = float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())
        reason = (
            "" if difference <= TOLERANCE[model.dtype] else f"states differ by {difference:.1e} of their norm"
        )
    except Exception as error:  # any architecture may be asked for; the usual way serves them all
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
    if reason:
        warnings.warn(
            f"{model.name}: every word gets a copy of the prefix, which is slower ({reason}).", stacklevel=2
        )
        return usual
    return fast

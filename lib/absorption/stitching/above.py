"""Next-token loss from given activations on: the blocks above an SAE alone, the ones below are passed over."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.models.language_model import LanguageModel
from absorption.models.plain import blocks_of, plain_twin


class Above:
    """What a model makes of activations behind one of its blocks, on a twin without hooks."""

    def __init__(self, model: LanguageModel, depth: int) -> None:
        """Take a twin of the model apart.

        Args:
            model: a loaded model.
            depth: blocks that are passed over.

        Raises:
            ValueError: there is no block to pass over, or the model cannot be rebuilt from its configuration.
        """
        if depth == 0:
            raise ValueError("Losses are measured for SAEs behind a block; these read the embedding.")
        self._hf, self._device, self._given = plain_twin(model), model.device, torch.empty(0)
        blocks = blocks_of(model, self._hf)
        self._as_tuple = self._gives_tuples(blocks[0])
        for block in blocks[:depth]:
            block.forward = self._hand_on

    @torch.inference_mode()
    def losses(
        self,
        tokens: Int[Tensor, "window position"],
        acts: Float[Tensor, "window position d_model"],
        batch: int = 8,
    ) -> Float[Tensor, "window predicted"]:
        """Loss in nats at every position but the last.

        Args:
            tokens: token ids, BOS first.
            acts: what the blocks above are given.
            batch: windows at once.
        """
        found = []
        for part, given in zip(tokens.split(batch), acts.split(batch), strict=True):
            self._given = given.to(self._device)
            logits = self._hf(part.to(self._device), use_cache=False).logits[:, :-1].float()
            right = logits.gather(-1, part[:, 1:, None].to(self._device))[..., 0]
            found.append((logits.logsumexp(-1) - right).cpu())
        return torch.cat(found)

    @torch.inference_mode()
    def _gives_tuples(self, block: torch.nn.Module) -> bool:
        seen: list[bool] = []
        handle = block.register_forward_hook(lambda _block, _args, out: seen.append(isinstance(out, tuple)))
        self._hf(torch.zeros(1, 1, dtype=torch.long, device=self._device), use_cache=False)
        handle.remove()
        return seen[0]

    def _hand_on(self, *_args: Any, **_more: Any) -> Any:
        return (self._given,) if self._as_tuple else self._given

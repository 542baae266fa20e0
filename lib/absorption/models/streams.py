"""The residual stream at some depths of a Hugging Face model, computing no block beyond the deepest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class _StopForward(Exception):
    """Raised by a hook to leave the forward pass once what was wanted has been seen."""


@torch.inference_mode()
def residual_streams(
    hf: nn.Module,
    blocks: Sequence[nn.Module] | nn.ModuleList,
    tokens: Int[Tensor, "batch position"],
    depths: list[int],
    **forward: Any,
) -> dict[int, Float[Tensor, "batch position d_model"]]:
    """What goes into the first block (depth 0) or comes out of the block before (1 and more).

    Args:
        hf: a causal language model.
        blocks: its decoder layers, in order.
        tokens: token ids, on the model's device.
        depths: blocks applied, 0 (embedding) to their number.
        forward: passed to the model (``past_key_values``, say).

    Raises:
        RuntimeError: a block did not run.
    """
    seen: dict[int, Tensor] = {}
    deepest = max(depths)

    def before(_module: nn.Module, args: tuple, kwargs: dict) -> None:
        seen[0] = args[0] if args else kwargs["hidden_states"]
        if deepest == 0:
            raise _StopForward

    def after(depth: int):
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            seen[depth] = output[0] if isinstance(output, tuple) else output
            if depth == deepest:
                raise _StopForward

        return hook

    handles = [blocks[depth - 1].register_forward_hook(after(depth)) for depth in depths if depth]
    if 0 in depths:
        handles.append(blocks[0].register_forward_pre_hook(before, with_kwargs=True))
    try:
        hf(tokens, **forward)
    except _StopForward:
        pass
    finally:
        for handle in handles:
            handle.remove()
    if missing := set(depths) - set(seen):
        raise RuntimeError(f"No block reported the residual stream at depths {sorted(missing)}.")
    return seen

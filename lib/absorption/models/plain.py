"""A second view of a model's weights: plain Hugging Face modules without the bridge's hooks.

The bridge wraps every module, which costs time in each pass. The plain twin shares the weights' memory, so
it is free to be taken apart: the ablation engine passes its lower blocks through and shortens its
unembedding.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from absorption.models.language_model import LanguageModel

_WRAPPER = "._original_component"


def plain_twin(model: LanguageModel) -> PreTrainedModel:
    """A Hugging Face model with the same weights, in the same memory.

    Raises:
        ValueError: some weight of a fresh model of this class has no counterpart in the loaded one.
    """
    hf = model.hf
    with torch.device("meta"):
        twin = type(hf)(copy.deepcopy(hf.config))
    own = _unwrapped(hf)
    for name, meta in [
        *twin.named_parameters(remove_duplicate=False),
        *twin.named_buffers(remove_duplicate=False),
    ]:
        if name not in own or own[name].shape != meta.shape:
            raise ValueError(f"weight {name!r} of {type(hf).__name__} is not in the loaded model")
        _put(twin, name, own[name])
    return twin.eval().requires_grad_(False)


def blocks_of(model: LanguageModel, twin: PreTrainedModel) -> list[nn.Module]:
    """The twin's decoder blocks, in order."""
    paths = {id(module): name for name, module in model.hf.named_modules()}
    return [twin.get_submodule(paths[id(block)].replace(_WRAPPER, "")) for block in model.blocks]


def shorten(unembedding: Any, answer_ids: Int[Tensor, " letter"]) -> None:
    """Let the unembedding compute the answers' rows only; softcaps and scales behind it still apply."""
    rows = answer_ids.to(unembedding.weight.device)
    weight, bias = unembedding.weight[rows], getattr(unembedding, "bias", None)
    bias = None if bias is None else bias[rows]
    unembedding.forward = lambda hidden: nn.functional.linear(hidden, weight, bias)


def _unwrapped(hf: nn.Module) -> dict[str, Tensor]:
    tensors = [*hf.named_parameters(remove_duplicate=False), *hf.named_buffers(remove_duplicate=False)]
    return {name.replace(_WRAPPER, ""): tensor for name, tensor in tensors}


def _put(twin: nn.Module, name: str, tensor: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    owner = twin.get_submodule(path)
    if leaf in owner._parameters:
        owner._parameters[leaf] = nn.Parameter(tensor, requires_grad=False)
    else:
        owner._buffers[leaf] = tensor

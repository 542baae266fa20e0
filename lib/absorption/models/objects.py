"""Models in memory: a Hugging Face model or TransformerLens' bridge, put behind the library's own class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from absorption.models.language_model import LanguageModel, wrap_model

KEPT = "_absorption_model"
"""Where a model's own bridge is kept: the bridge wraps the modules of a model, and wraps them once only."""
ALLOWED = "allowed: the embedded model's name, a folder, a Hugging Face id or model, or a TransformerBridge."


def wrap_object(model: object, tokenizer: object = None) -> LanguageModel:
    """A model in memory as the library's own class; its weights stay where and what they are.

    Args:
        model: a Hugging Face model, TransformerLens' bridge, or a ``LanguageModel``.
        tokenizer: the model's; needed for a Hugging Face model, and for a bridge that has none.

    Raises:
        TypeError: another kind of object, or a tokenizer that is none.
        ValueError: no tokenizer, or a bridge that no longer computes what the model does.
    """
    if isinstance(model, LanguageModel):
        return model
    if isinstance(model, TransformerBridge):
        _check_bridge(model)
        found = _tokenizer(tokenizer if tokenizer is not None else model.tokenizer, "a TransformerBridge")
        return LanguageModel(name=str(model.cfg.model_name), bridge=model, tokenizer=found)  # type: ignore[arg-type]
    if not isinstance(model, PreTrainedModel):
        raise TypeError(f"model is a {type(model).__name__}; {ALLOWED}")
    if kept := model.__dict__.get(KEPT):
        return kept
    found = _tokenizer(tokenizer, "a Hugging Face model")
    wrapped = wrap_model(model, found, name=_name(model))
    model.__dict__[KEPT] = wrapped  # past nn.Module, which would make the bridge a part of the model
    return wrapped


@contextmanager
def state_kept(model: object) -> Iterator[None]:
    """Give a model in memory back as it was found: in training or not, and with the same gradients asked for.

    Its modules stay behind the bridge's, which compute the same; what the bridge adds (a bias of zeros, say) is asked
    for no gradient.
    """
    inner: Any = model.original_model if isinstance(model, TransformerBridge) else model
    if not isinstance(inner, PreTrainedModel):
        yield
        return
    training = inner.training
    asked = {parameter: parameter.requires_grad for parameter in inner.parameters()}
    inner.eval()
    try:
        yield
    finally:
        inner.train(training)
        for parameter in inner.parameters():
            parameter.requires_grad_(asked.get(parameter, False))


def _check_bridge(bridge: TransformerBridge) -> None:
    if bridge.compatibility_mode:
        raise ValueError(
            "model is a TransformerBridge in compatibility mode, whose weights are folded; "
            "allowed: one as boot_transformers makes it."
        )
    if attached := list(getattr(bridge, "acts_to_saes", {})):
        raise ValueError(f"model has SAEs attached at {', '.join(attached)}; detach them with reset_saes().")


def _tokenizer(tokenizer: object, of: str) -> PreTrainedTokenizerBase:
    if tokenizer is None:
        raise ValueError(
            f"tokenizer is missing; {of} in memory needs one: tokenizer=AutoTokenizer.from_pretrained(...)."
        )
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise TypeError(f"tokenizer is a {type(tokenizer).__name__}; allowed: a tokenizer of transformers.")
    return tokenizer


def _name(hf: Any) -> str:
    return str(getattr(hf.config, "_name_or_path", "") or "") or "in-memory"

"""What decides a language model's outputs besides its weights, and a text's tokens besides the text."""

from __future__ import annotations

import json
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

ORIGIN = ("_name_or_path", "architectures", "transformers_version")
"""Fields of a configuration that say where a model comes from, not what it does: the class that computes is named
anyway, and the installed version of transformers is in every key."""


def configuration(hf: PreTrainedModel) -> dict[str, Any]:
    """All fields of the model's configuration but its origin, the class that reads them, and its attention.

    Two models of the same weights can differ in any of them: the base of the rotary embedding, the norms' epsilon,
    a cap on the logits. Fields that nothing reads are in it too; that costs a computation, the reverse a wrong result.
    """
    fields = json.loads(hf.config.to_json_string(use_diff=False))
    kept = {name: value for name, value in fields.items() if name not in ORIGIN}
    return {"class": type(hf).__name__, "attention": hf.config._attn_implementation, "fields": kept}


def tokenizing(tokenizer: PreTrainedTokenizerBase) -> list[Any]:
    """Class and vocabulary, and where it has one the whole pipeline of normaliser, merges and special tokens."""
    facts: list[Any] = [type(tokenizer).__name__, sorted(tokenizer.get_vocab().items())]
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:  # written in Python, so that its settings are the arguments it was made with
        return [*facts, repr(sorted(tokenizer.init_kwargs.items())), repr(tokenizer.special_tokens_map)]
    pipeline = json.loads(backend.to_str())
    # How a batch is cut and filled up is the state of the last call.
    return [*facts, {name: part for name, part in pipeline.items() if name not in ("truncation", "padding")}]

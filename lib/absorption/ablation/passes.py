"""Forward passes from the word onward: the one primitive of the ablation engine.

Both classes answer the same question. A row is a word's prompt in which the residual stream at the word's
token, at the SAE's place, is replaced by a given state; the answer is the 26 letters' logits at the last
token. ``FastPass`` computes only what can change; ``FullPass`` runs the whole prompt.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from absorption.models.attention import SharedPrefix
from absorption.models.continuations import SharedPrefixModel
from absorption.models.language_model import LanguageModel
from absorption.models.plain import blocks_of, plain_twin, shorten
from absorption.spelling.prompts import SpellingPrompts


class Pass(Protocol):
    """What the engine needs of a way to compute."""

    def states(self, words: Int[Tensor, " row"]) -> Float[Tensor, "row d_model"]:
        """Residual stream at each word's token."""
        ...

    def logits(
        self, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, "row 26"]:
        """Answer logits with the word's state replaced; words of one example set."""
        ...

    def forget(self) -> None:
        """Drop what is kept of each word."""
        ...


class FullPass:
    """Whole prompts through the whole model: slow, and right for every architecture."""

    def __init__(
        self, model: LanguageModel, prompts: SpellingPrompts, depth: int, *, plain: bool = False
    ) -> None:
        """Use the model as it is, or (``plain``) a twin without hooks that computes the 26 answers only.

        Raises:
            ValueError: ``plain``, and the model cannot be rebuilt from its configuration.
        """
        self.prompts, self.depth, self.device = prompts, depth, model.device
        self.hf = plain_twin(model) if plain else model.hf
        self.blocks = blocks_of(model, self.hf) if plain else list(model.blocks)
        self._answers = slice(None) if plain else prompts.answer_ids.to(model.device)
        if plain:
            shorten(self.hf.get_output_embeddings(), prompts.answer_ids)
        takes = inspect.signature(type(self.hf).forward).parameters
        self._last_only = {"logits_to_keep": torch.tensor([-1])} if "logits_to_keep" in takes else {}

    def states(self, words: Int[Tensor, " row"]) -> Float[Tensor, "row d_model"]:
        """Residual stream at each word's token."""
        seen: list[Tensor] = []
        self._run(words, lambda stream: seen.append(stream[:, self.prompts.word_position].clone()) or stream)
        return seen[0]

    def logits(
        self, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, "row 26"]:
        """Answer logits with the word's state replaced."""
        at = self.prompts.word_position
        return self._run(words, lambda stream: replace_position(stream, at, states))

    def forget(self) -> None:
        """Nothing is kept."""

    def _run(self, words: Int[Tensor, " row"], edit: Callable[[Tensor], Tensor]) -> Float[Tensor, "row 26"]:
        handle = edit_stream(self.blocks, self.depth, edit)
        try:
            tokens = self.prompts.tokens(words.cpu()).to(self.device)
            out = self.hf(tokens, use_cache=False, **self._last_only).logits[:, -1]
        finally:
            handle.remove()
        return out[:, self._answers]


class FastPass:
    """Only the tokens from the word on, only the blocks above the SAE, over the prefix's kept keys and values.

    Each word's residual streams below the SAE are kept too (some kilobytes a word) until ``forget``.
    """

    def __init__(self, model: LanguageModel, prompts: SpellingPrompts, depth: int) -> None:
        """Take a plain twin of the model apart.

        Raises:
            ValueError: the model cannot be rebuilt from its configuration.
        """
        self.prompts, self.depth, self.device = prompts, depth, model.device
        self._shared = SharedPrefixModel(model)
        self.twin, self.blocks = self._shared.hf, self._shared.blocks
        self._entry: Tensor | None = None
        self._returns_tuple = False
        self._prefixes: dict[int, SharedPrefix] = {}
        self._tails: dict[int, Tensor] = {}
        for block in self.blocks[:depth]:
            block.forward = self._skippable(block.forward)
        if depth == 0:
            self.blocks[0].register_forward_pre_hook(self._enter, with_kwargs=True)
        shorten(self.twin.get_output_embeddings(), prompts.answer_ids)

    def states(self, words: Int[Tensor, " row"]) -> Float[Tensor, "row d_model"]:
        """Residual stream at each word's token."""
        return self._tail(words)[:, 0]

    def logits(
        self, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, "row 26"]:
        """Answer logits with the word's state replaced; all words of one example set."""
        prefix = self._prefix(words)
        self._entry = replace_position(self._tail(words), 0, states)
        try:
            return self._continue(prefix, self._entry.new_zeros(self._entry.shape[:2], dtype=torch.long))
        finally:
            self._entry = None

    def forget(self) -> None:
        """Drop the words' residual streams; the prefixes, which all words share, stay."""
        self._tails.clear()

    def _tail(self, words: Int[Tensor, " row"]) -> Float[Tensor, "row position d_model"]:
        """Residual streams at the SAE's place from the word on, computed once a word and kept."""
        missing = [word for word in dict.fromkeys(words.tolist()) if word not in self._tails]
        if missing:
            with torch.inference_mode(False), torch.no_grad():
                self._tails.update(zip(missing, self._streams(torch.tensor(missing)), strict=True))
        return torch.stack([self._tails[word] for word in words.tolist()])

    def _streams(self, words: Int[Tensor, " row"]) -> Float[Tensor, "row position d_model"]:
        prefix = self._prefix(words)
        seen: list[Tensor] = []
        handle = edit_stream(self.blocks, self.depth, lambda stream: seen.append(stream) or stream)
        suffix = self.prompts.suffix.expand(len(words), -1)
        try:
            self._continue(prefix, torch.cat([self.prompts.word_ids[words, None], suffix], dim=1))
        finally:
            handle.remove()
        return seen[0]

    def _continue(self, prefix: SharedPrefix, tokens: Int[Tensor, "row position"]) -> Float[Tensor, "row 26"]:
        with prefix.active():
            out = self.twin(
                tokens.to(self.device),
                past_key_values=prefix,
                use_cache=True,
                logits_to_keep=torch.tensor([-1]),
            )
        return out.logits[:, -1]

    def _prefix(self, words: Int[Tensor, " row"]) -> SharedPrefix:
        """Keys and values of the words' example set, computed once a model: they are the same at every depth."""
        sets = self.prompts.example_set[words.cpu()].unique()
        if len(sets) != 1:
            raise ValueError(f"the words are of {len(sets)} example sets; one pass takes one.")
        number = int(sets)
        if number not in self._prefixes:
            tokens = self.prompts.prefixes[number]
            self._prefixes[number] = self._shared.prefix(tokens)
        return self._prefixes[number]

    def _skippable(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """A block's forward that hands on the entry states, without computing, while there are some."""

        def run(*args: Any, **kwargs: Any) -> Any:
            if self._entry is not None:
                return (self._entry,) if self._returns_tuple else self._entry
            out = forward(*args, **kwargs)
            self._returns_tuple = isinstance(out, tuple)
            return out

        return run

    def _enter(self, _block: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        return None if self._entry is None else with_hidden(args, kwargs, self._entry)


def replace_position(
    stream: Float[Tensor, "row position d_model"], at: int, states: Float[Tensor, "row d_model"]
) -> Float[Tensor, "row position d_model"]:
    """The stream with other states at one position (a copy, so that gradients reach the states)."""
    return torch.cat([stream[:, :at], states[:, None].to(stream), stream[:, at + 1 :]], dim=1)


def with_hidden(args: tuple, kwargs: dict, hidden: Tensor) -> tuple[tuple, dict]:
    """A block's arguments with other hidden states."""
    return ((hidden, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": hidden})


def edit_stream(blocks: list[nn.Module], depth: int, edit: Callable[[Tensor], Tensor]):
    """Hook that passes the residual stream after ``depth`` blocks through ``edit``; returns its handle."""
    if depth == 0:

        def before(_block: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            return with_hidden(args, kwargs, edit(args[0] if args else kwargs["hidden_states"]))

        return blocks[0].register_forward_pre_hook(before, with_kwargs=True)

    def after(_block: nn.Module, _args: Any, output: Any) -> Any:
        return (edit(output[0]), *output[1:]) if isinstance(output, tuple) else edit(output)

    return blocks[depth - 1].register_forward_hook(after)

"""In-context spelling prompts, as token ids: ``{word} has the first letter: {Capital}``.

All prompts share a few seeded sets of examples, so that everything before the word is the same for many
words and is computed once. The word is inserted as its one token; nothing is tokenised again, so all prompts
of a set have one length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor

from absorption.models.language_model import LanguageModel
from absorption.spelling.task import FIRST_LETTER, Task
from absorption.spelling.vocab import LETTERS

SEPARATOR = "\n"


@dataclass(frozen=True)
class SpellingPrompts:
    """Prompts for a table of words. Word ``i`` reads ``prefixes[example_set[i]] + word_ids[i] + suffix``."""

    prefixes: Int[Tensor, "set prefix_position"]
    """BOS and the worked examples of each set."""
    suffix: Int[Tensor, " suffix_position"]
    """The tokens from after the word to the colon; the answer is predicted at the last one."""
    word_ids: Int[Tensor, " word"]
    example_set: Int[Tensor, " word"]
    answer_ids: Int[Tensor, " letter"]
    """The tokens of `` A`` ... `` Z``, or of the labels of another task."""
    letters: Int[Tensor, " word"]
    """Index of each word's first letter, 0 to 25, or of its label."""
    seed: int
    task: Task = FIRST_LETTER

    @property
    def names(self) -> tuple[str, ...]:
        """The labels, in the order of the answers."""
        return self.task.names

    @property
    def word_position(self) -> int:
        """Position of the word's token, the same in every prompt."""
        return self.prefixes.shape[1]

    def tokens(self, index: Int[Tensor, " batch"]) -> Int[Tensor, "batch position"]:
        """Whole prompts of some words."""
        prefix = self.prefixes[self.example_set[index]]
        suffix = self.suffix.expand(len(index), -1)
        return torch.cat([prefix, self.word_ids[index, None], suffix], dim=1)

    def rows(self, index: Int[Tensor, " batch"]) -> SpellingPrompts:
        """The prompts of some words, each with the examples that it had."""
        return replace(
            self,
            word_ids=self.word_ids[index],
            example_set=self.example_set[index],
            letters=self.letters[index],
        )


def make_prompts(
    model: LanguageModel,
    words: pd.DataFrame,
    *,
    n_examples: int = 10,
    n_sets: int = 4,
    seed: int = 0,
    example_pool: pd.DataFrame | None = None,
    task: Task = FIRST_LETTER,
) -> SpellingPrompts:
    """Prompts for every word, each with one of ``n_sets`` seeded sets of examples.

    Args:
        words: table from ``vocab.load_vocab``.
        n_examples: worked examples before the word (the paper uses 10); 0 is allowed.
        n_sets: sets of examples; each word gets one at random, never one that holds the word itself.
        seed: fixes examples and assignment (the reference code draws them anew, unseeded, in each stage).
        example_pool: words to draw examples from; default the words themselves, of at least three letters.
        task: what is asked; default the first letter.

    Raises:
        ValueError: the tokenizer splits an answer letter, so that one logit is not one letter; two answers have
            one first token; too few words to draw the examples from.
    """
    generator = np.random.default_rng(seed)
    suffix = encode(model, task.template)
    answer_ids = torch.tensor(_answer_ids(model, task))
    pool = words if example_pool is None else example_pool
    pool = pool[pool["n_letters"] >= 3] if (pool["n_letters"] >= 3).sum() >= n_examples * n_sets else pool
    if n_examples > len(pool):
        raise ValueError(
            f"n_examples is {n_examples}; allowed: 0 to {len(pool)}, the words to draw them from."
        )
    drawn = [generator.choice(len(pool), size=n_examples, replace=False) for _ in range(n_sets)]
    prefixes = [_prefix(model, pool.iloc[rows], suffix, answer_ids, task.names) for rows in drawn]
    in_set = np.array([words["word"].isin(set(pool.iloc[rows]["word"])) for rows in drawn])
    return SpellingPrompts(
        prefixes=torch.stack(prefixes),
        suffix=suffix,
        word_ids=torch.tensor(words["token_id"].to_numpy()),
        example_set=torch.from_numpy(_assign(generator, in_set)),
        answer_ids=answer_ids,
        letters=letter_index(words, task.names),
        seed=seed,
        task=task,
    )


def letter_index(words: pd.DataFrame, names: tuple[str, ...] = LETTERS) -> Int[Tensor, " word"]:
    """Index of each word's letter (or label) among the names."""
    return torch.from_numpy(words["letter"].map(names.index).to_numpy(dtype=np.int64).copy())


def encode(model: LanguageModel, text: str) -> Int[Tensor, " position"]:
    """Token ids of a continuation: no BOS, and no extra space in front."""
    anchor = model.tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = model.tokenizer("a" + text, add_special_tokens=False)["input_ids"]
    if whole[: len(anchor)] != anchor:
        whole, anchor = model.tokenizer(text, add_special_tokens=False)["input_ids"], []
    return torch.tensor(whole[len(anchor) :], dtype=torch.long)


def _answer_ids(model: LanguageModel, task: Task) -> list[int]:
    """One token an answer, all different."""
    if task.whole:
        return [_single(model, answer) for answer in task.answers]
    ids = [int(encode(model, answer)[0]) for answer in task.answers]
    for number, one in enumerate(ids):
        if (other := ids.index(one)) < number:
            raise ValueError(
                f"labels {task.names[other]!r} and {task.names[number]!r} have answers that begin with the same "
                "token; rename one of them."
            )
    return ids


def _single(model: LanguageModel, text: str) -> int:
    ids = encode(model, text)
    if len(ids) != 1:
        raise ValueError(
            f"The tokenizer splits the answer {text!r} into {len(ids)} tokens; one token a letter is needed."
        )
    return int(ids[0])


def _prefix(
    model: LanguageModel, examples: pd.DataFrame, suffix: Tensor, answer_ids: Tensor, names: tuple[str, ...]
) -> Tensor:
    parts = [torch.tensor([model.bos_token_id])]
    separator = encode(model, SEPARATOR)
    for token_id, letter in zip(examples["token_id"], letter_index(examples, names), strict=True):
        parts += [torch.tensor([token_id]), suffix, answer_ids[letter][None], separator]
    return torch.cat(parts)


def _assign(generator: np.random.Generator, in_set: np.ndarray) -> np.ndarray:
    """A random example set for each word, moved on while the set holds the word."""
    n_sets, n_words = in_set.shape
    chosen = generator.integers(n_sets, size=n_words)
    for _ in range(n_sets):
        clash = in_set[chosen, np.arange(n_words)]
        chosen[clash] = (chosen[clash] + 1) % n_sets
    if in_set[chosen, np.arange(n_words)].any():
        raise ValueError("Some word is among the examples of every set; raise n_sets.")
    return chosen

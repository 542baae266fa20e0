"""Whole words spelled letter by letter: ``{word} is spelled: S H O R T``, beside the first letter alone.

The letters are capitals with a space, one token each, so a word takes as many answers as it has letters, and one
more to end the line. The right letters before each answer are given; where every answer is right, the model would
have written the same on its own, one best letter after the other (greedy decoding).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import batches, cache
from absorption.base.statistics import rate_table
from absorption.models.language_model import LanguageModel
from absorption.models.prefix import shared_prefix
from absorption.spelling.prompts import SEPARATOR, encode, make_prompts
from absorption.spelling.vocab import LETTERS

TEMPLATE = " is spelled:"
END = len(LETTERS)
"""The answer after a word's last letter: the line ends."""
NONE = -1
"""No answer: the word has ended before."""
LONGEST = 12
"""Letters; longer words are pooled, as in the chapter's other tables."""
FIRST_LETTER, FULL_SPELLING = "first letter", "full spelling"
VERSION = 1


class _Enough(Exception):
    """Raised to leave a forward pass before the unembedding."""


def spell_words(
    model: LanguageModel, words: pd.DataFrame, pool: pd.DataFrame, *, n_examples: int = 10, seed: int = 0
) -> pd.DataFrame:
    """How the model spells each word: the words' table with the columns below, cached.

    ``said`` (its answers, ``.`` for the line's end), ``spelled`` (all letters right and then the end),
    ``letters_right`` (share of the letters that are right).

    Args:
        model: a loaded model.
        words: words to spell, from ``vocab.load_vocab``.
        pool: words to draw the worked examples from; those that are asked are left out.
        n_examples: worked examples before the word.
        seed: of the examples.

    Raises:
        ValueError: too few words to draw examples from, or a tokenizer that splits an answer letter.
    """
    answers = torch.cat([make_prompts(model, words, n_examples=0).answer_ids, encode(model, SEPARATOR)[:1]])
    examples = _examples(words, pool, n_examples, seed)
    prefix = _prefix(model, examples, answers)
    inputs = {
        "model": model.identity, "dtype": str(model.dtype), "prefix": prefix.tolist(), "answers": answers.tolist(),
        "words": words["word"].tolist(), "ids": words["token_id"].tolist(), "version": VERSION,
    }  # fmt: skip
    found = cache.cached_tensors(
        "full-spelling", inputs, lambda: {"said": _say(model, words, prefix, answers)}
    )
    return words.assign(**score(words["word"], found["said"]))


def _examples(words: pd.DataFrame, pool: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    free = pool[~pool["word"].isin(set(words["word"])) & (pool["n_letters"] >= 3)]
    if n > len(free):
        raise ValueError(f"n_examples is {n}; allowed: 0 to {len(free)}, the words that are not asked.")
    return free.iloc[np.random.default_rng(seed).choice(len(free), size=n, replace=False)]


def _prefix(model: LanguageModel, examples: pd.DataFrame, answers: Tensor) -> Int[Tensor, " position"]:
    parts = [torch.tensor([model.bos_token_id])]
    template = encode(model, TEMPLATE)
    for token_id, word in zip(examples["token_id"], examples["word"], strict=True):
        parts += [torch.tensor([token_id]), template, answers[truth(word)]]
    return torch.cat(parts)


def truth(word: str) -> list[int]:
    """Right answers: the index of each letter, and ``END``."""
    return [*(LETTERS.index(letter) for letter in word.strip().lower()), END]


@torch.inference_mode()
def _say(
    model: LanguageModel, words: pd.DataFrame, prefix: Int[Tensor, " position"], answers: Int[Tensor, " 27"]
) -> Int[Tensor, "word answer"]:
    """The best of the 27 answers at each place, ``NONE`` behind a word's end; words of one length together."""
    template = encode(model, TEMPLATE)
    lengths = words["word"].str.strip().str.len()
    said = torch.full((len(words), int(lengths.max()) + 1), NONE)
    shared = shared_prefix(model, prefix)
    for length, rows in tqdm(lengths.reset_index(drop=True).groupby(lengths.to_numpy()), desc="Spelling"):
        for index in torch.tensor(rows.index.to_numpy()).split(batches.size(64)):
            spelled = torch.tensor([truth(words["word"].iloc[int(i)])[:-1] for i in index])
            ids = torch.cat(
                [
                    torch.tensor(words["token_id"].to_numpy())[index, None],
                    template.expand(len(index), -1),
                    answers[spelled],
                ],
                dim=1,
            )
            out = _best(model, ids.to(model.device), shared.expand(len(index)), answers, len(template))
            said[index, : int(str(length)) + 1] = out
    return said


def _best(
    model: LanguageModel, ids: Int[Tensor, "word position"], past: Any, answers: Tensor, start: int
) -> Int[Tensor, "word answer"]:
    """Which of the answers is best at each place from ``start`` on; the other rows of the unembedding, nearly all
    of its work, are not computed."""
    head: Any = model.hf.get_output_embeddings()
    seen: list[Tensor] = []

    def stop(_head: torch.nn.Module, args: tuple[Tensor, ...]) -> None:
        seen.append(args[0])
        raise _Enough

    handle = head.register_forward_pre_hook(stop)
    try:
        model.hf(ids, past_key_values=past, use_cache=True, logits_to_keep=torch.arange(start, ids.shape[1]))
    except _Enough:
        pass
    finally:
        handle.remove()
    bias = getattr(head, "bias", None)
    logits = seen[0] @ head.weight[answers].T + (0 if bias is None else bias[answers])
    return logits.argmax(-1).cpu()


def score(words: pd.Series, said: Int[Tensor, "word answer"]) -> dict[str, list]:
    """Columns ``said, spelled, letters_right`` (see ``spell_words``) from the answers' indices."""
    names = [*(letter.upper() for letter in LETTERS), "."]
    right = [truth(word) for word in words]
    given = [row[: len(mine)].tolist() for row, mine in zip(said, right, strict=True)]
    hits = [np.equal(mine, row) for mine, row in zip(right, given, strict=True)]
    return {
        "said": ["".join(names[answer] for answer in row) for row in given],
        "spelled": [bool(hit.all()) for hit in hits],
        "letters_right": [float(hit[:-1].mean()) for hit in hits],
    }


def by_length(asked: pd.DataFrame, spelled: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """First-letter accuracy and full spelling by length: ``task, length, value, low, high, words``.

    Args:
        asked: from ``answers.answer_words`` (``word``, ``correct``); only words that are spelled count.
        spelled: from ``spell_words``.
        seed: of the bootstrap over words.
    """
    mine = spelled[["word", "n_letters", "spelled"]]
    both = mine.merge(asked[["word", "correct"]], on="word", validate="one_to_one")
    both["length"] = both["n_letters"].clip(upper=LONGEST)
    tables = [
        rate_table(both, column, ["length"], seed=seed).assign(task=task)
        for task, column in ((FIRST_LETTER, "correct"), (FULL_SPELLING, "spelled"))
    ]
    return pd.concat(tables, ignore_index=True)[["task", "length", "value", "low", "high", "words"]]

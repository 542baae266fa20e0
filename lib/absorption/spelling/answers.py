"""The model's answers to spelling prompts."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import batches, cache
from absorption.models.continuations import continuing
from absorption.models.language_model import LanguageModel
from absorption.spelling.prompts import SpellingPrompts, make_prompts
from absorption.spelling.task import FIRST_LETTER, Task

VERSION = 2


@dataclass(frozen=True)
class Answers:
    """What the model says after each prompt."""

    letter_logits: Float[Tensor, "word letter"]
    """Logits of `` A`` ... `` Z`` at the answer position."""
    top_token: Int[Tensor, " word"]
    """The most likely token of the whole vocabulary."""


def answer_metric(logits: Float[Tensor, "row 26"], letters: Int[Tensor, " row"]) -> Float[Tensor, " row"]:
    """Logit of the right letter minus the mean logit of the 25 wrong ones (paper, section 4.2)."""
    right = logits.gather(1, letters[:, None])[:, 0]
    return right - (logits.sum(dim=1) - right) / (logits.shape[1] - 1)


@torch.inference_mode()
def ask(
    model: LanguageModel,
    prompts: SpellingPrompts,
    index: Int[Tensor, " word"] | None = None,
    *,
    batch: int | None = None,
) -> Answers:
    """The model's answers for some words, with the prefix's keys and values computed once a set.

    Args:
        index: rows of the prompts; default all.
        batch: words at once; default 64, or as ``batches`` says.
    """
    batch = batch or batches.size(64)
    index = torch.arange(len(prompts.word_ids)) if index is None else index
    texts = torch.cat([prompts.word_ids[index, None], prompts.suffix.expand(len(index), -1)], dim=1)
    logits = torch.empty(len(index), len(prompts.answer_ids))
    top = torch.empty(len(index), dtype=torch.long)
    for number, tokens in enumerate(prompts.prefixes):
        mine = (prompts.example_set[index] == number).nonzero()[:, 0]
        if not len(mine):
            continue
        way = continuing(model, tokens, texts[mine[:2]], model.n_layers)
        for rows in mine.split(batch):
            out = way.logits(tokens, texts[rows])
            logits[rows] = out[:, prompts.answer_ids.to(out.device)].float().cpu()
            top[rows] = out.argmax(-1).cpu()
    return Answers(logits, top)


def answer_words(
    model: LanguageModel,
    words: pd.DataFrame,
    *,
    n_examples: int = 10,
    n_sets: int = 4,
    seed: int = 0,
    task: Task = FIRST_LETTER,
) -> pd.DataFrame:
    """The model's answer for every word: the words' table with the columns below, cached.

    ``answer`` (best of the 26 letters, or of another task's labels), ``correct``, ``top_correct`` (the right letter
    beats the whole vocabulary), ``metric``, ``n_examples``.
    """
    prompts = make_prompts(model, words, n_examples=n_examples, n_sets=n_sets, seed=seed, task=task)
    inputs = {
        "model": model.identity, "dtype": str(model.dtype),
        "prefixes": cache.array_hash(prompts.prefixes.numpy()),
        "words": cache.array_hash(torch.stack([prompts.word_ids, prompts.example_set]).numpy()),
        "question": cache.array_hash(torch.cat([prompts.suffix, prompts.answer_ids]).numpy()),
        "version": VERSION,
    }  # fmt: skip

    def compute() -> dict[str, Tensor]:
        answers = ask(model, prompts)
        return {"letter_logits": answers.letter_logits, "top_token": answers.top_token}

    answers = Answers(**cache.cached_tensors("answers", inputs, compute))
    table = words.copy()
    said = answers.letter_logits.argmax(1)
    table["answer"] = [prompts.names[i] for i in said]
    table["correct"] = (said == prompts.letters).numpy()
    table["top_correct"] = (answers.top_token == prompts.answer_ids[prompts.letters]).numpy()
    table["metric"] = answer_metric(answers.letter_logits, prompts.letters).numpy()
    return table.assign(n_examples=n_examples)


def answer_by_examples(
    model: LanguageModel, words: pd.DataFrame, *, counts: list[int], n_sets: int = 4, seed: int = 0
) -> pd.DataFrame:
    """``answer_words`` for several numbers of in-context examples, one below the other."""
    tables = [
        answer_words(model, words, n_examples=n, n_sets=n_sets, seed=seed)
        for n in tqdm(counts, desc="In-context examples")
    ]
    return pd.concat(tables, ignore_index=True)

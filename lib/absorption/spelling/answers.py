"""The model's answers to spelling prompts, and what becomes of them when the word's residual stream is replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import batches, cache
from absorption.models.language_model import LanguageModel
from absorption.models.prefix import shared_prefix
from absorption.spelling.activations import depth_activations
from absorption.spelling.prompts import SpellingPrompts, make_prompts
from absorption.spelling.vocab import LETTERS, sample_words

Edit = Callable[[Float[Tensor, "batch d_model"], Int[Tensor, " batch"]], Float[Tensor, "batch d_model"]]
"""Maps the residual stream at the word's token (and the words' row numbers) to what shall stand there."""
VERSION = 1
LAST = torch.tensor([-1])
"""Only the answer position's logits. As an index, not as the number 1: a slice is not contiguous, and PyTorch
then copies the whole unembedding once a row (nine tenths of the time, and gigabytes)."""


@dataclass(frozen=True)
class Answers:
    """What the model says after each prompt."""

    letter_logits: Float[Tensor, "word letter"]
    """Logits of `` A`` ... `` Z`` at the answer position."""
    top_token: Int[Tensor, " word"]
    """The most likely token of the whole vocabulary."""

    def metric(self, letters: Int[Tensor, " word"]) -> Float[Tensor, " word"]:
        """Logit of the right letter minus the mean logit of the 25 wrong ones (paper, section 4.2)."""
        right = self.letter_logits.gather(1, letters[:, None])[:, 0]
        wrong = (self.letter_logits.sum(1) - right) / (len(LETTERS) - 1)
        return right - wrong


@torch.inference_mode()
def ask(
    model: LanguageModel,
    prompts: SpellingPrompts,
    index: Int[Tensor, " word"] | None = None,
    *,
    edit: tuple[int, Edit] | None = None,
    batch: int | None = None,
) -> Answers:
    """The model's answers for some words, with the prefix's keys and values computed once a set.

    Args:
        index: rows of the prompts; default all.
        edit: a depth (blocks applied) and what to do to the word's residual stream there.
        batch: words at once; default 64, or as ``batches`` says.
    """
    batch = batch or batches.size(64)
    index = torch.arange(len(prompts.word_ids)) if index is None else index
    logits = torch.empty(len(index), len(LETTERS))
    top = torch.empty(len(index), dtype=torch.long)
    for number, tokens in enumerate(prompts.prefixes):
        mine = (prompts.example_set[index] == number).nonzero()[:, 0]
        prefix = shared_prefix(model, tokens) if len(mine) else None
        for rows in mine.split(batch):
            words = index[rows]
            suffix = prompts.suffix.expand(len(rows), -1)
            ids = torch.cat([prompts.word_ids[words, None], suffix], dim=1).to(model.device)
            handle = _install(model, edit, words)
            try:
                assert prefix is not None
                out = model.hf(
                    ids, past_key_values=prefix.expand(len(rows)), use_cache=True, logits_to_keep=LAST
                ).logits[:, -1]
            finally:
                if handle is not None:
                    handle.remove()
            logits[rows] = out[:, prompts.answer_ids.to(out.device)].float().cpu()
            top[rows] = out.argmax(-1).cpu()
    return Answers(logits, top)


def _install(model: LanguageModel, edit: tuple[int, Edit] | None, words: Tensor):
    """Hook that edits the first new position (the word's token) at a depth."""
    if edit is None:
        return None
    depth, change = edit

    def changed(acts: Tensor) -> Tensor:
        new = change(acts[:, 0], words).to(acts)
        return torch.cat([new[:, None], acts[:, 1:]], dim=1)

    def after(_module, _args, output):
        if isinstance(output, tuple):
            return (changed(output[0]), *output[1:])
        return changed(output)

    def before(_module, args, kwargs):
        if args:
            return (changed(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": changed(kwargs["hidden_states"])}

    if depth == 0:
        return model.blocks[0].register_forward_pre_hook(before, with_kwargs=True)
    return model.blocks[depth - 1].register_forward_hook(after)


def answer_words(
    model: LanguageModel, words: pd.DataFrame, *, n_examples: int = 10, n_sets: int = 4, seed: int = 0
) -> pd.DataFrame:
    """The model's answer for every word: the words' table with the columns below, cached.

    ``answer`` (best of the 26 letters), ``correct``, ``top_correct`` (the right letter beats the whole
    vocabulary), ``metric``, ``n_examples``.
    """
    prompts = make_prompts(model, words, n_examples=n_examples, n_sets=n_sets, seed=seed)
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
    table["answer"] = [LETTERS[i] for i in said]
    table["correct"] = (said == prompts.letters).numpy()
    table["top_correct"] = (answers.top_token == prompts.answer_ids[prompts.letters]).numpy()
    table["metric"] = answers.metric(prompts.letters).numpy()
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


def patch_layers(
    model: LanguageModel,
    words: pd.DataFrame,
    *,
    depths: list[int],
    n_words: int,
    n_sets: int = 4,
    seed: int = 0,
) -> pd.DataFrame:
    """Where the letter sits: the answer after the word's residual stream was replaced at one depth.

    Only words that the model spells right are patched. The other word comes from the same example set, so that
    nothing else of the prompt changes.

    Returns:
        ``word, letter, depth, patch, metric_clean, metric, still_correct, says_other``.
    """
    asked = answer_words(model, words, n_sets=n_sets, seed=seed).assign(row=np.arange(len(words)))
    known = sample_words(asked[asked["correct"]].reset_index(drop=True), n_words, seed)
    prompts = make_prompts(model, words, n_sets=n_sets, seed=seed).rows(torch.tensor(known["row"].to_numpy()))
    clean = ask(model, prompts)
    donors = _donors(prompts, seed)
    streams = depth_activations(model, prompts, depths)
    tables = []
    for depth in tqdm(depths, desc="Patching"):
        mean = streams[depth].mean(0)
        edits: dict[str, Edit] = {
            "mean of all words": lambda acts, _rows, mean=mean: mean.to(acts).expand_as(acts),
            "another word's": lambda _acts, rows, depth=depth: streams[depth][donors[rows]],
        }
        for name, edit in edits.items():
            patched = ask(model, prompts, edit=(depth, edit))
            said = patched.letter_logits.argmax(1)
            tables.append(
                pd.DataFrame(
                    {
                        "word": known["word"],
                        "letter": known["letter"],
                        "depth": depth,
                        "patch": name,
                        "metric_clean": clean.metric(prompts.letters).numpy(),
                        "metric": patched.metric(prompts.letters).numpy(),
                        "still_correct": (said == prompts.letters).numpy(),
                        "says_other": (said == prompts.letters[donors]).numpy(),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def _donors(prompts: SpellingPrompts, seed: int) -> Int[Tensor, " word"]:
    """For each word, a random word of the same example set with another letter."""
    generator = np.random.default_rng(seed)
    sets, letters = prompts.example_set.numpy(), prompts.letters.numpy()
    chosen = []
    for row in range(len(letters)):
        others = np.flatnonzero((sets == sets[row]) & (letters != letters[row]))
        if len(others) == 0:
            others = np.flatnonzero(letters != letters[row])
        chosen.append(int(generator.choice(others)))
    return torch.tensor(chosen)

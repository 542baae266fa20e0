"""The model's answers, against whole prompts and against a model that is known by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch
from tests.ablation.architectures import CONFIGS, tiny_model
from tests.planted_model import GAIN, Planted, plant, word_table
from torch import Tensor

from absorption.models.language_model import LanguageModel
from absorption.spelling import answers
from absorption.spelling.answers import answer_by_examples, answer_metric, answer_words, ask
from absorption.spelling.prompts import SpellingPrompts, make_prompts
from absorption.spelling.task import FIRST_LETTER


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def planted() -> Planted:
    """A model that spells by adding up the letters of all words in the prompt."""
    return plant()


@cache
def tiny(architecture: str) -> tuple[LanguageModel, torch.nn.Module, SpellingPrompts]:
    """A tiny model, its untouched twin, and prompts for 52 words."""
    model, untouched = tiny_model(architecture)
    words = word_table().iloc[::20].reset_index(drop=True)
    words["token_id"] = model.tokenizer.convert_tokens_to_ids(words["word"].tolist())
    return model, untouched, make_prompts(model, words, n_examples=3, n_sets=2)


def _whole(untouched: torch.nn.Module, prompts: SpellingPrompts) -> Tensor:
    """Logits after whole prompts, from a model that the bridge has never touched."""
    with torch.no_grad():
        return untouched(prompts.tokens(torch.arange(len(prompts.word_ids))), use_cache=False).logits[:, -1]


def test_the_metric_is_the_right_logit_minus_the_mean_of_the_25_wrong_ones() -> None:
    logits = torch.zeros(2, 26)
    logits[0, 3], logits[0, 7] = 5.0, 2.5
    logits[1] = torch.arange(26.0)
    metric = answer_metric(logits, torch.tensor([3, 25]))
    assert metric.tolist() == pytest.approx([5 - 2.5 / 25, 25 - 12])  # the mean of 0..24 is 12


@pytest.mark.parametrize("architecture", CONFIGS)
def test_answers_are_those_of_whole_prompts(architecture: str) -> None:
    model, untouched, prompts = tiny(architecture)
    logits = _whole(untouched, prompts)
    found = ask(model, prompts, batch=7)
    torch.testing.assert_close(
        found.letter_logits, logits[:, prompts.answer_ids].float(), rtol=1e-5, atol=1e-5
    )
    assert torch.equal(found.top_token, logits.argmax(1))
    assert found.letter_logits.std(0).min() > 1e-3  # words differ, or agreement would say nothing
    some = torch.tensor([50, 3, 17])
    torch.testing.assert_close(ask(model, prompts, some).letter_logits, found.letter_logits[some])


def _letters_in_prompts(planted: Planted, prompts: SpellingPrompts) -> Tensor:
    """How often each letter begins a word of each prompt: ``word letter``."""
    letters = torch.full((len(planted.model.tokenizer.get_vocab()),), 26)
    letters[planted.words["token_id"].to_numpy()] = prompts.letters
    tokens = prompts.tokens(torch.arange(len(prompts.word_ids)))
    return torch.nn.functional.one_hot(letters[tokens], 27).sum(1)[:, :26]


def _metric_by_hand(counts: Tensor, letters: Tensor, n_examples: int) -> Tensor:
    """The planted model adds ``GAIN`` a letter for prompts with 4 examples; its attention is even."""
    gain = GAIN * (1 + 4 * 8 + 6) / (1 + n_examples * 8 + 6)
    right = counts.gather(1, letters[:, None])[:, 0].double()
    return gain * (right - (counts.sum(1) - right) / 25)


@pytest.mark.parametrize("n_examples", [0, 10])
def test_the_planted_model_answers_as_computed_by_hand(planted: Planted, n_examples: int) -> None:
    prompts = make_prompts(planted.model, planted.words, n_examples=n_examples, n_sets=4)
    table = answer_words(planted.model, planted.words, n_examples=n_examples)
    counts = _letters_in_prompts(planted, prompts)
    expected = _metric_by_hand(counts, prompts.letters, n_examples)
    assert table["metric"].to_numpy() == pytest.approx(expected.numpy(), rel=5e-3, abs=5e-3)
    own = counts.gather(1, prompts.letters[:, None])
    wins = ((counts >= own).sum(1) == 1).numpy()
    loses = (counts > own).any(1).numpy()
    assert wins.any()
    assert table.loc[wins, "correct"].all()
    assert table.loc[wins, "top_correct"].all()
    assert not table.loc[loses, "correct"].any()
    assert (table["correct"] == (table["answer"] == table["letter"])).all()
    assert (table["n_examples"] == n_examples).all()


def test_answers_are_kept_and_asked_again_for_another_question(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, calls = planted.words.iloc[::8].reset_index(drop=True), []
    asked = answers.ask
    monkeypatch.setattr(answers, "ask", lambda *args, **kwargs: calls.append(1) or asked(*args, **kwargs))
    first = answer_words(planted.model, words, n_examples=0)
    pd.testing.assert_frame_equal(answer_words(planted.model, words, n_examples=0), first)
    assert len(calls) == 1
    answer_words(planted.model, words, n_examples=1)
    answer_words(planted.model, words, n_examples=1, seed=1)
    assert len(calls) == 3
    other = replace(FIRST_LETTER, template=" has the letter:")  # the prefix stays BOS alone
    answer_words(planted.model, words, n_examples=0, task=other)
    assert len(calls) == 4


def test_more_examples_are_one_table_below_the_other(planted: Planted) -> None:
    words = planted.words.iloc[::8].reset_index(drop=True)
    table = answer_by_examples(planted.model, words, counts=[0, 2])
    assert table["n_examples"].tolist() == [0] * len(words) + [2] * len(words)
    assert table.loc[table["n_examples"] == 0, "correct"].all()

"""The model's answers, and what replacing the word's residual stream does to them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch
from tests.ablation.architectures import CONFIGS, tiny_model
from tests.planted_model import GAIN, Planted, plant, word_table
from torch import Tensor

from absorption.chapters.spelling import last_depth_that_matters, patch_outcomes
from absorption.models.language_model import LanguageModel
from absorption.spelling import answers
from absorption.spelling.answers import (
    Answers,
    answer_by_examples,
    answer_words,
    ask,
    patch_layers,
)
from absorption.spelling.prompts import SpellingPrompts, make_prompts


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
    metric = Answers(logits, torch.zeros(2, dtype=torch.long)).metric(torch.tensor([3, 25]))
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


@pytest.mark.parametrize("architecture", CONFIGS)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_putting_back_the_words_own_stream_changes_nothing(architecture: str, depth: int) -> None:
    model, _, prompts = tiny(architecture)
    tokens = prompts.tokens(torch.arange(len(prompts.word_ids)))
    own = model.residual_streams(tokens, [depth], use_cache=False)[depth][:, prompts.word_position]
    clean = ask(model, prompts).letter_logits
    same = ask(model, prompts, edit=(depth, lambda _acts, rows: own[rows])).letter_logits
    torch.testing.assert_close(same, clean, rtol=1e-6, atol=1e-6)
    gone = ask(model, prompts, edit=(depth, lambda acts, _rows: torch.zeros_like(acts))).letter_logits
    assert (gone - clean).abs().max(1).values.median() > 1e-2


@pytest.mark.parametrize("architecture", CONFIGS)
def test_with_another_words_embedding_the_answer_is_the_other_words(architecture: str) -> None:
    """Exact, since at depth 0 the word's own token has left no other trace."""
    model, untouched, prompts = tiny(architecture)
    streams = model.residual_streams(prompts.tokens(torch.arange(52)), [0], use_cache=False)[0]
    embedding = streams[:, prompts.word_position]
    donors = torch.cat([(prompts.example_set == number).nonzero()[:, 0].roll(1) for number in range(2)])
    receivers = torch.cat([(prompts.example_set == number).nonzero()[:, 0] for number in range(2)])
    donor = torch.empty(52, dtype=torch.long)
    donor[receivers] = donors
    patched = ask(model, prompts, edit=(0, lambda _acts, rows: embedding[donor[rows]])).letter_logits
    expected = _whole(untouched, prompts)[donor][:, prompts.answer_ids].float()
    torch.testing.assert_close(patched, expected, rtol=1e-5, atol=1e-5)
    assert (patched - ask(model, prompts).letter_logits).abs().max(1).values.median() > 1e-2


def test_a_failing_edit_leaves_no_hook_behind() -> None:
    model, _, prompts = tiny("llama")
    clean = ask(model, prompts).letter_logits
    for depth in (0, 2):
        with pytest.raises(ZeroDivisionError):
            ask(model, prompts, edit=(depth, lambda acts, _rows: acts * (1 // 0)))
    assert torch.equal(ask(model, prompts).letter_logits, clean)


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
    monkeypatch.setattr(
        "absorption.spelling.prompts.TEMPLATE", " has the letter:"
    )  # the prefix stays BOS alone
    answer_words(planted.model, words, n_examples=0)
    assert len(calls) == 4


def test_more_examples_are_one_table_below_the_other(planted: Planted) -> None:
    words = planted.words.iloc[::8].reset_index(drop=True)
    table = answer_by_examples(planted.model, words, counts=[0, 2])
    assert table["n_examples"].tolist() == [0] * len(words) + [2] * len(words)
    assert table.loc[table["n_examples"] == 0, "correct"].all()


def test_patching_finds_where_the_planted_letter_leaves_the_word(planted: Planted) -> None:
    """Block 1 of two copies the letter to the answer: up to depth 1 a patch decides, at depth 2 none does."""
    patched = patch_layers(planted.model, planted.words, depths=[0, 1, 2], n_words=130)
    gain = GAIN * 39 / 87
    drop = (patched["metric_clean"] - patched["metric"]).groupby([patched["patch"], patched["depth"]])
    assert (patched["metric_clean"] > 0).all()  # only words that are spelt right
    words = patched[(patched["depth"] == 0) & (patched["patch"] == "mean of all words")]
    share = words["letter"].map(words["letter"].value_counts() / len(words))
    for depth in (0, 1):
        swapped = drop.get_group(("another word's", depth))
        assert swapped.to_numpy() == pytest.approx(gain * 26 / 25, rel=0.02)
        averaged = drop.get_group(("mean of all words", depth))
        assert averaged.to_numpy() == pytest.approx((gain * (1 - share) * 26 / 25).to_numpy(), rel=0.02)
    late = patched[patched["depth"] == 2]
    assert late["metric"].to_numpy() == pytest.approx(late["metric_clean"].to_numpy(), abs=1e-4)
    assert late["still_correct"].all()
    assert not late["says_other"].any()
    assert last_depth_that_matters(patch_outcomes(patched)) == 1

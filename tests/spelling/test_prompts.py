"""The spelling prompts: their text, their lengths, one BOS, and examples that never hold the word."""

from __future__ import annotations

import copy
import dataclasses
import re
from functools import cache
from typing import Any

import pandas as pd
import pytest
import torch
from tests.ablation.architectures import tiny_model
from tests.planted_model import word_table
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split
from transformers import AutoTokenizer

from absorption.models.embedded import embedded_folder
from absorption.models.language_model import LanguageModel
from absorption.spelling.prompts import encode, letter_index, make_prompts
from absorption.spelling.task import TEMPLATE
from absorption.spelling.vocab import LETTERS


@cache
def tiny() -> LanguageModel:
    """A tiny model; only its tokenizer matters here."""
    return tiny_model("llama")[0]


@pytest.fixture
def words() -> pd.DataFrame:
    """Forty words a letter."""
    table = word_table()
    return table.assign(token_id=tiny().tokenizer.convert_tokens_to_ids(table["word"].tolist()))


def _texts(words: pd.DataFrame, **options) -> list[str]:
    prompts = make_prompts(tiny(), words, **options)
    return tiny().tokenizer.batch_decode(prompts.tokens(torch.arange(len(words))))


def test_a_prompt_reads_as_the_paper_writes_it() -> None:
    """Two words only, so that the one example of `` bub`` must be `` Zab`` and the other way round."""
    table = pd.DataFrame({"word": [" bub", " Zab"], "letter": ["b", "z"], "n_letters": 3})
    table["token_id"] = tiny().tokenizer.convert_tokens_to_ids(table["word"].tolist())
    seeds = (make_prompts(tiny(), table, n_examples=1, n_sets=6, seed=seed) for seed in range(20))
    prompts = next(p for p in seeds if len(p.prefixes.unique(dim=0)) == 2)
    assert tiny().tokenizer.batch_decode(prompts.tokens(torch.arange(2))) == [
        "<bos> Zab has the first letter: Z\n bub has the first letter:",
        "<bos> bub has the first letter: B\n Zab has the first letter:",
    ]


def test_every_example_is_answered_right_and_the_word_is_left_open(words: pd.DataFrame) -> None:
    for text, word in zip(_texts(words, n_examples=10), words["word"], strict=True):
        *examples, last = text.removeprefix("<bos>").split("\n")
        assert last == f"{word} has the first letter:"
        assert len(examples) == 10
        for line in examples:
            example, answer = line.split(" has the first letter: ")
            assert answer == example.strip()[0].upper()


def test_the_words_token_stands_where_it_is_said_to(words: pd.DataFrame) -> None:
    prompts = make_prompts(tiny(), words, n_examples=3)
    tokens = prompts.tokens(torch.arange(len(words)))
    assert prompts.word_position == 1 + 3 * 8  # BOS; word, five tokens of the template, answer, line break
    assert tokens[:, prompts.word_position].tolist() == words["token_id"].tolist()
    assert tokens.shape[1] == prompts.word_position + 1 + len(prompts.suffix)


def test_there_is_exactly_one_bos_and_it_comes_first(words: pd.DataFrame) -> None:
    tokens = make_prompts(tiny(), words).tokens(torch.arange(len(words)))
    assert ((tokens == tiny().bos_token_id).sum(1) == 1).all()
    assert (tokens[:, 0] == tiny().bos_token_id).all()


@pytest.mark.parametrize("n_examples", [0, 1, 10])
def test_all_prompts_have_one_length(words: pd.DataFrame, n_examples: int) -> None:
    prompts = make_prompts(tiny(), words, n_examples=n_examples)
    lengths = {len(text) for text in prompts.tokens(torch.arange(len(words))).tolist()}
    assert lengths == {1 + 8 * n_examples + 6}


def test_no_word_is_among_its_own_examples(words: pd.DataFrame) -> None:
    few = words.groupby("letter").head(2).reset_index(drop=True)  # 52 words: 40 of them serve as examples
    prompts = make_prompts(tiny(), few, n_examples=10, n_sets=4)
    held = (prompts.prefixes[prompts.example_set] == prompts.word_ids[:, None]).any(1)
    assert not held.any()
    anywhere = torch.isin(prompts.word_ids, prompts.prefixes)
    assert anywhere.sum() >= 20  # or the test would say nothing


def test_a_word_in_every_example_set_is_refused(words: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="raise n_sets"):
        make_prompts(tiny(), words.head(20), n_examples=10, n_sets=1)


def test_all_example_sets_are_used_and_differ(words: pd.DataFrame) -> None:
    prompts = make_prompts(tiny(), words, n_sets=4)
    assert len(prompts.prefixes.unique(dim=0)) == 4
    assert (prompts.example_set.bincount() > len(words) / 8).all()


def test_the_seed_fixes_the_prompts(words: pd.DataFrame) -> None:
    first, same, other = (make_prompts(tiny(), words, seed=seed) for seed in (1, 1, 2))
    for name in ("prefixes", "example_set", "word_ids"):
        assert torch.equal(getattr(first, name), getattr(same, name))
    assert not torch.equal(first.prefixes, other.prefixes)
    assert not torch.equal(first.example_set, other.example_set)


def test_some_rows_keep_the_examples_that_they_had(words: pd.DataFrame) -> None:
    prompts, index = make_prompts(tiny(), words), torch.tensor([5, 900, 17])
    part = prompts.rows(index)
    assert torch.equal(part.tokens(torch.arange(3)), prompts.tokens(index))
    assert torch.equal(part.letters, prompts.letters[index])


def test_examples_come_from_the_pool_and_have_three_letters(words: pd.DataFrame) -> None:
    pool = words.iloc[:80].assign(n_letters=[3, 2] * 40)
    prompts = make_prompts(tiny(), words, n_examples=10, n_sets=4, example_pool=pool)
    used = prompts.prefixes[:, 1::8]
    assert torch.isin(used, torch.tensor(pool["token_id"].to_numpy()[::2])).all()


def test_more_examples_than_words_are_refused(words: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="n_examples is 30; allowed: 0 to 20") as caught:
        make_prompts(tiny(), words.head(20), n_examples=30)
    assert len(str(caught.value).splitlines()) <= 2


def test_an_answer_of_two_tokens_is_refused(words: pd.DataFrame) -> None:
    tokenizer = copy.deepcopy(tiny().tokenizer)
    apart = Regex(r" ?[A-PR-Za-z]+|Q|\n|:")  # takes " Q" apart
    backend: Any = tokenizer.backend_tokenizer  # type: ignore[attr-defined]
    backend.pre_tokenizer = Split(apart, behavior="isolated")
    model = dataclasses.replace(tiny(), tokenizer=tokenizer)
    with pytest.raises(
        ValueError, match=r"splits the answer ' Q' into 2 tokens; one token a letter"
    ) as caught:
        make_prompts(model, words, n_examples=1)
    assert len(str(caught.value).splitlines()) <= 2


def test_letters_are_numbered_from_a_to_z() -> None:
    assert letter_index(pd.DataFrame({"letter": list("zab")})).tolist() == [25, 0, 1]


def test_the_embedded_models_prompts_are_what_its_tokenizer_makes_of_their_text() -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded_folder())
    model = dataclasses.replace(tiny(), tokenizer=tokenizer)
    tokens = [token for token in tokenizer.get_vocab() if re.fullmatch("Ġ[A-Za-z]{3,}", token)][:200]
    words = pd.DataFrame({"word": [token.replace("Ġ", " ") for token in tokens], "n_letters": 3})
    words["letter"] = words["word"].str[1].str.lower()
    words["token_id"] = tokenizer.convert_tokens_to_ids(tokens)
    prompts = make_prompts(model, words, n_examples=10)
    tokens = prompts.tokens(torch.arange(len(words)))
    assert tokens.shape[1] == 87  # BOS, ten examples of 8 tokens, the word and 5 tokens
    assert ((tokens == tokenizer.bos_token_id).sum(1) == 1).all()
    answers = tokenizer.convert_ids_to_tokens(prompts.answer_ids.tolist())
    assert answers == [f"Ġ{letter.upper()}" for letter in LETTERS]
    assert tokenizer.decode(encode(model, TEMPLATE)) == " has the first letter:"
    for row in tokens[::20]:
        text = tokenizer.decode(row[1:])
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == row[1:].tolist()

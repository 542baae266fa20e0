"""Words spelled in full: what counts as right, and that one pass a word gives what step by step would."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from tests.ablation.architectures import CONFIGS, tiny_model
from tests.planted_model import word_table
from tests.plots.reading import drawn_series

from absorption.models.language_model import LanguageModel
from absorption.plots import spelling
from absorption.spelling import full_spelling
from absorption.spelling.full_spelling import END, FIRST_LETTER, FULL_SPELLING, NONE
from absorption.spelling.prompts import SEPARATOR, encode
from absorption.spelling.vocab import LETTERS

pytestmark = pytest.mark.usefixtures("own_cache")


def words_of(model: LanguageModel) -> pd.DataFrame:
    words = word_table()
    return words.assign(token_id=model.tokenizer.convert_tokens_to_ids(words["word"].tolist()))


def test_a_word_is_spelled_only_if_every_letter_is_right_and_the_line_ends() -> None:
    right = full_spelling.truth(" Cab")
    assert right == [2, 0, 1, END]
    said = torch.tensor([[2, 0, 1, END], [2, 0, 1, 4], [2, 1, 1, END], [0, END, NONE, NONE]])
    found = full_spelling.score(pd.Series([" Cab", "cab", " cab", "A"]), said)
    assert found["said"] == ["CAB.", "CABE", "CBB.", "A."]
    assert found["spelled"] == [True, False, False, True]
    assert found["letters_right"] == pytest.approx([1, 1, 2 / 3, 1])


@pytest.mark.parametrize("architecture", CONFIGS)
def test_answers_are_the_best_of_27_after_the_right_letters_as_whole_prompts_give_them(
    architecture: str,
) -> None:
    model, untouched = tiny_model(architecture)
    words = words_of(model)
    asked, pool = words.iloc[::90].reset_index(drop=True), words
    found = full_spelling.spell_words(model, asked, pool, n_examples=3, seed=1)
    tokenizer = model.tokenizer
    answers = [tokenizer.get_vocab()[f" {letter.upper()}"] for letter in LETTERS]
    answers.append(int(encode(model, SEPARATOR)[0]))
    examples = full_spelling._examples(asked, pool, 3, 1)
    assert not set(examples["word"]) & set(asked["word"])
    template = encode(model, full_spelling.TEMPLATE).tolist()

    def line(row: pd.Series) -> list[int]:
        return [row["token_id"], *template, *(answers[i] for i in full_spelling.truth(row["word"]))]

    start = [model.bos_token_id, *(token for _, row in examples.iterrows() for token in line(row))]
    names = [*(letter.upper() for letter in LETTERS), "."]
    for (_, row), said in zip(asked.iterrows(), found["said"], strict=True):
        whole = torch.tensor([[*start, *line(row)]])
        with torch.no_grad():
            logits = untouched(whole, use_cache=False).logits[0, len(start) + len(template) : -1]
        assert said == "".join(names[i] for i in logits[:, answers].argmax(1).tolist())
    assert found["said"].nunique() > 1  # or agreement would say nothing


def test_words_that_are_asked_are_no_examples_and_too_few_others_are_refused() -> None:
    model, _ = tiny_model("llama")
    words = words_of(model)
    with pytest.raises(ValueError, match="n_examples is 3; allowed: 0 to 2"):
        full_spelling.spell_words(model, words.iloc[2:], words, n_examples=3)


def table() -> pd.DataFrame:
    asked = pd.DataFrame(
        {"word": ["ab", "cd", "efg", "x" * 15, "no"], "correct": [True, False, True, True, True]}
    )
    spelled = pd.DataFrame(
        {
            "word": ["ab", "cd", "efg", "x" * 15],
            "n_letters": [2, 2, 3, 15],
            "spelled": [True, True, True, False],
        }
    )
    return full_spelling.by_length(asked, spelled.assign(correct=False))  # a column of its own is not read


def test_both_tasks_are_scored_on_the_same_words_and_long_words_are_pooled() -> None:
    found = table()
    assert found[["task", "length", "value", "words"]].values.tolist() == [
        [FIRST_LETTER, 2, 0.5, 2], [FIRST_LETTER, 3, 1.0, 1], [FIRST_LETTER, 12, 1.0, 1],
        [FULL_SPELLING, 2, 1.0, 2], [FULL_SPELLING, 3, 1.0, 1], [FULL_SPELLING, 12, 0.0, 1],
    ]  # fmt: skip


def test_the_figure_draws_each_task_s_shares_against_length() -> None:
    assert drawn_series(spelling.accuracy_by_task(table())) == {
        FIRST_LETTER: ([2, 3, 12], [0.5, 1.0, 1.0]),
        FULL_SPELLING: ([2, 3, 12], [1.0, 1.0, 0.0]),
    }

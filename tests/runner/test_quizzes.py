"""Quizzes: one right answer an item, found nowhere in what students get, and said where a choice is opened."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from absorption.base import repository
from absorption.runner import quizzes

PATH = repository.root() / quizzes.FILE
PARTS = quizzes.read(PATH)
ITEMS = [item for part in PARTS for when in quizzes.WHEN for item in part.quiz(when)]


def changed(folder: Path, change: Any) -> Path:
    plain = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    change(plain)
    path = folder / "quizzes.yaml"
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return path


def test_every_part_has_two_quizzes_of_eight_and_the_right_answer_stands_anywhere() -> None:
    assert len(ITEMS) == 2 * quizzes.ITEMS * len(PARTS) >= 48
    places = Counter(item.choices.index(item.right) for item in ITEMS)
    assert all(len(set(item.choices)) == len(item.wrong) + 1 for item in ITEMS)
    assert max(places.values()) < 0.6 * len(ITEMS)
    assert [item.choices for item in ITEMS] == [item.choices for item in ITEMS]


def test_the_page_opens_to_one_right_answer_an_item() -> None:
    asked = re.split(r"^\*\*\d\.\*\* ", quizzes.page(PARTS), flags=re.MULTILINE)[1:]
    assert len(asked) == len(ITEMS)
    for item, text in zip(ITEMS, asked, strict=True):
        assert text.startswith(item.question)
        opened = dict(re.findall(r"```\{dropdown\} (.+)\n\*\*(Right|No)\.\*\*", text))
        assert opened == {item.right: "Right"} | dict.fromkeys(item.wrong, "No"), item.question


def test_students_get_the_choices_and_no_answers() -> None:
    sheet = quizzes.sheet(PARTS, answers=False)
    for item in ITEMS:
        assert all(f") {answer}\n" in sheet for answer in item.choices), item.question
        assert not any(why in sheet for why in (item.why, *item.wrong.values())), item.question


def test_the_key_names_the_letter_of_the_right_answer() -> None:
    for block in quizzes.sheet(PARTS, answers=True).split("\n\n"):
        if asked := re.match(r"\d+\. (.+)\n", block):
            question = asked[1]
            letters = {text: letter for letter, text in re.findall(r"- ([a-d])\) (.+)", block)}
        elif key := re.match(r"   \*\*([a-d])\)\*\*", block):
            (item,) = [item for item in ITEMS if item.question == question]
            assert letters[item.right] == key[1], question


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda parts: parts[0]["before"].pop(), "0.before: List should have at least 8 items"),
        (lambda parts: parts[1]["after"][2].pop("why"), "1.after.2.why: Field required"),
        (lambda parts: parts[0]["after"][0].update(wrong={"one": "only"}), "0.after.0.wrong: Dictionary"),
        (lambda parts: parts[2].update(hint="none"), "2.hint: Extra inputs"),
        (lambda parts: parts[1]["after"][0].update(parts[0]["before"][0]), "asked twice: "),
    ],
)
def test_a_quiz_that_is_not_whole_is_named_in_one_line(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(quizzes.QuizError, match=re.escape(message)) as caught:
        quizzes.read(changed(tmp_path, change))
    assert "\n" not in str(caught.value)

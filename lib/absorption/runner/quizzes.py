"""Quizzes before and after each part of the book: one page whose choices open to say what is right or wrong with them.

Folded text and no script: it works from a file, by keyboard and with a screen reader, and nothing is sent.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

FILE = "data/teaching/quizzes.yaml"
PAGE = "book/quizzes.md"
ITEMS = 8
"""Of every quiz."""
WHEN = {"before": "Before you read", "after": "After you have read"}
Text = Annotated[str, Field(min_length=3)]


class Item(BaseModel):
    """One question with what speaks for the right answer and against each wrong one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    question: Text
    right: Text
    why: Text
    wrong: Annotated[dict[Text, Text], Field(min_length=2, max_length=3)]

    @property
    def choices(self) -> list[str]:
        """All answers in an order that the question's own text decides: the same on every build."""
        answers = [self.right, *self.wrong]
        random.Random(self.question).shuffle(answers)
        return answers


class Part(BaseModel):
    """A part of the book with its two quizzes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    part: Text
    chapters: Text
    before: Annotated[list[Item], Field(min_length=ITEMS, max_length=ITEMS)]
    after: Annotated[list[Item], Field(min_length=ITEMS, max_length=ITEMS)]

    def quiz(self, when: str) -> list[Item]:
        """``before`` or ``after``."""
        return self.before if when == "before" else self.after


class QuizError(ValueError):
    """A quiz is not what it should be; one line says where."""


def read(path: Path) -> list[Part]:
    """The parts of ``data/teaching/quizzes.yaml``, in reading order.

    Raises:
        QuizError: an item lacks an answer, a quiz does not have eight items, or a question is asked twice.
    """
    try:
        parts = TypeAdapter(list[Part]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise QuizError(f"{path.name}: {place}: {first['msg']}; got {first['input']!r:.80}.") from None
    questions = [item.question for part in parts for when in WHEN for item in part.quiz(when)]
    twice = {question for question in questions if questions.count(question) > 1}
    if twice:
        raise QuizError(f"{path.name}: asked twice: {min(twice)!r}; a question may stand once.")
    return parts


def page(parts: list[Part]) -> str:
    """The book's page, as MyST: a click on a choice says whether it is right, and why."""
    blocks = [
        "# Quizzes",
        "Eight questions before a part of the book and eight after it, about the same ideas. Choose an answer and open "
        "it: it says whether it is right, and why. Nothing is counted or sent.",
    ]
    for part in parts:
        blocks.append(f"## {part.part} (chapters {part.chapters})")
        for when, title in WHEN.items():
            blocks.append(f"### {title}: {part.part.lower()}")
            for number, item in enumerate(part.quiz(when), 1):
                blocks.append(f"**{number}.** {item.question}")
                blocks += [_choice(item, answer) for answer in item.choices]
    return "\n\n".join(blocks) + "\n"


def _choice(item: Item, answer: str) -> str:
    said = f"**Right.** {item.why}" if answer == item.right else f"**No.** {item.wrong[answer]}"
    return f"```{{dropdown}} {answer}\n{said}\n```"


def sheet(parts: list[Part], *, answers: bool) -> str:
    """All quizzes on paper, as plain Markdown: lettered choices, with the answers under each question or without."""
    lines = ["# Quizzes", ""]
    for part in parts:
        for when, title in WHEN.items():
            lines += [f"## {title}: {part.part.lower()} (chapters {part.chapters})", ""]
            for number, item in enumerate(part.quiz(when), 1):
                lines += [f"{number}. {item.question}", *_lettered(item), ""]
                if answers:
                    lines += [f"   {_key(item)}", ""]
    return "\n".join(lines)


def _lettered(item: Item) -> list[str]:
    return [f"   - {letter}) {answer}" for letter, answer in zip("abcd", item.choices, strict=False)]


def _key(item: Item) -> str:
    letters: Mapping[str, str] = dict(zip(item.choices, "abcd", strict=False))
    against = " ".join(f"{letters[answer]}) {why}" for answer, why in item.wrong.items())
    return f"**{letters[item.right]})** {item.why} Not {against}"

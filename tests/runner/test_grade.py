"""Handed-in notebooks: right answers get their points; wrong, broken and endless ones none, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from absorption.base import repository
from absorption.cli import main
from absorption.runner import course, exercise_cells, grade, handed_in

CHAPTER = "07-absorption-in-four-features"
RIGHT = {
    "toy-sparsity": "my_sparsity = lambda d, p11, p10: p11 * (2 - d) + p10",
    "toy-weights": "my_encoder, my_decoder = [[1, -1], [0, 1]], [[1, 0], [1, 1]]",
    "toy-saving": "my_both, my_parent, my_guess = 0.2, 0.42, 0.5",
}


def own() -> NotebookNode:
    return nbformat.read(repository.root() / "notebooks" / f"{CHAPTER}.ipynb", as_version=4)


EXERCISES = {one.label: one for one in exercise_cells.of(own(), CHAPTER)}


def handed(answers: Mapping[str, str], *, checks: bool = True) -> NotebookNode:
    """A student's notebook of the course with answers in place of the cells' first lines."""
    page = course.for_students(own())
    for cell in page.cells:
        for label, answer in answers.items():
            if cell.id == EXERCISES[label].cell:
                cell.source = f"{answer}\n{EXERCISES[label].check}" if checks else answer
    return page


def points(page: NotebookNode) -> dict[str, bool]:
    return {label: verdict["right"] for label, verdict in handed_in.grade(page, own(), CHAPTER).items()}


def test_every_exercise_of_the_book_can_be_graded_and_no_check_has_two() -> None:
    found = [one for _, exercises in grade._chapters(repository.root()) for one in exercises]
    assert len(found) == 51
    assert len({one.label for one in found}) == len({one.function for one in found}) == 51
    assert {one.points for one in found} == {1, 2, 3}


def test_a_students_notebook_of_the_course_gets_no_point_before_and_all_points_after_it_is_answered() -> None:
    assert points(handed({})) == dict.fromkeys(EXERCISES, False)
    assert points(handed(RIGHT)) == dict.fromkeys(EXERCISES, True)


def test_a_wrong_answer_gets_no_point_and_the_checks_own_reason() -> None:
    wrong = {**RIGHT, "toy-sparsity": "my_sparsity = lambda d, p11, p10: p11"}
    verdicts = handed_in.grade(handed(wrong), own(), CHAPTER)
    assert [one["right"] for one in verdicts.values()] == [False, True, True]
    assert "you give 0.050" in verdicts["toy-sparsity"]["message"]


def test_an_error_in_one_answer_is_told_and_leaves_the_others_alone() -> None:
    verdicts = handed_in.grade(handed({**RIGHT, "toy-weights": "my_encoder = nothing"}), own(), CHAPTER)
    assert [one["right"] for one in verdicts.values()] == [True, False, True]
    assert verdicts["toy-weights"]["message"] == "NameError: name 'nothing' is not defined"
    broken = handed_in.grade(handed({"toy-weights": "my_encoder = ("}), own(), CHAPTER)
    assert broken["toy-weights"]["message"].startswith("SyntaxError")


def test_a_check_that_the_student_rewrote_does_not_count() -> None:
    said = "type('F', (), {'right': True, 'message': ''})"
    cheat = f"class exercises:\n    check_sparsity = staticmethod(lambda _: {said})"
    assert not points(handed({"toy-sparsity": f"{cheat}\nmy_sparsity = None"}))["toy-sparsity"]
    dropped = handed({"toy-sparsity": RIGHT["toy-sparsity"]}, checks=False)
    assert points(dropped)["toy-sparsity"]


def test_cells_that_the_student_added_are_run_and_the_chapters_are_not() -> None:
    page = handed({"toy-sparsity": "my_sparsity = helper"})
    page.cells.insert(3, new_code_cell("helper = lambda d, p11, p10: p11 * (2 - d) + p10"))
    page.cells.insert(3, new_code_cell("worlds.table"))  # needs the chapter, and answers nothing
    assert points(page)["toy-sparsity"]


def test_an_answer_is_found_by_its_check_where_ids_are_lost() -> None:
    page = handed(RIGHT)
    for number, cell in enumerate(page.cells):
        cell["id"] = f"new-{number}"
    assert points(page) == dict.fromkeys(EXERCISES, True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for student, page in (("ada", handed(RIGHT)), ("bo", handed({"toy-saving": RIGHT["toy-saving"]}))):
        (tmp_path / student).mkdir()
        nbformat.write(page, tmp_path / student / "renamed.ipynb")
    (tmp_path / "ada" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "ada" / ".ipynb_checkpoints" / "old.ipynb").write_text("{}")
    (tmp_path / "=cy.ipynb").write_text("no notebook")
    return tmp_path


def test_a_folder_becomes_a_table_of_points_with_a_total_for_each_student(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "points.csv"
    assert main.main(["grade", str(folder), "--out", str(out)]) == 0
    found = pd.read_csv(out, keep_default_na=False)
    assert list(found.columns) == grade.COLUMNS
    assert found.groupby("student")["points"].sum().to_dict() == {"'=cy": 0, "ada": 6, "bo": 3}
    assert found[found["student"] == "ada"]["of"].sum() == 6
    assert found[found["student"] == "'=cy"]["message"].item().startswith("It cannot be read")
    said = capsys.readouterr().out
    assert "ada: 6 of 6 points" in said
    assert "bo: 3 of 6 points" in said


def test_answers_that_never_end_get_no_point(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    nbformat.write(handed({"toy-sparsity": "while True: pass"}), tmp_path / "ada" / "07.ipynb")
    found = grade.grade(repository.root(), tmp_path, limit=3)
    assert found["points"].sum() == 0
    assert set(found["message"]) == {"The answers took longer than 3 seconds."}


def test_answers_that_end_the_process_get_no_point(tmp_path: Path) -> None:
    nbformat.write(handed({"toy-sparsity": "import os\nos._exit(0)"}), tmp_path / "ada.ipynb")
    found = grade.grade(repository.root(), tmp_path)
    assert set(found["message"]) == {"The answers ended the process that ran them."}


def test_a_folder_without_notebooks_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["grade", str(tmp_path)]) == 2
    assert "holds no notebook; allowed" in capsys.readouterr().err

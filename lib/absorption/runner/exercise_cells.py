"""The exercises of a chapter's notebook: what each is called, how it is graded, and the call that checks it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

from absorption.runner import headers

TAG = "exercise"
POINTS = {"easy": 1, "medium": 2, "hard": 3, "open": 3}
"""By level."""
LABEL = re.compile(r"^:label: (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    """One exercise with its check."""

    chapter: str
    label: str
    title: str
    level: str
    cell: str
    """Id of the cell that takes the answer."""
    check: str
    """The call at the end of that cell."""

    @property
    def points(self) -> int:
        """What a right answer is worth."""
        return POINTS[self.level]

    @property
    def function(self) -> str:
        """Name of the check, by which the cell is found if its id is gone: ``check_rates``."""
        return called(ast.parse(self.check).body[0])


def of(page: NotebookNode, chapter: str) -> list[Exercise]:
    """The exercises of the book's own notebook, in order."""
    found, text = [], ""
    for cell in page.cells:
        if cell.cell_type == "markdown" and headers.EXERCISE.search(cell.source):
            text = cell.source
        elif TAG in cell.metadata.get("tags", []):
            match, label = headers.EXERCISE.search(text), LABEL.search(text)
            if match and label:
                check = ast.unparse(ast.parse(cell.source).body[-1])
                told = match["title"].strip(), match["level"].lower()
                found.append(Exercise(chapter, label[1], *told, cell.id, check))
    return found


def imports(page: NotebookNode) -> str:
    """What a chapter imports: its first cell of code behind the parameters, up to the settings."""
    first = next(cell.source for cell in page.cells if "hide-input" in cell.metadata.get("tags", []))
    return first.split("\nsettings =")[0]


def called(statement: ast.stmt) -> str:
    """``check_rates`` of the statement ``exercises.check_rates(...)``; empty for another statement."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return ""
    function = statement.value.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name if name.startswith("check_") else ""


def without_checks(source: str) -> str:
    """A cell as a student left it, but for calls of checks: these are the book's own to make.

    Raises:
        SyntaxError: the cell is no Python.
    """
    body = ast.parse(source).body
    return "\n".join(ast.unparse(statement) for statement in body if not called(statement))


def answer_cell(page: NotebookNode, exercise: Exercise) -> str | None:
    """The cell that answers an exercise: by its id, else the last that calls its check; None if there is none."""
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    by_id = [cell.source for cell in code if cell.get("id") == exercise.cell]
    return (by_id or [cell.source for cell in code if f"{exercise.function}(" in cell.source] or [None])[-1]


def own_cells(page: NotebookNode, own: NotebookNode, exercises: list[Exercise]) -> Iterator[tuple[str, str]]:
    """A student's code in order, as (label, source); the label is empty for cells that the student added.

    Args:
        page: handed in.
        own: the book's notebook, whose cells are not run; they are known by id, and by text where ids are lost.
        exercises: of the chapter.
    """
    answers = {str(answer_cell(page, exercise)): exercise.label for exercise in exercises}
    ids, sources = ({cell[part] for cell in own.cells} for part in ("id", "source"))
    for cell in page.cells:
        if cell.cell_type == "code" and cell.source in answers:
            yield answers[cell.source], str(cell.source)
        elif cell.cell_type == "code" and cell.get("id") not in ids and cell.source not in sources:
            yield "", str(cell.source)

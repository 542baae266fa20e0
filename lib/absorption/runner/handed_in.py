"""One handed-in notebook: the student's own cells are run, and the book's checks judge the answers.

Run as a process of its own (``python -m absorption.runner.handed_in BOOK'S NOTEBOOK OUT.json``), which ``grade``
stops if it takes too long. It keeps a student's mistakes from the next student's answers; it is no protection from code
that means harm.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from absorption.base import cache
from absorption.runner import exercise_cells
from absorption.runner.exercise_cells import Exercise

MOST = 300
"""Characters of a message."""


def grade(page: NotebookNode, book: NotebookNode, chapter: str) -> dict[str, dict[str, Any]]:
    """By label: whether the answer is ``right``, and the check's ``message``.

    Answers are run with what the chapter imports and with the cells that the student added, but without the chapter: no
    exercise needs it. Calls of checks in the student's cells are left out; the book's own are made.

    Args:
        page: handed in.
        book: the book's notebook.
        chapter: its name.
    """
    exercises = exercise_cells.of(book, chapter)
    names: dict[str, Any] = {}
    imports = compile(exercise_cells.imports(book), f"<{chapter}>", "exec")
    exec(imports, names)
    verdicts: dict[str, dict[str, Any]] = {}
    by_label = {exercise.label: exercise for exercise in exercises}
    for label, source in exercise_cells.own_cells(page, book, exercises):
        said = _run(source, names)
        if label:
            verdicts[label] = (
                {"right": False, "message": said} if said else _check(by_label[label], imports, names)
            )
    missing = {"right": False, "message": "The exercise is not in the notebook."}
    return {exercise.label: verdicts.get(exercise.label, missing) for exercise in exercises}


def _run(source: str, names: dict[str, Any]) -> str:
    """Run a cell; its error in a line, empty if there is none."""
    try:
        exec(compile(exercise_cells.without_checks(source), "<answer>", "exec"), names)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:MOST]
    return ""


def _check(exercise: Exercise, imports: Any, names: dict[str, Any]) -> dict[str, Any]:
    exec(imports, names)  # so that no answer stands in for a check
    try:
        verdict = eval(exercise.check, names)
        return {"right": bool(verdict.right), "message": verdict.message[:MOST]}
    except BaseException as error:
        return {"right": False, "message": f"{type(error).__name__}: {error}"[:MOST]}


def main(book: str, notebook: str, out: str) -> None:
    """Grade one notebook into a JSON file."""
    answers, own = (nbformat.read(place, as_version=4) for place in (notebook, book))
    cache.write_json(Path(out), grade(answers, own, Path(book).stem))


if __name__ == "__main__":
    book, notebook, out = sys.argv[1:]
    main(book, notebook, out)

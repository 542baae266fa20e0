"""Points for a folder of handed-in notebooks: ``absorption grade FOLDER``."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from nbformat import NotebookNode

from absorption.runner import book, exercise_cells
from absorption.runner.exercise_cells import Exercise

LIMIT = 300
"""Seconds that the answers of one notebook may take: those of the longest chapter take under a minute on two cores."""
COLUMNS = ["student", "notebook", "chapter", "exercise", "title", "level", "points", "of", "message"]


class GradeError(ValueError):
    """Nothing can be graded; one line says why."""


def grade(root: Path, folder: Path, limit: int = LIMIT) -> pd.DataFrame:
    """Run and judge every notebook in a folder, however deep.

    A notebook is one of the chapter most of whose exercises it has, whatever it is called. It is the student's in whose
    folder it lies; of one that lies in ``folder`` itself the file's name stands for the student's.

    Args:
        root: the repository.
        folder: what was handed in.
        limit: seconds for one notebook.

    Returns:
        One row an exercise, columns as in ``COLUMNS``; a notebook that cannot be read has one row of no points.

    Raises:
        GradeError: there is no notebook in the folder.
    """
    handed_in = [path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
    if not handed_in:
        raise GradeError(
            f"{str(folder)!r} holds no notebook; allowed: a folder with notebooks, one folder a student."
        )
    chapters = dict(_chapters(root))
    rows = [
        {"student": _student(path, folder), "notebook": str(path.relative_to(folder)), **row}
        for path in handed_in
        for row in _rows(path, root, chapters, limit)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def totals(points: pd.DataFrame) -> pd.DataFrame:
    """``student, points, of``, the best attempt at an exercise counting where it was handed in twice."""
    best = points.groupby(["student", "chapter", "exercise"], sort=False)[["points", "of"]].max()
    return best.groupby("student").sum().reset_index()


def _chapters(root: Path) -> Iterator[tuple[str, list[Exercise]]]:
    for name in book.toc_notebooks(root):
        chapter = Path(name).name
        exercises = exercise_cells.of(nbformat.read(root / f"{name}.ipynb", as_version=4), chapter)
        if exercises:
            yield chapter, exercises


def _student(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else path.stem


def _rows(
    path: Path, root: Path, chapters: Mapping[str, list[Exercise]], limit: int
) -> Iterator[dict[str, Any]]:
    nothing = {"chapter": "", "exercise": "", "title": "", "level": "", "points": 0, "of": 0}
    try:
        page = nbformat.read(path, as_version=4)
        chapter = _chapter(page, chapters)
    except Exception as error:  # whatever a damaged file makes of nbformat
        yield {**nothing, "message": f"It cannot be read: {type(error).__name__}."}
        return
    if not chapter:
        yield {**nothing, "message": "It has no exercise of this book."}
        return
    verdicts = _judged(path, root / "notebooks" / f"{chapter}.ipynb", limit)
    for one in chapters[chapter]:
        verdict = verdicts.get(one.label, {"right": False, "message": verdicts.get("", "")})
        yield {
            "chapter": chapter, "exercise": one.label, "title": one.title, "level": one.level,
            "points": one.points if verdict["right"] else 0, "of": one.points, "message": verdict["message"],
        }  # fmt: skip


def _chapter(page: NotebookNode, chapters: Mapping[str, list[Exercise]]) -> str:
    """The chapter most of whose exercises a notebook has; empty if it has none."""
    counts = {
        name: sum(exercise_cells.answer_cell(page, one) is not None for one in exercises)
        for name, exercises in chapters.items()
    }
    best = max(counts, key=lambda name: counts[name], default="")
    return best if counts.get(best) else ""


def _judged(path: Path, own: Path, limit: int) -> Mapping[str, Any]:
    """The verdicts by label; without any, why under the empty label."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "verdicts.json"
        command = [
            sys.executable,
            "-m",
            "absorption.runner.handed_in",
            str(own),
            str(path.resolve()),
            str(out),
        ]
        try:
            subprocess.run(command, cwd=place, capture_output=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return {"": f"The answers took longer than {limit} seconds."}
        if not out.is_file():
            return {"": "The answers ended the process that ran them."}
        return json.loads(out.read_text(encoding="utf-8"))

"""The course pack: notebooks for students and for instructors, quizzes, slides, and a plan made from measured times."""

from __future__ import annotations

import copy
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pandas as pd
from nbformat import NotebookNode

from absorption.base import cache
from absorption.runner import book, clean, glued, headers, quizzes, slides

SOLUTION, EXERCISE = "solution", "exercise"
DIRECTIVE = re.compile(r"```\{(exercise|solution-start|solution-end)\}[ ]?([^\n]*)\n(.*?)```", re.DOTALL)
OPTION = re.compile(r"^:[a-z]+:.*\n?", re.MULTILINE)
PLANS = {"an afternoon": ("1", "3", "5", "7"), "a week": tuple(str(n) for n in range(1, 11)), "a term": ()}
"""Chapters of a plan by number; none named: all."""


class CourseError(RuntimeError):
    """The course cannot be made; one line says why."""


@dataclass(frozen=True)
class Chapter:
    """An executed chapter and what a plan needs of it."""

    name: str
    page: NotebookNode
    seconds: float
    """Of its run."""

    @property
    def number(self) -> str:
        """``5`` of ``05-absorption``; the name itself where there is none."""
        number = self.name.split("-")[0]
        return str(int(number)) if number.isdigit() else self.name

    def row(self) -> dict[str, object]:
        """Its line in the plan."""
        exercises = headers.exercises(self.page)
        return {
            "chapter": self.number,
            "title": clean.title(self.page),
            "read, minutes": headers.reading_minutes(self.page),
            "run, minutes": round(self.seconds / 60, 1),
            "exercises": "; ".join(f"{title} ({level}, {minutes})" for title, level, minutes in exercises),
            "exercises, minutes": sum(minutes for _, _, minutes in exercises),
        }


def make(root: Path, output: Path) -> Path:
    """Write ``output/course``: two folders of notebooks and quizzes, one zip of the students', slides and ``plan.md``.

    Students' notebooks have the text with this build's numbers, no outputs, no solutions, and the cells that check an
    answer. Instructors' have outputs and solutions as well. Both run in a clone of the project.

    Args:
        root: the repository.
        output: where ``absorption book`` left its pages.

    Returns:
        The folder.

    Raises:
        CourseError: a chapter has not been run, or its run failed.
        slides.SlidesError: the slides could not be built.
    """
    chapters = list(_chapters(root, output))
    with cache.atomic_folder(output / "course") as folder:
        for chapter in chapters:
            _write(for_instructors(chapter.page), folder / "instructors" / f"{chapter.name}.ipynb")
            _write(for_students(chapter.page), folder / "students" / f"{chapter.name}.ipynb")
        (folder / "plan.md").write_text(plan(chapters), encoding="utf-8")
        parts = quizzes.read(root / quizzes.FILE)
        for who, answers in (("instructors", True), ("students", False)):
            (folder / who / "quizzes.md").write_text(quizzes.sheet(parts, answers=answers), encoding="utf-8")
        slides.build({chapter.name: chapter.page for chapter in chapters}, folder / "slides")
        with zipfile.ZipFile(folder / "students.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((folder / "students").iterdir()):
                archive.write(path, f"notebooks/{path.name}")
    return output / "course"


def for_instructors(page: NotebookNode) -> NotebookNode:
    """The executed page with its numbers in the text, in Markdown that any notebook shows."""
    made = copy.deepcopy(page)
    glued.fill(made)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = DIRECTIVE.sub(_plain, cell.source)
        else:
            cell.outputs = [
                output for output in cell.outputs if "scrapbook" not in output.get("metadata", {})
            ]
    return made


def for_students(page: NotebookNode) -> NotebookNode:
    """The same without outputs, solutions, and what the run has added."""
    made = for_instructors(page)
    kept, in_solution = [], False
    for cell, given in zip(made.cells, page.cells, strict=True):
        in_solution |= "```{solution-start}" in given.source
        if not in_solution and not {SOLUTION, "injected-parameters"} & set(cell.metadata.get("tags", [])):
            kept.append(cell)
        in_solution &= "```{solution-end}" not in given.source
    for cell in kept:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    made.cells = kept
    return made


def plan(chapters: list[Chapter]) -> str:
    """Minutes to read, to run and to solve, by chapter and for an afternoon, a week and a term."""
    table = pd.DataFrame([chapter.row() for chapter in chapters])
    parts = [
        "# Plan of the course",
        f"Reading is counted at {headers.READING} words a minute. Running is what this build took, on its machine; run "
        "the notebooks before the lesson, and the second run takes seconds: results are kept.",
        _as_markdown(table),
    ]
    for title, numbers in PLANS.items():
        some = table[table["chapter"].isin(numbers)] if numbers else table
        hours = (some["read, minutes"].sum() + some["exercises, minutes"].sum()) / 60
        names = ", ".join(some["chapter"])
        parts.append(f"**In {title}:** chapters {names}; {hours:.1f} hours of reading and exercises.")
    return "\n\n".join(parts) + "\n"


def _chapters(root: Path, output: Path) -> Iterator[Chapter]:
    folders = book.Folders(output)
    known = headers.read(root / headers.FILE)
    for name in book.toc_notebooks(root):
        stamp = book.read_stamp(folders, name)
        if not stamp.get("key"):
            raise CourseError(f"{name} has no finished run in {str(output)!r}; run `absorption book` first.")
        if Path(name).name.split("-")[0].isdigit():
            page = nbformat.read(folders.page(name), as_version=4)
            headers.insert(page, Path(name).name, known)
            yield Chapter(Path(name).name, page, stamp["seconds"])


def _plain(match: re.Match[str]) -> str:
    kind, title, text = match[1], match[2].strip(), OPTION.sub("", match[3]).strip()
    if kind == EXERCISE:
        return f"### Exercise: {title}\n\n{text}"
    return "### Solution" if kind == "solution-start" else ""


def _as_markdown(table: pd.DataFrame) -> str:
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows)


def _write(page: NotebookNode, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(page, path)

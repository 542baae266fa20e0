"""The course pack: notebooks for students and for instructors, quizzes, slides, a guide, a plan with measured times."""

from __future__ import annotations

import copy
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pandas as pd
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from absorption.base import cache
from absorption.runner import book, clean, glued, headers, quizzes, slides

SOLUTION, EXERCISE = "solution", "exercise"
DIRECTIVE = re.compile(r"```\{(exercise|solution-start|solution-end)\}[ ]?([^\n]*)\n(.*?)```", re.DOTALL)
OPTION = re.compile(r"^:[a-z]+:.*\n?", re.MULTILINE)
GUIDE = "book/teach.md"
"""The page on teaching goes into the pack, with its rubric."""
SESSIONS = {
    "One afternoon": {
        "14:00": "1 3", "15:30": "5", "17:00": "7",
    },
    "One week": {
        "Monday": "1 2", "Tuesday": "3 4", "Wednesday": "5", "Thursday": "6 7", "Friday": "8 10",
    },
    "One term": {f"week {week}": chapters for week, chapters in enumerate(
        ("1", "2", "3", "4", "5", "6", "7", "8", "9 10", "11", "12", "13 14", "15", "16 17"), 1
    )},
}  # fmt: skip
"""Chapters of each session, by number."""


class CourseError(RuntimeError):
    """The course cannot be made; one line says why."""


@dataclass(frozen=True)
class Chapter:
    """An executed chapter and what a plan needs of it."""

    name: str
    page: NotebookNode
    seconds: float
    """Of its run."""
    misconception: headers.Misconception

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
    """Write ``output/course``: two folders of notebooks and quizzes, one zip of the students', slides, guide and plan.

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
            _write(with_note(chapter), folder / "instructors" / f"{chapter.name}.ipynb")
            _write(for_students(chapter.page), folder / "students" / f"{chapter.name}.ipynb")
        (folder / "plan.md").write_text(plan(chapters), encoding="utf-8")
        guide = (root / GUIDE).read_text(encoding="utf-8")
        (folder / "guide.md").write_text(slides.without_links(guide), encoding="utf-8")
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


def with_note(chapter: Chapter) -> NotebookNode:
    """The instructors' page with what is often said wrongly before the cell that refutes it.

    Raises:
        CourseError: there is no such cell.
    """
    made, note = for_instructors(chapter.page), chapter.misconception
    place = [cell.get("id") for cell in made.cells]
    if note.cell not in place:
        raise CourseError(f"{chapter.name}: the misconception names cell {note.cell!r}, which is not there.")
    cell = new_markdown_cell(note.note)
    cell["id"] = "for-instructors"
    made.cells.insert(place.index(note.cell), cell)
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
    """Minutes to read, to run and to solve, by chapter; what is often said wrongly; and a schedule for each length."""
    table = pd.DataFrame([chapter.row() for chapter in chapters])
    parts = [
        "# Plan of the course",
        f"Reading is counted at {headers.READING} words a minute. Running is what this build took, on its machine; run "
        "the notebooks before the lesson, and the second run takes seconds: results are kept.",
        _as_markdown(table),
    ]
    said = [(one.number, one.misconception.said, one.misconception.instead) for one in chapters]
    columns = ["chapter", "often said", "what to look at; the instructors' notebook says where"]
    wrong = pd.DataFrame(said, columns=columns)
    parts += ["## Often said, and refuted by a cell", _as_markdown(wrong)]
    for title, sessions in SESSIONS.items():
        parts += [f"## {title}", _as_markdown(_schedule(table, sessions))]
    return "\n\n".join(parts) + "\n"


def _schedule(table: pd.DataFrame, sessions: Mapping[str, str]) -> pd.DataFrame:
    """A row a session: its chapters, and minutes to read and to solve; what is left is for the open task."""
    rows = []
    for session, numbers in sessions.items():
        some = table[table["chapter"].isin(numbers.split())]
        reading, solving = some["read, minutes"].sum(), some["exercises, minutes"].sum()
        titles = "; ".join(
            f"{number} {title}" for number, title in zip(some["chapter"], some["title"], strict=True)
        )
        rows.append((session, titles, reading, solving, reading + solving))
    return pd.DataFrame(
        rows, columns=["session", "chapters", "read, minutes", "exercises, minutes", "together"]
    )


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
            chapter = Path(name).name
            if chapter not in known:
                raise CourseError(f"{headers.FILE} has nothing on {chapter}; needed: an entry of that name.")
            yield Chapter(chapter, page, stamp["seconds"], known[chapter].misconception)


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

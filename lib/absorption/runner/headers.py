"""A fold under each chapter's title for those who teach or learn from it: minutes, questions, aims, what to keep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

FILE = "data/teaching/chapters.yaml"
READING = 200
"""Words a minute: technical text, read with its figures."""
EXERCISE = re.compile(
    r"```\{exercise\}[ ]?(?P<title>[^\n]*)\n.*?\*(?P<level>Easy|Medium|Hard|Open), (?P<minutes>\d+) minutes\.\*",
    re.DOTALL,
)
Lines = Annotated[list[Annotated[str, Field(min_length=3)]], Field(min_length=1, max_length=3)]


class HeaderError(ValueError):
    """A header is not what it should be; one line says where."""


class Task(BaseModel):
    """An open task: predict first, then look. No cell can check it; the page on teaching has a rubric."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    minutes: Annotated[int, Field(ge=5, le=120)]
    task: Annotated[str, Field(min_length=20)]


class Misconception(BaseModel):
    """What is often said wrongly of the chapter's subject; for instructors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    said: Annotated[str, Field(min_length=20)]
    cell: str
    """Id of the cell that refutes it."""
    instead: Annotated[str, Field(min_length=20)]

    @property
    def note(self) -> str:
        """What stands before the cell in the instructors' notebook."""
        return f"> **For instructors.** Often said: *{self.said}* The next cell refutes it. {self.instead}"


class Header(BaseModel):
    """What a chapter is for in a class."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    questions: Lines
    objectives: Lines
    remember: Lines
    misconception: Misconception
    explore: Task

    def text(self, reading: int, exercises: int) -> str:
        """The fold as Markdown that the book and any notebook show.

        Args:
            reading: minutes.
            exercises: minutes; 0 if the chapter has none.
        """
        minutes = f"{reading} minutes to read" + (f", {exercises} for the exercises" if exercises else "")
        parts = [
            f"*{minutes}.*",
            f"**Questions.** {' '.join(self.questions)}",
            f"**After it you can** {'; '.join(self.objectives)}.",
            f"**Remember.** {' '.join(self.remember)}",
            f"**To explore** ({self.explore.minutes} minutes, open). {self.explore.task}",
        ]
        body = "\n\n".join(parts)
        return f'<details class="more">\n<summary>For a class</summary>\n\n{body}\n\n</details>'


def read(path: Path) -> dict[str, Header]:
    """By chapter (``05-absorption``).

    Raises:
        HeaderError: a part is missing or there is one too many; the message names chapter and part.
    """
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, Header]).validate_python(plain)
    except ValidationError as error:
        first = error.errors()[0]
        raise HeaderError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None


def reading_minutes(page: NotebookNode) -> int:
    """By the number of words."""
    words = sum(len(cell.source.split()) for cell in page.cells if cell.cell_type == "markdown")
    return round(words / READING)


def exercises(page: NotebookNode) -> list[tuple[str, str, int]]:
    """Title, difficulty and minutes of each exercise."""
    return [
        (found["title"].strip(), found["level"].lower(), int(found["minutes"]))
        for cell in page.cells
        if cell.cell_type == "markdown"
        for found in EXERCISE.finditer(cell.source)
    ]


def insert(page: NotebookNode, name: str, known: Mapping[str, Header]) -> None:
    """Put a chapter's fold behind its first cell, in place; pages without a header stay as they are."""
    if name in known:
        minutes = sum(minutes for _, _, minutes in exercises(page))
        cell = new_markdown_cell(known[name].text(reading_minutes(page), minutes))
        cell["id"] = "for-a-class"
        page.cells.insert(1, cell)

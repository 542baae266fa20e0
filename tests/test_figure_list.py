"""The page that lists the paper's figures: each one once, and what it points to is there."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import nbformat

from absorption.base import repository

PAGE = repository.root() / "book" / "figures.md"
N_FIGURES, N_TABLES = 25, 3
"""In version 6 of the paper."""


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def numbers(kind: str) -> list[int]:
    """Numbers of the figures or tables listed; parts like 6a count for their figure."""
    named = [re.fullmatch(rf"{kind}s? ([\da-c, ]+)", row[0]) for row in rows()]
    return list(chain.from_iterable(map(int, re.findall(r"\d+", match.group(1))) for match in named if match))


def headings(notebook: Path) -> str:
    cells = nbformat.read(notebook, as_version=4).cells
    return "\n".join(
        re.findall(r"^#+ .*$", "\n".join(c.source for c in cells if c.cell_type == "markdown"), re.M)
    )


def test_every_figure_and_table_of_the_paper_is_listed_in_order() -> None:
    assert sorted(set(numbers("Figure"))) == list(range(1, N_FIGURES + 1))
    assert numbers("Figure") == sorted(numbers("Figure"))
    assert numbers("Table") == list(range(1, N_TABLES + 1))
    assert all(len(row) == 3 and all(row) for row in rows())


def test_sections_that_are_named_behind_a_chapter_are_headings_of_it() -> None:
    named = re.findall(r"\]\((\.\./[^)]+\.ipynb)\), \"([^\"]+)\"", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 8
    for link, section in named:
        assert section in headings(PAGE.parent / link), f"{link} has no section {section!r}"

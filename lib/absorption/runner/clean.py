"""Makes a page fit to read: no progress bars, no warnings, no paths of the machine; those go to the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import nbformat
from nbformat import NotebookNode

from absorption.runner import stamp

WIDGETS = "application/vnd.jupyter.widget"
"""Beginning of the types of live widgets; without a kernel they are blank."""
PROGRESS = re.compile(r"\d+%\|.*\||\d+(\.\d+)?\s?(it|s)/(s|it)|^\s*\d+it \[")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
ERROR_TAG = "papermill-error-cell-tag"
"""papermill marks cells that it adds on failure with this tag; so do we, and both know to remove them."""


def clean(notebook: NotebookNode) -> str:
    """Take out, in place, what is no result; returns it as the text of the log.

    Standard error, live widgets, the notebook's reports to the stamp, papermill's markers and paths.
    """
    notebook.cells = [cell for cell in notebook.cells if ERROR_TAG not in cell.metadata.get("tags", [])]
    log: list[str] = []
    for number, cell in numbered(notebook):
        said = "".join(f"{line}\n" for output in cell.outputs for line in _noise(output))
        if said:
            log.append(f"--- cell [{number}]\n{said}")
        cell.outputs = [output for output in cell.outputs if not _is_noise(output)]
    notebook.metadata.pop("widgets", None)
    for name in ("input_path", "output_path", "environment_variables"):
        notebook.metadata.get("papermill", {}).pop(name, None)
    return "".join(log)


def mark_failure(notebook: NotebookNode, headline: str) -> None:
    """Put the error at the top of a partial page, and shorten the cell's own traceback to one line."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                output.traceback = [f"{output.ename}: {output.evalue}"]
    text = f"> **This page is incomplete.**\n>\n> ```\n> {headline}\n> ```"
    notice = nbformat.v4.new_markdown_cell(text, metadata={"tags": [ERROR_TAG]})
    notice["id"] = "this-page-is-incomplete"
    notebook.cells.insert(0, notice)


def title(notebook: NotebookNode) -> str:
    """The first heading; empty if there is none."""
    texts = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.search(r"^# +(.+)$", texts, re.MULTILINE)
    return found[1].strip() if found else ""


def numbered(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Code cells with the number that Jupyter shows beside them after a run from top to bottom."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    yield from enumerate(code, start=1)


def failure(notebook: NotebookNode) -> tuple[int, str, str] | None:
    """The failed cell's number, its error's name and its text on one line; None if none failed."""
    for number, cell in numbered(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                return number, output.ename, " ".join(ANSI.sub("", output.evalue).split())
    return None


def last_started(notebook: NotebookNode) -> int:
    """Number of the last code cell that started; 0 if none did."""
    started = [
        number for number, cell in numbered(notebook) if cell.metadata.get("papermill", {}).get("start_time")
    ]
    return started[-1] if started else 0


def _is_noise(output: NotebookNode) -> bool:
    types: Any = output.get("data", {})
    return output.get("name") == "stderr" or any(name.startswith((WIDGETS, stamp.MIME)) for name in types)


def _noise(output: NotebookNode) -> Iterator[str]:
    """Lines for the log: standard error without progress bars, and whole tracebacks."""
    if output.get("name") == "stderr":
        for line in output.text.split("\n"):
            last = ANSI.sub("", line.rstrip("\r").rpartition("\r")[2]).rstrip()
            if last and not PROGRESS.search(last):
                yield last
    if output.output_type == "error":
        yield from ANSI.sub("", "\n".join(output.traceback)).splitlines()

"""Executes one notebook with papermill and leaves a clean, stamped page, whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat import NotebookNode

from absorption.base import batches, locks, parts, timing, written
from absorption.runner import clean, glued, kernels, parameters, stamp

INJECTED_ID = "injected-parameters"
HTML = ".html"


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    notebook: Path
    """The page, whole or partial."""
    log: Path | None
    """Warnings and tracebacks; None if there were none."""
    error: str
    """Empty, or what failed in two lines at most."""
    stamp: dict[str, Any]
    """See ``stamp.make``."""
    written: list[Path] = field(default_factory=list)
    """Tables and claims among its results."""


def prepare(source: Path, values: Mapping[str, Any]) -> NotebookNode:
    """The notebook with its values injected after the parameters, in a cell that the page leaves out.

    Args:
        source: the notebook file.
        values: checked by ``parameters.resolve``.
    """
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    notebook = load_notebook_node(str(source))
    if not values:
        return notebook
    notebook = parameterize_notebook(notebook, dict(values))
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.tags:
            cell.metadata.tags.append("remove-cell")
            cell["id"] = INJECTED_ID  # papermill's is random: pages of one run should not differ
    return notebook


def run(
    source: Path,
    out: Path,
    values: Mapping[str, Any],
    progress: bool = False,
    variables: Mapping[str, str] | None = None,
    numbers_in_text: bool = False,
    among: kernels.Kernels | None = None,
) -> Outcome:
    """Run a notebook in its own kernel, in the current folder, and write the page to ``out``.

    A cell that fails leaves the partial page, marked as such; the outcome then carries the error.

    Args:
        source: the notebook; it is not changed.
        out: where the page goes, as a notebook, or as one HTML file that needs nothing else if its name ends in
            ``.html``; ``<out>.log`` beside it takes what was printed to standard error.
        values: parameters to inject, already checked.
        progress: show papermill's progress bar.
        variables: environment variables for the kernel, besides this process's own.
        numbers_in_text: write glued numbers into the text; without it that is left to who makes HTML of the page.

    Raises:
        ParameterError: ``source`` is not a notebook with parameters, or ``out`` cannot be written, or another
            process is writing it.
    """
    defaults = parameters.declared(parameters.read_notebook(source))
    _check_output(out, source)
    with _alone(out):
        with parts.unfinished(Path(tempfile.gettempdir(), "absorption-run"), folder=True) as scratch:
            reports, listing = scratch / "timings", scratch / "written"
            start = time.perf_counter()
            given = {timing.VARIABLE: str(reports), written.VARIABLE: str(listing)}
            given |= {**_of_format(out), **(variables or {})}
            with (
                (among or kernels.Kernels()).one(scratch / "stderr", given) as kernel,
                timing.PeakMemory(processes=lambda: [psutil.Process(), *kernel.processes()]) as memory,
            ):
                page, headline = _execute(prepare(source, values), scratch, source.stem, progress, kernel)
            stages = timing.total(timing.read(reports))
            files = written.read(listing)
            died = kernel.last_words() if headline else ""
        loaded = stamp.collect(page)
        facts = stamp.make(
            {**defaults, **values}, loaded, time.perf_counter() - start, memory.peak_bytes, stages
        )
        log = _write_log(out, clean.clean(page) + died)
        if headline:
            headline += _way_out(headline)
            clean.mark_failure(page, headline)
            kept = f"The partial page is {out}" + (f", the traceback {log}." if log else ".")
            headline = f"{headline}\n{kept}"
        if numbers_in_text:
            glued.fill(page)
        page.cells.append(stamp.cell(facts))
        _write_page(out, page)
        return Outcome(out, log, headline, facts, files)


def _check_output(out: Path, source: Path) -> None:
    """Before the run, not after it: an hour's page must have somewhere to go."""
    if out.resolve() == source.resolve():
        raise parameters.ParameterError(f"output {str(out)!r} is the notebook itself; name another file.")
    if out.is_dir():
        raise parameters.ParameterError(f"output {str(out)!r} is a folder; name a file in it.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise parameters.ParameterError(f"output {str(out)!r} cannot be written: {error.strerror}.") from None
    if not os.access(out.parent, os.W_OK):
        raise parameters.ParameterError(f"output {str(out)!r} cannot be written: no permission.")


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the lock on the page: two runs at once would mix their results."""
    try:
        with locks.hold(locks.beside(out)):
            yield
    except locks.Held as held:
        raise parameters.ParameterError(f"output {str(out)!r} is being written by {held}.") from None


def _execute(
    notebook: NotebookNode, scratch: Path, name: str, progress: bool, kernel: kernels.Kernel
) -> tuple[NotebookNode, str]:
    """The page as far as it got, and what failed (empty if nothing did)."""
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillException, PapermillExecutionError

    given, made = scratch / "given.ipynb", scratch / "made.ipynb"
    nbformat.write(notebook, given)
    shutil.copy(given, made)  # what is kept if the kernel does not even start
    try:
        papermill.execute_notebook(given, made, progress_bar=progress, kernel_manager_class=kernel.manager())
        reason = ""
    except PapermillExecutionError:
        reason = "failed"
    except DeadKernelError:
        reason = "ended the kernel, perhaps for lack of memory"
    except (NoSuchKernel, PapermillException, RuntimeError) as error:
        reason = f"could not be run: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if kernel.stopped:
        raise kernels.Stopped(f"{name} was stopped.")
    page = nbformat.read(made, as_version=4)
    return page, _headline(page, name, reason) if reason else ""


def _headline(page: NotebookNode, name: str, reason: str) -> str:
    """One line: notebook, cell, error."""
    if failed := clean.failure(page):
        number, kind, text = failed
        return f"{name}: cell [{number}] {reason}: {kind}: {text}"
    number = clean.last_started(page)
    return f"{name}: cell [{number}] {reason}." if number else f"{name} {reason}."


def _way_out(headline: str) -> str:
    """What to lower when memory ran out: the batch where it is short of a moment, the words where it is not."""
    if not re.search(r"out of memory|OutOfMemory|MemoryError|can't allocate memory|lack of memory", headline):
        return ""
    return f" Lower the environment variable {batches.VARIABLE} ({batches.USUAL} if not set) or n_words."


@contextmanager
def environment(added: Mapping[str, str]) -> Iterator[None]:
    """Environment variables of this process, and of whatever it starts meanwhile."""
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _of_format(out: Path) -> dict[str, str]:
    """Environment of a page of this format: in one HTML file figures are drawings in the page."""
    if out.suffix != HTML:
        return {}
    from absorption.plots.show import BOOK

    return {BOOK: "1"}


def _write_page(out: Path, page: NotebookNode) -> None:
    from absorption.base import cache
    from absorption.runner import one_file

    if out.suffix == HTML:
        cache.write_text(out, one_file.to_html(page, clean.title(page) or out.stem))
    else:
        cache.write_text(out, nbformat.writes(page) + "\n")


def _write_log(out: Path, text: str) -> Path | None:
    from absorption.base import cache

    log = out.with_name(f"{out.name}.log")
    if not text:
        log.unlink(missing_ok=True)
        return None
    cache.write_text(log, text)
    return log

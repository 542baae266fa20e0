"""Runs the notebooks of the book whose inputs changed, keeps their pages and results, and builds the HTML."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from absorption import claims
from absorption.base import cache, locks, repository
from absorption.base.data import data_root
from absorption.plots.show import BOOK
from absorption.runner import execute, kernels, parameters, stage
from absorption.runner.workers import Workers

LOCK = ".lock"
"""In the output folder while a book is built there."""
READS_RESULTS = "reads_results"
"""Metadata flag (``absorption: {reads_results: true}``) of a page made of the other chapters' results."""


@dataclass(frozen=True)
class Folders:
    """Where the book's parts lie beneath the output folder."""

    output: Path

    @property
    def executed(self) -> Path:
        """Executed notebooks, at the paths that they have in the source."""
        return self.output / "executed"

    @property
    def results(self) -> Path:
        """Tables and claims."""
        return self.output / "results"

    def page(self, name: str) -> Path:
        """The executed copy of a notebook, by its name in ``_toc.yml``."""
        return self.executed / f"{name}.ipynb"

    def stamp(self, name: str) -> Path:
        """The record of its run."""
        return self.executed / f"{name}.stamp.json"


def make(
    root: Path,
    output: Path,
    build: Callable[[Path, Path, Path], Path] = stage.build_book,
    at_once: int = 1,
) -> tuple[Path | None, list[str]]:
    """Run what changed, write ``claims.json``, and build the HTML if every notebook ran.

    Args:
        root: the repository, with ``_toc.yml`` and ``notebooks/``.
        output: folder for everything that is made.
        build: from (folder of executed notebooks, output, root) to ``index.html``.
        at_once: how many notebooks run side by side.

    Returns:
        Path of ``index.html`` (None if a notebook failed), and one error a failed notebook.

    Raises:
        BookError: another process builds there, or the book cannot be built.
    """
    try:
        with locks.hold(output / LOCK):
            return _make(root, output, build, at_once)
    except locks.Held as held:
        raise stage.BookError(f"a book is being built in {str(output)!r} by {held}; wait for it.") from None


def _make(
    root: Path, output: Path, build: Callable[[Path, Path, Path], Path], at_once: int
) -> tuple[Path | None, list[str]]:
    folders = Folders(output)
    names = toc_notebooks(root)
    _forget_others(folders, names)
    chapters = [name for name in names if not _reads_results(root, name)]
    readers = [name for name in names if name not in chapters]
    common = _common_inputs()
    errors = _bring_up_to_date(root, folders, chapters, common, at_once)
    if errors and readers:
        print(f"not run, because it needs the others: {', '.join(readers)}", flush=True)
    else:
        common["results"] = {name: read_stamp(folders, name)["results"] for name in chapters}
        yours = folders.results / stage.YOUR_SAES
        common["yours"] = _tree(yours) if yours.is_dir() else {}
        errors += _bring_up_to_date(root, folders, readers, common, at_once)
    write_claims(folders)
    return (None if errors else build(folders.executed, output, root)), errors


def write_claims(folders: Folders) -> None:
    """``claims.json``: one entry a claim with the part that decides it, and all its parts."""
    table = claims.ledger(folders.results)
    entries = []
    for entry in _plain(claims.summary(table)):
        parts = table[table["id"] == entry["id"]]
        columns = ["part", "chapter", "measures", "rule", "measured", "low", "high", "part_verdict", "note"]
        columns += ["rule_set", "number_seen", "restated"]
        entries.append({**entry, "parts": _plain(parts[columns])})
    cache.write_json(folders.output / "claims.json", entries)


def toc_notebooks(root: Path) -> list[str]:
    """Names of the notebooks in ``_toc.yml``, in order, without ending (``notebooks/02-probe-baselines``).

    Raises:
        BookError: the table of contents names a page that does not exist; better now than after all runs.
    """
    pages = stage.toc_pages(root)
    for page in pages:
        there = any((root / f"{page}{ending}").exists() for ending in (".ipynb", ".md"))
        if not there and not (root / stage.MADE.get(page, "")).is_file():
            raise stage.BookError(f"_toc.yml names {page!r}, but there is no {page}.ipynb and no {page}.md.")
    return [page for page in pages if (root / f"{page}.ipynb").exists()]


def _bring_up_to_date(
    root: Path, folders: Folders, names: list[str], common: dict[str, Any], at_once: int
) -> list[str]:
    """Run the notebooks whose inputs changed, all of them even if one fails. Returns the errors."""
    jobs = []
    for position, name in enumerate(names, start=1):
        label = f"[{position}/{len(names)}] {name}"
        key = cache.key_of({**common, "notebook": cache.file_sha256(root / f"{name}.ipynb")})
        if _is_current(folders, name, key):
            print(f"{label}: unchanged", flush=True)
        else:
            jobs.append(_Job(name, label, key, needs_model="model" in _declared(root, name)))
    among = kernels.Kernels()
    variables = {BOOK: "1"} | ({} if at_once == 1 else _threads(at_once))

    def work(job: _Job) -> str:
        _say(f"{job.label}: running")
        start = time.perf_counter()
        error = _run(root, folders, job, variables, among)
        print(
            f"{job.label}: {'FAILED' if error else 'done'}, {time.perf_counter() - start:.0f} s", flush=True
        )
        return error

    errors = Workers(work, lambda job: job.needs_model, among.stop).run(jobs, at_once)
    return [error for error in errors if error]


@dataclass(frozen=True)
class _Job:
    """A notebook that must run."""

    name: str
    label: str
    key: str
    needs_model: bool
    """The language model's notebooks share what they compute of it, and are the large ones."""


def _say(line: str) -> None:
    """In one piece: two notebooks may speak at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _threads(at_once: int) -> dict[str, str]:
    """The cores' threads, shared out among the kernels, unless the user has said how many."""
    threads = max(1, (os.cpu_count() or 1) // at_once)
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))}


def _run(root: Path, folders: Folders, job: _Job, variables: dict[str, str], among: kernels.Kernels) -> str:
    """Run one notebook; its record is written only if it succeeded. Returns the error, or nothing."""
    name = job.name
    source = root / f"{name}.ipynb"
    _forget(folders, name)
    try:
        values = (
            {"results_dir": _as_seen_from_here(folders.results)}
            if "results_dir" in _declared(root, name)
            else {}
        )
        # In the book figures are drawings in the page; see plots.show.
        outcome = execute.run(source, folders.page(name), values, variables=variables, among=among)
    except parameters.ParameterError as error:
        return f"{name}: {error}"
    files = {_within(path, folders.results): cache.file_sha256(path) for path in outcome.written}
    if outcome.error:
        _write_record(folders, name, {"key": "", "results": files})  # so that the next run removes them
        return outcome.error
    page = cache.file_sha256(folders.page(name))
    _write_record(folders, name, {**outcome.stamp, "key": job.key, "page": page, "results": files})
    return ""


def _declared(root: Path, name: str) -> dict[str, Any]:
    return parameters.declared(parameters.read_notebook(root / f"{name}.ipynb"))


def _within(path: Path, folder: Path) -> str:
    return path.relative_to(folder.resolve()).as_posix()


def _is_current(folders: Folders, name: str, key: str) -> bool:
    """The same inputs made this page and these results, and they are all still there, unaltered."""
    record = read_stamp(folders, name)
    if record.get("key") != key:
        return False
    files = {folders.page(name): record["page"]}
    files |= {folders.results / path: digest for path, digest in record["results"].items()}
    return all(path.exists() and cache.file_sha256(path) == digest for path, digest in files.items())


def read_stamp(folders: Folders, name: str) -> dict[str, Any]:
    """The record of a notebook's last run; empty if there is none or it is damaged."""
    try:
        return json.loads(folders.stamp(name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write_record(folders: Folders, name: str, record: dict[str, Any]) -> None:
    cache.write_json(folders.stamp(name), record)


def _forget(folders: Folders, name: str) -> None:
    """Remove what an earlier run of a notebook left: a claim must never outlive the run that measured it."""
    for path in read_stamp(folders, name).get("results", {}):
        if (folders.results / path).resolve().is_relative_to(folders.results.resolve()):
            (folders.results / path).unlink(missing_ok=True)  # a record may lie; nothing outside is touched
    page = folders.page(name)
    for path in (folders.stamp(name), page, page.with_name(f"{page.name}.log")):
        path.unlink(missing_ok=True)


def _forget_others(folders: Folders, names: list[str]) -> None:
    for stamp in folders.executed.rglob("*.stamp.json"):
        name = stamp.relative_to(folders.executed).as_posix().removesuffix(".stamp.json")
        if name not in names:
            _forget(folders, name)


def _common_inputs() -> dict[str, Any]:
    """What every page depends on besides its notebook."""
    lock = repository.root() / "requirements.lock"
    return {
        "python": platform.python_version(),
        "code": _tree(repository.package()),
        "data": _tree(data_root()),
        "lock": cache.file_sha256(lock) if lock.exists() else "",
    }


def _reads_results(root: Path, name: str) -> bool:
    notebook: NotebookNode = parameters.read_notebook(root / f"{name}.ipynb")
    return bool(notebook.metadata.get("absorption", {}).get(READS_RESULTS))


def _as_seen_from_here(path: Path) -> str:
    """Relative where possible: the parameter ends up in a published file, a home folder should not."""
    here = Path.cwd()
    return os.path.relpath(path, here) if path.resolve().is_relative_to(here) else str(path.resolve())


def _tree(folder: Path) -> dict[str, str]:
    """Hash of every file, hidden ones and bytecode left out, in order of path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder): path for path in found}
    return {name.as_posix(): cache.file_sha256(path) for name, path in names.items() if not _is_hidden(name)}


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "__pycache__")) for part in path.parts)


def _plain(table: Any) -> list[dict[str, Any]]:
    """Rows as JSON values: NaN becomes null."""
    return json.loads(table.to_json(orient="records"))

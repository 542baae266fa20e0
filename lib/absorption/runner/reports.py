"""Runs the notebook of one SAE, and makes one-file pages of it and of several side by side."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from absorption.base import cache
from absorption.plots.show import BOOK
from absorption.runner import before, execute, one_file, parameters, report_names
from absorption.runner.stage import YOUR_SAES

NOTEBOOK, SIDE_BY_SIDE = "notebooks/your-sae.ipynb", "notebooks/side-by-side.ipynb"


@dataclass(frozen=True)
class Made:
    """A report: the page (partial if ``error`` says so)."""

    html: Path
    error: str
    note: str = ""
    """Why the report has a longer name than usual; empty if it has not."""


def write_report(
    root: Path,
    out: Path,
    pairs: Sequence[Sequence[str]],
    presets: Sequence[Path] = (),
    *,
    name: str = "",
    in_book: bool = False,
) -> Made:
    """Measure one SAE and write ``out/NAME.html``, with its notebook and tables in ``out/NAME``.

    Args:
        root: the repository.
        out: folder of reports.
        pairs: parameters of the notebook.
        presets: preset files.
        name: of the report; default the SAE's id or folder, made longer where another SAE's report has that name.
        in_book: also leave page and tables where ``absorption book --output`` (the folder above ``out``) finds
            them.

    Raises:
        ParameterError: an unknown parameter, an ill-typed value, what ``before.check`` refuses, or a ``name`` that
            another SAE's report has.
    """
    from absorption.runner import presets as preset_files

    notebook = parameters.read_notebook(root / NOTEBOOK)
    defaults = parameters.declared(notebook)
    values = parameters.resolve(defaults, pairs, presets)
    if said := before.check(notebook, {**defaults, **values, "results_dir": str(out)}):
        print(said, file=sys.stderr)
    wanted = report_names.safe(name) if name else report_names.usual(values, defaults)
    name = report_names.take(out, wanted, report_names.owner(values, defaults), chosen=bool(name))
    folder = out / name
    values["results_dir"] = str(folder / "results")
    variables = {**preset_files.variables(presets), BOOK: "1"}
    made = execute.run(root / NOTEBOOK, folder / report_names.PAGE, values, variables=variables)
    html = _write_html(made.notebook, out / f"{name}.html", name)
    if in_book and not made.error:
        _into_book(folder, out.parent, name)
    note = "" if name == wanted else f"{wanted!r} is another SAE's report; this one is called {name!r}"
    return Made(html, made.error, note)


def write_side_by_side(folders: Sequence[Path], out: Path, root: Path) -> Made:
    """Set the reports in some folders side by side in one HTML file.

    Raises:
        ValueError: a folder without any report.
    """
    from absorption.several_saes.side_by_side import read_reports

    read_reports(folders)  # better now than in a kernel
    values = {"reports": [str(folder.resolve()) for folder in folders]}
    made = execute.run(root / SIDE_BY_SIDE, out.with_suffix(".ipynb"), values, variables={BOOK: "1"})
    return Made(_write_html(made.notebook, out, "SAEs side by side"), made.error)


def _write_html(notebook: Path, html: Path, title: str) -> Path:
    cache.write_text(html, one_file.to_html(nbformat.read(notebook, as_version=4), title))
    return html


def _into_book(folder: Path, output: Path, name: str) -> None:
    results = output / "results" / YOUR_SAES / name
    with cache.atomic_folder(results) as whole:
        shutil.copytree(folder / "results", whole, dirs_exist_ok=True)
    with cache.atomic_path(output / YOUR_SAES / f"{name}.ipynb") as page:
        shutil.copy(folder / report_names.PAGE, page)

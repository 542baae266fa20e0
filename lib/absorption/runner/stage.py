"""Staging and building the book: executed notebooks at their source paths beside the prose, then HTML.

Jupyter Book skips executed notebooks inside ``_build`` and makes wrong edit links for notebooks in another
folder. So a copy of the source tree is staged with the executed notebooks where their sources are.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import yaml

from absorption.base import parts, repository
from absorption.explorer import script
from absorption.runner import headers, quizzes

BUTTONS = ("use_repository_button", "use_edit_page_button", "use_issues_button")
"""Jupyter Book's switches that need the repository's address."""
YOUR_SAES = "your-saes"
"""Folder of executed pages on other SAEs, beside ``executed``; they form a part of their own in the book."""
API_SOURCES = ("__init__.py", "api/run.py", "api/result.py", "definitions/thresholds.py")
"""Modules, by their place in the library, from whose docstrings the page on the API is made."""
FOLDED = "hide-input"
"""Tag of a cell whose code the page shows on a click."""
OPEN = "exercise"
"""Tag of a cell in which a reader is to write an answer: never folded."""
EXPLORER_DATA = "book/_static/explorer/data"
"""Where the staged book has the explorer's data, one script an SAE."""
MADE = {quizzes.PAGE.removesuffix(".md"): quizzes.FILE}
"""Pages that the stage writes, and what it makes each of."""
KEY_FILE = ".built-from"
"""Beside ``index.html``: hash of all that the book was built from."""


class BookError(RuntimeError):
    """The book could not be built; the message says why in two lines at most."""


def build_book(executed: Path, output: Path, root: Path | None = None) -> Path:
    """Build the HTML book and return its ``index.html``.

    Any warning of Sphinx fails the build, missing references included. A failed build leaves the book of an
    earlier build as it was. A build of the same pages with the same pins is not repeated.

    Args:
        executed: folder with the executed notebooks at their source paths (``notebooks/x.ipynb``).
        output: build folder; the book goes to ``output/html``, the log to ``output/book.log``.
        root: the source tree; the clone that this library runs from if None.

    Raises:
        BookError: a page of the table of contents is missing, or Jupyter Book failed or warned.
    """
    # Of this build alone: what a killed one started may still write into its own.
    with parts.unfinished(output / "stage", folder=True) as stage_folder:
        return _build(executed, output, root or repository.root(), stage_folder)


def _build(executed: Path, output: Path, root: Path, stage_folder: Path) -> Path:
    source = stage(root, executed, stage_folder / "source")
    key = _key(source, root / "requirements.lock")
    index = output / "html" / "index.html"
    if not (index.exists() and _built_from(index.parent) == key):
        html = _run_jupyter_book(source, stage_folder, output / "book.log")
        (html / KEY_FILE).write_text(key, encoding="utf-8")
        parts.swap(html, index.parent)
    return index


def stage(root: Path, executed: Path, source: Path) -> Path:
    """Fill the folder ``source`` with all that Jupyter Book reads, and return it.

    Raises:
        BookError: the table of contents names a page that is neither prose nor an executed notebook.
    """
    shutil.copytree(root / "book", source / "book")
    script.write_scripts(executed.parent / "results", source / EXPLORER_DATA)
    _stage_toc(root, executed.parent / YOUR_SAES, source)
    if set(MADE) & set(toc_pages(root)):
        (source / quizzes.PAGE).write_text(quizzes.page(quizzes.read(root / quizzes.FILE)), encoding="utf-8")
    config = staged_config(yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8")))
    (source / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    known = headers.read(root / headers.FILE) if (root / headers.FILE).exists() else {}
    for page in toc_pages(root):
        notebook = Path(f"{page}.ipynb")
        if (executed / notebook).exists():
            (source / notebook).parent.mkdir(parents=True, exist_ok=True)
            _copy_folded(executed / notebook, source / notebook, known)
        elif not (source / f"{page}.md").exists():
            raise BookError(
                f"_toc.yml names {page!r}, which is neither a page ({page}.md in {root}) "
                f"nor an executed notebook ({notebook} in {executed})."
            )
    return source


def _copy_folded(page: Path, to: Path, known: Mapping[str, headers.Header] | None = None) -> None:
    """Copy an executed notebook with its code folded: in the book one click opens it, the notebook stays as it is.

    Cells in which a reader is to write stay open. A chapter with a header for classes gets it under its title.
    """
    notebook: Any = nbformat.read(page, as_version=4)
    headers.insert(notebook, page.stem, known or {})
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and not {FOLDED, OPEN} & set(tags):
            cell.metadata["tags"] = [*tags, FOLDED]
    nbformat.write(notebook, to)


def _stage_toc(root: Path, yours: Path, source: Path) -> None:
    """The table of contents, with a part for the pages that ``absorption report --book`` left."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    pages = sorted(yours.glob("*.ipynb"))
    if pages:
        (source / YOUR_SAES).mkdir()
        for page in pages:
            _copy_folded(page, source / YOUR_SAES / page.name)
        files = [{"file": f"{YOUR_SAES}/{page.stem}"} for page in pages]
        toc.setdefault("parts", []).append({"caption": "Your SAEs", "chapters": files})
    (source / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")


def toc_pages(root: Path) -> list[str]:
    """Pages of ``_toc.yml`` in reading order, as paths from ``root`` without suffix."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *_files(toc)]


def _files(node: Any) -> list[str]:
    if isinstance(node, list):
        return [page for child in node for page in _files(child)]
    if isinstance(node, dict):
        own = [node["file"]] if "file" in node else []
        return own + [page for child in node.values() if isinstance(child, list) for page in _files(child)]
    return []


def staged_config(config: dict[str, Any]) -> dict[str, Any]:
    """``_config.yml`` with every button that needs the repository's address on or off with that address."""
    address = (config.get("repository") or {}).get("url") or ""
    config["html"] = {**config.get("html", {}), **dict.fromkeys(BUTTONS, bool(address))}
    if not address:
        # Without this Jupyter Book falls back to its own repository's address.
        config["repository"] = {"url": "", "branch": ""}
        config.pop("launch_buttons", None)
    return config


def _key(source: Path, *others: Path) -> str:
    """Hash of every staged file, of the code that builds from them, and of ``others`` that exist."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    staged = sorted(path for path in source.rglob("*") if path.is_file())
    documented = [repository.package() / name for name in API_SOURCES]
    for path in [*staged, here / "stage.py", *documented, *others]:
        if path.exists():
            name = path.relative_to(source) if path.is_relative_to(source) else path.name
            digest.update(f"{name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _built_from(html: Path) -> str:
    record = html / KEY_FILE
    return record.read_text(encoding="utf-8") if record.exists() else ""


def _run_jupyter_book(source: Path, output: Path, log: Path) -> Path:
    start = f"from absorption.base import parents; parents.end_with({os.getpid()})\n"
    start += "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(source), "--path-output", str(output)]
    command += ["-n", "-W", "--keep-going"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    text = _without_colours(done.stdout)
    log.write_text(text, encoding="utf-8")
    if done.returncode != 0:
        raise BookError(f"{_first_complaint(text, source)}\nThe book was not built; all of it is in {log}.")
    return output / "_build" / "html"


def _without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _first_complaint(text: str, source: Path) -> str:
    complaints = [line for line in text.splitlines() if re.search(r"WARNING|ERROR|Error:", line)]
    first = (complaints or text.strip().splitlines() or ["Jupyter Book said nothing."])[0]
    return first.replace(f"{source}/", "")

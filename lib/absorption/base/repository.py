"""Where the repository is: the book's pages and notebooks lie beside the library, not inside it."""

from __future__ import annotations

from pathlib import Path

import absorption


def package() -> Path:
    """Folder of the installed library."""
    return Path(absorption.__file__).resolve().parent


def root() -> Path:
    """The clone that this library runs from (it is installed in place, by ``pip install -e``).

    Raises:
        FileNotFoundError: the library was copied elsewhere, without the book.
    """
    folder = package().parents[1]
    if not (folder / "_toc.yml").exists():
        raise FileNotFoundError(f"{folder} has no _toc.yml; install from a clone with `pip install -e .`.")
    return folder

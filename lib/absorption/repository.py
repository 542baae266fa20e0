"""Where the repository is: the shipped data and the notebooks lie beside the library, not inside it."""

from __future__ import annotations

from pathlib import Path

import absorption


def package() -> Path:
    """Folder of the installed library."""
    return Path(absorption.__file__).resolve().parent


def root() -> Path:
    """The clone that this library runs from (it is installed in place, by ``pip install -e``).

    Raises:
        FileNotFoundError: the library was copied elsewhere, without its data.
    """
    folder = package().parents[1]
    if not (folder / "data").is_dir():
        raise FileNotFoundError(f"{folder} has no data folder; install from a clone with pip install -e.")
    return folder


def data() -> Path:
    """Folder with the shipped SAEs, presets and claims."""
    return root() / "data"

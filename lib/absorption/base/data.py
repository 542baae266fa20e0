"""Files that the project ships: SAEs with cards, presets, the claims ledger."""

from __future__ import annotations

import os
from pathlib import Path


def data_root() -> Path:
    """The ``data`` folder of the checkout, or ``$ABSORPTION_DATA``.

    Raises:
        FileNotFoundError: the library was installed without the checkout.
    """
    chosen = os.environ.get("ABSORPTION_DATA")
    folder = Path(chosen) if chosen else Path(__file__).resolve().parents[3] / "data"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The shipped data folder {folder} does not exist; install from a checkout with `pip install -e .` "
            "or set ABSORPTION_DATA to its data folder."
        )
    return folder

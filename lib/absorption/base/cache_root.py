"""Where the disk cache lies; apart from ``cache``, whose tensors take seconds to import."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def root() -> Path:
    """Cache folder: ``$ABSORPTION_CACHE`` if set, else the user's cache folder (``~/.cache/absorption``)."""
    chosen = os.environ.get("ABSORPTION_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("absorption"))

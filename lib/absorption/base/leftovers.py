"""What packages leave in the temporary folder when they are imported, and how this library keeps them from it.

SAELens imports its logging package, ``wandb``, which makes two temporary folders on import and removes them only when
the process ends well; a notebook's kernel is killed. PyTorch's compiler makes a folder for its results when one of its
modules is imported, used or not. So ``wandb`` is imported when something of it is used for the first time, and the
compiler's folder lies in this library's cache.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from absorption.base import cache_root

LOGGING = "wandb"
COMPILED = "TORCHINDUCTOR_CACHE_DIR"
"""PyTorch's own setting of its compiler's folder."""
KNOWN = ("__version__", "__all__")
"""Names with underscores that only the module's own code sets; others that are missing do not load it."""


class LaterModule(ModuleType):
    """Stands for a module, and becomes it when a name is asked of it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in KNOWN:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        spec = self.__spec__
        assert spec is not None  # module_from_spec set them
        assert spec.loader is not None
        self.__class__ = ModuleType  # type: ignore[assignment]  # what follows asks names of it, too
        spec.loader.exec_module(self)
        return getattr(self, name)


def avoid() -> None:
    """Keep the temporary folder clean; to be called before SAELens or PyTorch's compiler is imported.

    What is imported or set already stays as it is.
    """
    _import_later(LOGGING)
    folder = cache_root.root() / "compiled"
    if COMPILED not in os.environ and _can_be_made(folder):
        os.environ[COMPILED] = str(folder)


def _import_later(name: str) -> None:
    if name in sys.modules or (spec := importlib.util.find_spec(name)) is None:
        return
    module = importlib.util.module_from_spec(spec)
    module.__class__ = LaterModule  # type: ignore[assignment]
    sys.modules[name] = module


def _can_be_made(folder: Path) -> bool:
    """Whether the folder's nearest parent that exists is a folder that may be written."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK)

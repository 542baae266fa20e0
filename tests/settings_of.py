"""Settings without a notebook's run: the defaults of its first code cell, but for what a test changes."""

from __future__ import annotations

from typing import TypeVar

from absorption.base import repository
from absorption.base.settings import Settings
from absorption.runner import before, parameters

S = TypeVar("S", bound=Settings)


def settings_of(kind: type[S], **changed: object) -> S:
    """As in the first notebook whose settings are of this class, or of one that is derived from it."""
    for path in sorted((repository.root() / "notebooks").glob("*.ipynb")):
        notebook = parameters.read_notebook(path)
        if issubclass(before.settings_class(notebook, {}), kind):
            return kind.from_namespace({**parameters.declared(notebook), **changed})
    raise LookupError(f"no notebook has settings of {kind.__name__}.")

"""Before a notebook runs: its parameters' ranges, and what the preflight knows to be wrong; then its size."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from typing import Any, TypeGuard

from nbformat import NotebookNode

from absorption.base.settings import ModelSettings, SaeSettings, Settings
from absorption.runner.parameters import ParameterError
from absorption.saes import preflight
from absorption.spelling.vocab_size import describe_words

PACKAGE = "absorption."


def check(notebook: NotebookNode, values: Mapping[str, Any]) -> str:
    """Check the parameters as the notebook's own first cell will, and then everything else.

    Args:
        notebook: with a cell ``settings = SomeSettings.from_namespace(globals())`` and the class's import.
        values: every parameter.

    Returns:
        What to say before the run starts: the number of words; empty for a notebook without a model.

    Raises:
        ParameterError: whatever is wrong, in two lines at most.
    """
    found = settings_class(notebook, values)
    try:
        settings = found.from_namespace(values)
        preflight.check(settings)
        return describe_words(settings) if _counts_words(settings) else ""
    except (ValueError, OSError) as error:  # ConnectionError is an OSError
        raise ParameterError(str(error)) from error


def _counts_words(settings: Settings) -> TypeGuard[ModelSettings]:
    return isinstance(settings, ModelSettings) and settings.of_vocabulary


def settings_class(notebook: NotebookNode, values: Mapping[str, Any]) -> type[Settings]:
    """The class that the notebook makes its settings with; of the shared ones where that cannot be known."""
    imported: dict[str, str] = {}
    for cell in notebook.cells:
        for statement in _statements(cell):
            if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(PACKAGE):
                imported |= {alias.asname or alias.name: str(statement.module) for alias in statement.names}
            elif (name := _maker(statement)) in imported:
                return _class(imported[name], name)
    return _shared(values)


def _statements(cell: NotebookNode) -> list[ast.stmt]:
    if cell.cell_type != "code":
        return []
    try:
        return ast.parse(cell.source).body
    except SyntaxError:  # a magic: no settings there
        return []


def _maker(statement: ast.stmt) -> str:
    """``X`` of ``... = X.from_namespace(...)``, else empty."""
    match statement:
        case ast.Assign(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="from_namespace"))):
            return name
    return ""


def _class(module: str, name: str) -> type[Settings]:
    return getattr(importlib.import_module(module), name)


def _shared(values: Mapping[str, Any]) -> type[Settings]:
    """The largest shared class of which the notebook has every field."""
    fitting = (
        kind for kind in (SaeSettings, ModelSettings, Settings) if set(kind.model_fields) <= set(values)
    )
    return next(fitting, Settings)

"""Parameters of a notebook: which there are, and whether the values given fit. papermill only warns."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import nbformat
import yaml
from nbformat import NotebookNode
from pydantic import BeforeValidator, FiniteFloat, TypeAdapter, ValidationError

from absorption.base import parameter_cell, yaml_text
from absorption.base.settings import SaeSettings

ABOUT = "about"
"""A preset's entry on itself (title, cost, batch): no parameter."""
SHARED = frozenset(SaeSettings.model_fields)
"""Parameters that most chapters have: where one lacks them, a preset's values are left out."""
NUMBER = Annotated[
    FiniteFloat, BeforeValidator(lambda given: float(given) if isinstance(given, str) else given)
]
"""A finite number; YAML reads 1e-3, without a point, as text."""
SHORT = reprlib.Repr()
"""Shows a value without writing all of it: one made of aliases can be of any length."""
SHORT.maxlevel = 2
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = 120


class ParameterError(ValueError):
    """A parameter, preset or notebook that cannot be used; the message has two lines at most."""


def read_notebook(path: Path) -> NotebookNode:
    """A notebook file.

    Raises:
        ParameterError: there is none, or it is not a notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except OSError as error:
        raise ParameterError(f"notebook {str(path)!r} cannot be read: {error.strerror}.") from None
    except Exception as error:  # nbformat raises its own, JSON's and jsonschema's errors
        reason = str(error).strip().splitlines()[0][:200]
        raise ParameterError(f"{str(path)!r} is not a notebook: {reason}") from None


def declared(notebook: NotebookNode) -> dict[str, Any]:
    """Names and default values in the cell tagged ``parameters``.

    Raises:
        ParameterError: no such cell, or one that holds more than assignments of literals.
    """
    try:
        return parameter_cell.defaults(notebook.cells)
    except ValueError as error:
        raise ParameterError(str(error)) from None


def resolve(
    defaults: Mapping[str, Any], pairs: Iterable[Sequence[str]] = (), presets: Iterable[Path] = ()
) -> dict[str, Any]:
    """The values to inject: presets in order, then ``-p`` pairs; later ones win.

    Args:
        defaults: what ``declared`` found; the default's type is the type that is allowed.
        pairs: (name, text) from the command line.
        presets: YAML files, each a mapping from names to values. Model and SAE are left out where the
            notebook has no such parameter, so that one preset serves every chapter.

    Raises:
        ParameterError: an unknown name, or a value of another type.
    """
    values: dict[str, Any] = {}
    for preset in presets:
        given = {name: value for name, value in read_preset(preset).items() if name != ABOUT}
        meant = {name: value for name, value in given.items() if name in defaults or name not in SHARED}
        values |= check(meant, defaults, source=f" in {preset.name}")
    for name, text in pairs:
        _known(name, defaults)
        values[name] = _fit(name, text, defaults[name], text=True)
    return values


def left_out(defaults: Mapping[str, Any], presets: Iterable[Path]) -> list[str]:
    """Shared parameters that the presets set and the notebook does not have."""
    given = {name for preset in presets for name in read_preset(preset)}
    return sorted((given & SHARED) - set(defaults))


def check(values: Mapping[str, Any], defaults: Mapping[str, Any], source: str = "") -> dict[str, Any]:
    """The values, floats made of ints where a float is wanted.

    Raises:
        ParameterError: as ``resolve``; ``source`` says where the value stood.
    """
    for name in values:
        _known(name, defaults, source)
    return {name: _fit(name, value, defaults[name], source=source) for name, value in values.items()}


def read_preset(path: Path) -> dict[str, Any]:
    """A preset file's names and values.

    Raises:
        ParameterError: the file is missing, not YAML, or not a mapping.
    """
    try:
        content = yaml_text.read(path)
    except OSError as error:
        raise ParameterError(f"preset {str(path)!r} cannot be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())[:200]
        raise ParameterError(f"preset {str(path)!r} is not YAML: {reason}") from None
    if not isinstance(content, dict):
        raise ParameterError(f"preset {str(path)!r} must hold lines `name: value`.")
    return content


def _known(name: object, defaults: Mapping[str, Any], source: str = "") -> None:
    if name in defaults:
        return
    near = difflib.get_close_matches(str(name), defaults, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ParameterError(
        f"unknown parameter {name!r}{source}.{hint}\nAllowed: {', '.join(sorted(defaults)) or 'none'}."
    )


def _fit(name: str, value: Any, default: Any, source: str = "", *, text: bool = False) -> Any:
    """The value in the default's type; text of the command line is read first."""
    kind = TypeAdapter(_kind(default))
    try:
        if text and isinstance(default, str | int | float) and not isinstance(default, bool):
            return kind.validate_strings(value)
        return kind.validate_python(yaml_text.load(value) if text else value, strict=True)
    except (ValidationError, yaml.YAMLError):
        shown = SHORT.repr(value)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        raise ParameterError(
            f"parameter {name!r} is {shown}{source}; allowed: {_allowed(default)}."
        ) from None


def _kind(default: Any) -> Any:
    """The type that a default stands for."""
    if isinstance(default, float):
        return NUMBER
    if isinstance(default, list):
        return list[_kind(default[0]) if default else Any]
    return Any if default is None else type(default)


def _allowed(default: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", dict: "a mapping"}
    if isinstance(default, list):
        return f"a list such as {default}" if default else "a list such as [1, 2]"
    return f"{names.get(type(default), type(default).__name__)} (default {default!r})"

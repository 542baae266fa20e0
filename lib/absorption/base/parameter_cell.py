"""The cell of a notebook that declares its parameters.

Standard library only: the Snakefile's environment loads this file, and the library's packages are not installed there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any


def defaults(cells: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Names and default values in the cell tagged ``parameters``.

    Args:
        cells: a notebook's, as its file has them.

    Raises:
        ValueError: no such cell, or one that holds more than assignments of literals.
    """
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(f"the notebook has {len(tagged)} cells tagged 'parameters'; it must have one.")
    try:
        statements = ast.parse("".join(tagged[0]["source"])).body
        return {name: ast.literal_eval(value) for name, value in map(_assignment, statements)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: brackets without end
        raise ValueError("the cell tagged 'parameters' must hold only lines `name = literal`.") from None


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return name, value
    raise ValueError(ast.dump(statement))

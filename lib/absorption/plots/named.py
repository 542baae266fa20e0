"""Every figure by its name, drawn from tables that a run left."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import yaml

from absorption import plots
from absorption.plots.theme import Drawing

NO_FIGURE = ("marks", "named", "show", "theme")
"""Modules of this folder that draw no figure of their own."""


class FigureError(ValueError):
    """A figure cannot be drawn from what was given; one line says why."""


def functions() -> dict[str, Callable[..., Drawing]]:
    """Plot functions by ``module.function``."""
    found: dict[str, Callable[..., Drawing]] = {}
    for info in pkgutil.iter_modules(plots.__path__):
        if info.name not in NO_FIGURE:
            module = importlib.import_module(f"absorption.plots.{info.name}")
            own = {
                name: what
                for name, what in vars(module).items()
                if inspect.isfunction(what) and name[0] != "_"
            }
            found |= {f"{info.name}.{n}": f for n, f in own.items() if f.__module__ == module.__name__}
    return found


def draw(function: Callable[..., Drawing], paths: Sequence[Path], others: Mapping[str, str]) -> Drawing:
    """Call a plot function with tables from files and its other arguments in YAML.

    Args:
        function: one of ``functions()``.
        paths: its tables, in the order of its arguments.
        others: the other arguments by name.

    Raises:
        FigureError: a file that is no table, an argument too many or too few, a column that is not there.
    """
    known = inspect.signature(function).parameters
    if unknown := sorted(set(others) - set(known)):
        raise FigureError(f"unknown argument {unknown[0]!r}; it takes {', '.join(known)}.")
    tables = [_table(path) for path in paths]
    values = {name: yaml.safe_load(text) for name, text in others.items()}
    try:
        inspect.signature(function).bind(*tables, **values)
    except TypeError as error:
        raise FigureError(f"{error}; it takes {', '.join(known)}.") from None
    try:
        return function(*tables, **values)
    except KeyError as error:
        columns = "; ".join(
            f"{path.name} has {', '.join(map(str, table.columns))}"
            for path, table in zip(paths, tables, strict=True)
        )
        raise FigureError(f"column {error} is missing; {columns}.") from None


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except FileNotFoundError:
        raise FigureError(f"{path} does not exist.") from None
    except Exception as error:
        raise FigureError(f"{path} is no table: {str(error).splitlines()[0]}.") from None

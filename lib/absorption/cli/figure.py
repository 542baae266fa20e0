"""``absorption figure``: one figure from stored tables, as a file for slides or print."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

FAILED, REFUSED = 1, 2


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Register the command with the main parser."""
    figure = commands.add_parser(
        "figure", help="draw one figure from stored tables", description=_figure.__doc__
    )
    figure.add_argument(
        "name", help="MODULE.FUNCTION of the library's plots, such as absorbed.rates_by_letter"
    )
    figure.add_argument(
        "tables", nargs="*", type=Path, help="its tables in order: .parquet (a run's results) or .csv"
    )
    figure.add_argument("-o", required=True, type=Path, dest="out", help="NAME.svg, NAME.png or NAME.pdf")
    figure.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="pairs",
                        help="another argument of the function, in YAML")  # fmt: skip
    figure.set_defaults(command=_figure)


def _figure(options: argparse.Namespace, _rest: list[str]) -> int:
    """Draw a figure of the book from a run's tables, with the function that draws it on the page."""
    from absorption.base import cache
    from absorption.plots import named
    from absorption.plots.show import KINDS, save

    kind = options.out.suffix.removeprefix(".")
    if kind not in KINDS:
        return _refuse(f"-o {options.out}: a figure is written as {', '.join(f'.{k}' for k in KINDS)}.")
    functions = named.functions()
    if options.name not in functions:
        near = difflib.get_close_matches(options.name, functions, n=3, cutoff=0.3) or sorted(functions)[:3]
        return _refuse(f"unknown figure {options.name!r}; near it: {', '.join(near)}. All {len(functions)} are "
                       "functions of absorption.plots.")  # fmt: skip
    try:
        drawn = named.draw(functions[options.name], options.tables, dict(options.pairs))
    except named.FigureError as error:
        return _refuse(f"{options.name}: {error}")
    with cache.atomic_path(options.out) as temporary:
        temporary.write_bytes(save(drawn, kind))
    print(options.out)
    return 0


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return REFUSED

"""The commands ``report`` and ``compare``: one SAE, or several, on one self-contained page."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absorption.base import repository

if TYPE_CHECKING:  # the page's makers are slow to import; a command line imports what it runs
    from absorption.runner import reports

FAILED, REFUSED = 1, 2


def add_commands(commands: Any) -> None:
    """Add them to the command ``absorption``."""
    report = commands.add_parser("report", help="one SAE on one page", description=_report.__doc__)
    report.add_argument("--sae_release", default="", help="shipped, local, or a SAELens release")
    report.add_argument("--sae_id", default="", help="id within the release; for a local SAE its folder")
    report.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="pairs")
    report.add_argument("-f", action="append", default=[], metavar="PRESET", dest="presets", type=Path)
    report.add_argument("--out", type=Path, default=Path("_build/reports"), help="folder of reports")
    report.add_argument("--name", default="", help="name of the report; default the SAE's")
    report.add_argument("--book", action="store_true", help="let `absorption book` show it as well")
    report.set_defaults(command=_report)
    compare = commands.add_parser("compare", help="reports side by side", description=_compare.__doc__)
    compare.add_argument("folders", nargs="+", type=Path, help="reports, or folders that hold some")
    compare.add_argument("--out", type=Path, default=Path("_build/reports/side-by-side.html"))
    compare.set_defaults(command=_compare)


def _report(options: argparse.Namespace, _rest: list[str]) -> int:
    """Measure one SAE in short and write one HTML file that needs nothing else."""
    from absorption.runner import reports
    from absorption.runner.parameters import ParameterError

    try:
        pairs = [*_sae_pairs(options.sae_release, options.sae_id), *options.pairs]
        made = reports.write_report(
            repository.root(), options.out, pairs, options.presets, name=options.name, in_book=options.book
        )
    except (ParameterError, ValueError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    return _said(made)


def _said(made: reports.Made) -> int:
    """Print where the page is, or what went wrong; the exit status."""
    if made.note:
        print(made.note, file=sys.stderr)
    if made.error:
        print(made.error, file=sys.stderr)
        return FAILED
    print(made.html)
    return 0


def _sae_pairs(release: str, sae_id: str) -> list[tuple[str, str]]:
    """A local SAE may be named by its folder alone."""
    if release == "local" and sae_id:
        return [("sae_release", "local"), ("sae_path", sae_id), ("sae_id", _name(sae_id))]
    given = {"sae_release": release, "sae_id": sae_id}
    return [(name, value) for name, value in given.items() if value]


def _name(folder: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(folder).resolve().name) or "sae"


def _compare(options: argparse.Namespace, _rest: list[str]) -> int:
    """Set any number of reports side by side on one HTML file that needs nothing else."""
    from absorption.runner import reports

    try:
        made = reports.write_side_by_side(options.folders, options.out, repository.root())
    except ValueError as error:
        print(error, file=sys.stderr)
        return REFUSED
    return _said(made)

"""The command ``absorption``: run one notebook, build the book, train the SAEs, sweep."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

FAILED, REFUSED, INTERRUPTED = 1, 2, 130
"""Exit codes: a notebook or the book failed; refused before anything ran; stopped by a signal."""
MACHINE = {"OMP_WAIT_POLICY": "PASSIVE", "THP_MEM_ALLOC_ENABLE": "1"}
"""Environment variables set where the user has not. The first is OpenMP's: threads that wait for each other sleep. By
default they spin, and where another process wants the same core the one that is waited for cannot run: measured on two
busy cores, four to five times the CPU time. The second is PyTorch's: large pages for large tensors on Linux, which
saves up to half of a forward pass, the time in which the kernel clears small pages. Neither changes a result."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of argparse's usage text."""
        self.exit(REFUSED, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    for name, value in MACHINE.items():
        os.environ.setdefault(name, value)  # before anything loads torch; kernels and workers inherit it
    options, rest = _parser().parse_known_args(argv)
    if rest and not options.takes_rest:
        _parser().error(f"unknown arguments: {' '.join(rest)}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        return options.command(options, rest)
    except KeyboardInterrupt:
        print("stopped; nothing half-written is left", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        from absorption.base import reasons

        if not (said := reasons.disk(error)):
            raise
        print(said, file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    from absorption.cli import figure, report, sweep

    parser = _Parser(prog="absorption", description="The runnable companion to 'A is for Absorption'.")
    parser.set_defaults(takes_rest=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run one notebook with parameters", description=_run.__doc__)
    run.add_argument("notebook", type=Path, help="a notebook of this book")
    run.add_argument("out", type=Path, help="where the executed page goes: NAME.ipynb or NAME.html")
    run.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="pairs",
                     help="set one parameter; wins over presets")  # fmt: skip
    run.add_argument("-f", action="append", default=[], metavar="PRESET", dest="presets", type=Path,
                     help="YAML file of parameters; a later one wins")  # fmt: skip
    run.add_argument(
        "--record", type=Path, help="also write versions, parameters, seconds and memory as JSON"
    )
    run.set_defaults(command=_run)
    book = commands.add_parser("book", help="run what changed and build the HTML", description=_book.__doc__)
    book.add_argument("--output", type=Path, default=Path("_build"), help="folder of what is made")
    book.add_argument(
        "--at-once", type=int, default=0, metavar="N",
        help="notebooks side by side; 0: two where cores and memory suffice (10 GB free), else one",
    )  # fmt: skip
    book.set_defaults(command=_book)
    course = commands.add_parser(
        "course", help="notebooks to teach from, after `book`", description=_course.__doc__
    )
    course.add_argument("--output", type=Path, default=Path("_build"), help="folder of what `book` made")
    course.set_defaults(command=_course)
    grade = commands.add_parser(
        "grade", help="points for handed-in notebooks of the course", description=_grade.__doc__
    )
    grade.add_argument("folder", type=Path, help="notebooks that were handed in, one folder a student")
    grade.add_argument("--out", type=Path, default=Path("points.csv"), help="table of points to write")
    grade.add_argument(
        "--limit", type=int, default=300, metavar="SECONDS", help="for the answers of one notebook"
    )
    grade.set_defaults(command=_grade)

    saes = commands.add_parser("saes", help="train the shipped SAEs", add_help=False)
    saes.set_defaults(command=_saes, takes_rest=True)
    explore = commands.add_parser("explore", help="train short SAEs and judge their fitness", add_help=False)
    explore.set_defaults(command=_explore, takes_rest=True)
    convert = commands.add_parser(
        "convert", help="make a model folder of a GGUF", description=_convert.__doc__
    )
    convert.add_argument("gguf", type=Path, help="a language model in one GGUF file")
    convert.add_argument("out", type=Path, help="the folder to make")
    convert.set_defaults(command=_convert)
    sweep.add_commands(commands)
    report.add_commands(commands)
    figure.add_commands(commands)
    return parser


def _run(options: argparse.Namespace, _rest: list[str]) -> int:
    """Run one notebook. Unknown or ill-typed parameters are refused before a kernel starts."""
    from absorption.runner import before, parameters, presets

    try:
        notebook = parameters.read_notebook(options.notebook)
        defaults = parameters.declared(notebook)
        values = parameters.resolve(defaults, options.pairs, options.presets)
        if said := before.check(notebook, {**defaults, **values}):
            print(said, file=sys.stderr)
        variables = presets.variables(options.presets)
        if unused := parameters.left_out(defaults, options.presets):
            print(f"left out, not of {options.notebook.name}: {', '.join(unused)}", file=sys.stderr)
        from absorption.runner import execute

        progress = sys.stderr.isatty()
        outcome = execute.run(
            options.notebook, options.out, values, progress, variables, numbers_in_text=True
        )
    except parameters.ParameterError as error:
        print(error, file=sys.stderr)
        return REFUSED
    if options.record:
        from absorption.base import cache

        cache.write_json(options.record, {**outcome.stamp, "error": outcome.error})
    if outcome.error:
        print(outcome.error, file=sys.stderr)
        return FAILED
    print(outcome.notebook)
    return 0


def _book(options: argparse.Namespace, _rest: list[str]) -> int:
    """Run the notebooks whose inputs changed and build the HTML; the last line says where it is."""
    from absorption.base import repository
    from absorption.runner import book, stage, workers

    try:
        at_once = workers.check(options.at_once)
    except ValueError as error:
        print(error, file=sys.stderr)
        return REFUSED
    try:
        index, errors = book.make(repository.root(), options.output, at_once=at_once)
    except stage.BookError as error:
        print(error, file=sys.stderr)
        return FAILED
    for error in errors:
        print(error, file=sys.stderr)
    if index is None:
        return FAILED
    print(index.resolve())
    return 0


def _course(options: argparse.Namespace, _rest: list[str]) -> int:
    """Write notebooks for students and instructors, quizzes, slides and a plan with times, from a finished book."""
    from absorption.base import repository
    from absorption.runner import course, quizzes, slides

    try:
        print(course.make(repository.root(), options.output).resolve())
    except (course.CourseError, quizzes.QuizError, slides.SlidesError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    return 0


def _grade(options: argparse.Namespace, _rest: list[str]) -> int:
    """Run the answers of handed-in notebooks, judge them by the book's own checks, and write a table of points.

    The answers are code, and are run as you: grade in a container what you would not run yourself.
    """
    from absorption.base import cache, repository, sheets
    from absorption.runner import grade

    try:
        points = grade.grade(repository.root(), options.folder, options.limit)
    except grade.GradeError as error:
        print(error, file=sys.stderr)
        return REFUSED
    cache.write_text(options.out, sheets.text(points, separator=",", digits="%g"))
    for row in grade.totals(points).to_dict("records"):
        print(f"{row['student']}: {row['points']} of {row['of']} points")
    print(options.out)
    return 0


def _convert(options: argparse.Namespace, _rest: list[str]) -> int:
    """Dequantise a GGUF file into a folder with model and tokenizer, for the parameter `model`."""
    from absorption.models import gguf_folder

    try:
        print(gguf_folder.convert(options.gguf, options.out))
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    return 0


def _saes(_options: argparse.Namespace, rest: list[str]) -> int:
    """Train the shipped SAEs; all further arguments are the trainer's."""
    from absorption.training.train import main as train

    return train(rest)


def _explore(_options: argparse.Namespace, rest: list[str]) -> int:
    """Train short SAEs along the axes and judge each by the rule of fitness."""
    from absorption.training.explore import main as explore

    return explore(rest)


def _stop(_signal: int, _frame: object) -> NoReturn:
    """Event loops and channels that are cut off complain at length; that is no news to who stopped them."""
    logging.disable()
    sys.unraisablehook = lambda _: None
    raise KeyboardInterrupt

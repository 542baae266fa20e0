"""Notebooks from top to bottom at smoke size, as ``smoke.yaml`` has it; two files of tests share the work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import yaml

from absorption import claims
from absorption.runner import clean, execute, parameters

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SMOKE: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "tests" / "smoke.yaml").read_text())
FIRST_HALF = ("01", "02", "03", "05", "09", "10", "12")
"""Numbers of the chapters that one of the two files runs; the other runs the rest. About the same time each."""


def run_and_read(notebooks: Sequence[Path], folder: Path) -> None:
    """Each once: nbval runs the copies that the runner prepares; pages that read results come after the rest."""
    results = folder / "results"
    chapters = [path for path in notebooks if not reads_results(path)]
    run_with_nbval([prepared(path, results, folder) for path in chapters])
    assert unrecorded_claims(results, {path.stem for path in chapters}) == []
    for path in notebooks:
        if reads_results(path):
            outcome = execute.run(path, folder / f"{path.stem}.out.ipynb", smoke_values(path, results))
            assert outcome.error == ""
            assert clean.failure(nbformat.read(outcome.notebook, as_version=4)) is None


def unrecorded_claims(results: Path, chapters: set[str]) -> list[str]:
    """Files of the claims of these chapters that are not there: a claim is on file only if it is measured."""
    rows = [row for row in claims.ledger(results).to_dict("records") if row["chapter"] in chapters]
    names = [f"{row['id']}.{row['part']}".rstrip(".") + ".json" for row in rows]
    return [name for name in names if not (results / "claims" / name).exists()]


def reads_results(path: Path) -> bool:
    return bool(nbformat.read(path, as_version=4).metadata.get("absorption", {}).get("reads_results"))


def smoke_values(path: Path, results: Path) -> dict[str, Any]:
    defaults = parameters.declared(parameters.read_notebook(path))
    return parameters.check({**SMOKE.get(path.stem, {}), "results_dir": str(results)}, defaults)


def prepared(path: Path, results: Path, folder: Path) -> Path:
    copy = folder / path.name
    nbformat.write(execute.prepare(path, smoke_values(path, results)), copy)
    return copy


def run_with_nbval(copies: list[Path]) -> None:
    if not copies:
        return
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q", "--tb=short"]
    settings = copies[0].parent / "nbval.ini"
    settings.touch()  # none: this project's are for its own tests
    command += ["-p", "no:cacheprovider", "-c", str(settings), *map(str, copies)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=copies[0].parent)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]

"""Four gigabytes of address space for a whole command, its kernel included."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests import smoke
from tests.torture import kills
from tests.torture.commands import ROOT, SHARED_WORK
from tests.torture.subjects import PAGE, write_notebook

BYTES = 4 << 30
TOO_MUCH = f"import torch; torch.ones({BYTES}, dtype=torch.uint8)\n{SHARED_WORK}"
CHAPTER = ROOT / "notebooks" / "03-the-recall-gap.ipynb"


def small(below: Path) -> kills.Tally:
    """A page that fits, then one that does not: it says so in a line or two, and the first one's tables stay."""
    place, tally = kills.Place(below), kills.Tally()
    environment = {"ABSORPTION_CACHE": str(place.work / "cache"), "TMPDIR": str(place.tmp)}
    environment[kills.MARK] = place.root.name
    for name, work in (("fits", SHARED_WORK), ("large", TOO_MUCH)):
        write_notebook(place.work / f"{name}.ipynb", work=work)
    fits = _command(_run(place.work, "fits"), environment)
    wrong = [f"a page that fits: {fits.stderr[-300:]}"] if fits.returncode else []
    before = PAGE.digest(place.work)
    wrong += [] if before else ["no tables"]
    wrong += _unclear(_command(_run(place.work, "large"), environment))
    wrong += [] if PAGE.digest(place.work) == before else ["tables of the earlier run differ"]
    wrong += [f"lives on: {process}" for process in place.orphans()]
    tally.add([*wrong, *(f"{name} was left" for name in place.litter())])
    place.remove()
    return tally


def chapter(below: Path) -> kills.Tally:
    """A chapter with the language model at smoke size: it works, or says in a line or two that memory is short."""
    values = smoke.smoke_values(CHAPTER, below / "results")
    pairs = [part for name, value in values.items() for part in ("-p", name, str(value))]
    done = _command(["run", str(CHAPTER), str(below / "chapter.html"), *pairs], {})
    tally = kills.Tally()
    tally.add(_unclear(done) if done.returncode else [])
    return tally


def _run(folder: Path, name: str) -> list[str]:
    files = [str(folder / f"{name}{ending}") for ending in (".ipynb", ".html")]
    return ["run", *files, "-p", "results_dir", str(folder / "results")]


def _unclear(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What is wrong with how a command says that memory ran out."""
    lines = done.stderr.strip().splitlines()
    clear = done.returncode == 1 and len(lines) <= 2 and "memory" in done.stderr
    return [] if clear else [f"status {done.returncode}, {len(lines)} lines: {done.stderr[-500:]}"]


def _command(arguments: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "absorption.cli", *arguments], env={**os.environ, **environment}, text=True,
        capture_output=True, timeout=kills.LIMIT, preexec_fn=_limited(BYTES), check=False,
    )  # fmt: skip


def _limited(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))

"""Starts a sweep: one at a time in a folder, continued where it was stopped, gathered at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from absorption.base import locks, yaml_text
from absorption.sweep import clusters, gather, page, processes

SNAKEMAKE = "ABSORPTION_SNAKEMAKE"
"""Environment variable: another snakemake than that of ``.venv-sweep``."""
LOCK = ".lock"
DRY = {"-n", "--dry-run", "--dryrun"}


class SweepError(RuntimeError):
    """A sweep that cannot start; two lines at most."""


def run(config: Path, root: Path, *, profile: Path | None = None, more: Sequence[str] = ()) -> int:
    """Run or continue a sweep; prints what failed and where the comparison is.

    Args:
        config: the configuration file, see ``sweep/config.schema.yaml``.
        root: the repository.
        profile: a Snakemake profile; default ``sweep/profiles/local``.
        more: further arguments for Snakemake (``-n`` only shows the jobs).

    Returns:
        Snakemake's exit status: 0 if every run is done.

    Raises:
        SweepError: no configuration, no Snakemake, or a sweep is running in the same folder.
    """
    output = output_folder(config, root)
    command = [
        _snakemake(root),
        "--snakefile",
        str(root / "Snakefile"),
        "--configfile",
        str(config.resolve()),
    ]
    command += ["--directory", str(output), "--profile", str(profile or root / "sweep/profiles/local")]
    if profile is None:
        command += ["--resources", f"mem_mb={psutil.virtual_memory().total // 1_100_000}"]
    command += clusters.arguments(_profile(profile or root / "sweep/profiles/local"))
    if DRY & set(more):
        told = (
            [] if {"--quiet", "-q"} & set(more) else ["--quiet", "host"]
        )  # the profile's would hide the jobs
        return subprocess.call([*command, "--nolock", *told, *more])
    with only_one(output) as lock:
        _refuse_living(output)
        # Whoever holds our lock is alone here, so Snakemake's own can only be left from a sweep that was killed.
        subprocess.run([*command, "--unlock"], capture_output=True)
        status = processes.watch([*command, *more], lock)
    if (output / gather.PLAN).exists():
        report(output)
    return status


def report(output: Path) -> None:
    """Gather the results, make a page of them, and print failures and where it is."""
    found = gather.gather(output)
    html = page.write(output, found)
    for line in gather.failures(found.status):
        print(line, file=sys.stderr)
    done = int((found.status["status"] == "done").sum())
    print(f"{done} of {len(found.status)} runs done; side by side in {html} and comparison.tsv")


def output_folder(config: Path, root: Path) -> Path:
    """The sweep's folder, as its configuration names it."""
    try:
        content: Any = yaml_text.read(config)
    except OSError as error:
        raise SweepError(f"configuration {str(config)!r} cannot be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        raise SweepError(f"{str(config)!r} is not YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(content, dict) or not isinstance(content.get("output"), str) or not content["output"]:
        raise SweepError(f"{str(config)!r} names no output: a line `output: folder` is needed.")
    return (root / content["output"]).resolve()


@contextmanager
def only_one(output: Path) -> Iterator[int]:
    """Hold the folder's lock; the system lets go of it even if everything is killed.

    Raises:
        SweepError: somebody else holds it.
    """
    try:
        with locks.hold(output / LOCK) as handle:
            yield handle
    except locks.Held as held:
        raise SweepError(
            f"a sweep is running in {str(output)!r} ({held}); wait for it, or name another output."
        ) from None


def living(output: Path) -> list[str]:
    """Jobs of an earlier sweep that still run, one line each: a killed sweep does not take its jobs along."""
    found = sorted(lock for part in ("shared", "runs") for lock in (output / part).rglob(".*.lock"))
    held = [(lock, locks.holder(lock)) for lock in found]
    return [f"{lock.parent.relative_to(output)}: {words}" for lock, words in held if words]


def _refuse_living(output: Path) -> None:
    """Snakemake would empty a living job's folder and start the same job in it."""
    if jobs := living(output):
        others = f", and {len(jobs) - 1} more" if len(jobs) > 1 else ""
        raise SweepError(
            f"a job of an earlier sweep still runs in {str(output)!r}: {jobs[0]}{others}. Wait for it, or end it."
        )


def _profile(folder: Path) -> dict[str, Any]:
    """A Snakemake profile's settings; empty where it is one of Snakemake's own, by name."""
    path = folder / "config.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}


def _snakemake(root: Path) -> str:
    own = root / ".venv-sweep" / "bin" / "snakemake"
    found = os.environ.get(SNAKEMAKE) or (str(own) if own.exists() else shutil.which("snakemake"))
    if not found:
        raise SweepError("snakemake is not installed; `make sweep` installs it into .venv-sweep.")
    return found

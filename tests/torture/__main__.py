"""``make torture``: everything that this folder can do to the library, and a table of what was lost."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.torture import commands, disks, fuzz, kills, limits, properties
from tests.torture.commands import JUPYTER_BOOK, REPORT, SAES, SWEEP
from tests.torture.subjects import BOOK, CACHE, PAGE, TRAINING

SHARES = {
    CACHE: 0.25,
    TRAINING: 0.1,
    SAES: 0.2,
    PAGE: 0.1,
    REPORT: 0.1,
    BOOK: 0.1,
    JUPYTER_BOOK: 0.06,
    SWEEP: 0.09,
}
"""Of the kills, by command."""


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign, print its table, and end with 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="torture", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fuzz", type=int, default=20_000, help="changed files a reader")
    parser.add_argument("--minutes", type=float, default=10, help="under hypothesis, a reader")
    parser.add_argument("--only", default="", help="a word in the names of what is to run")
    chosen = parser.parse_args(arguments)
    lost = []
    print("| what happened | tried | lost |\n|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="absorption-torture-") as folder:
        for name, run in trials(chosen.kills, chosen.fuzz, chosen.minutes, chosen.seed, Path(folder)):
            if chosen.only in name:
                begin = time.monotonic()
                tally = run()
                print(f"| {name} | {tally.tried:,} | {len(tally.lost)} |", flush=True)
                print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
                lost += tally.lost
    for line in lost:
        print(line, file=sys.stderr)
    return int(bool(lost))


def trials(n_kills: int, n_fuzz: int, minutes: float, seed: int, folder: Path):
    """Name and action of each part, the cheap ones first."""
    sweeps = commands.SNAKEMAKE.exists()
    if not sweeps:
        print("no Snakemake (`make test` installs it): sweeps are not tried", file=sys.stderr)
    for subject, share in SHARES.items():
        if subject is SWEEP and not sweeps:
            continue
        count = round(n_kills * share)
        name = f"SIGKILL and SIGTERM: {subject.name}"
        yield name, lambda subject=subject, count=count: kills.campaign(subject, count, seed, folder)
    for subject in (CACHE, TRAINING, BOOK):
        name = f"two at once in one folder: {subject.name}"
        yield name, lambda subject=subject: kills.two_at_once(subject, 2 if subject is BOOK else 5, folder)
    if sweeps:
        yield "a book beside a sweep on one cache", lambda: kills.beside(JUPYTER_BOOK, SWEEP, folder)
    yield "4 GB of memory: a page that fits and one that does not", lambda: limits.small(folder)
    yield "4 GB of memory: a chapter at smoke size", lambda: limits.chapter(folder)
    if disks.available():
        sizes = {CACHE.name: [4, 12, 16, 24, 40, 64, 80, 96], TRAINING.name: [8, 16, 64, 128, 256]}
        for subject in (CACHE, TRAINING):
            name = f"a full disk: {subject.name}"
            yield name, lambda subject=subject: disks.full(subject, sizes[subject.name], folder)
        yield "a disk that may only be read", lambda: disks.read_only(CACHE, folder)
    else:
        print("no disks of our own on this machine: full and read-only ones are not tried", file=sys.stderr)
    yield "changed files of SAEs", lambda: fuzz.saes(n_fuzz, seed, folder)
    yield "changed presets and values", lambda: fuzz.presets(n_fuzz, seed, folder)
    yield "SAEs under hypothesis", lambda: properties.saes(folder, minutes * 60, seed)
    yield "presets and values under hypothesis", lambda: properties.presets(folder, minutes * 60, seed)


if __name__ == "__main__":
    raise SystemExit(main())

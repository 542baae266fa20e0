"""What the environment is made of: every pin has hashes and a licence."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TORCH = "torch"
"""Its CPU build is another file, of another registry, than PyPI's: the one pin without hashes."""

SILENT = {
    "conda-inject", "snakemake-interface-common", "snakemake-interface-logger-plugins", "sysrsync",
    "snakemake-interface-report-plugins", "snakemake-interface-scheduler-plugins",
    "snakemake-interface-storage-plugins",
}  # fmt: skip
"""Packages of the sweeps' environment whose metadata state no licence; the table says UNKNOWN."""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: Path) -> dict[str, str]:
    """Version by name; a lock may carry hashes and notes."""
    lines = [line.partition(";")[0].split()[0] for line in lock.read_text().splitlines() if "==" in line]
    found = dict(line.split("==") for line in lines if not line.startswith("#"))
    return {plain(name): version for name, version in found.items()}


def test_every_pin_but_pytorch_has_hashes() -> None:
    hashed = ROOT / "requirements.hashes"
    wanted = pins(ROOT / "requirements.lock")
    assert TORCH in wanted
    assert pins(hashed) == {name: version for name, version in wanted.items() if name != TORCH}
    for lock in (hashed, ROOT / "sweep" / "requirements.lock"):
        for entry in re.split(r"\n(?=\S)", lock.read_text().strip()):
            assert re.search(r" --hash=sha256:[0-9a-f]{64}\b", entry) or entry.startswith("#"), entry


@pytest.mark.parametrize(
    ("table", "lock"),
    [("data/licences.csv", "requirements.lock"), ("sweep/licences.csv", "sweep/requirements.lock")],
)
def test_every_pin_has_a_licence(table: str, lock: str) -> None:
    with (ROOT / table).open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {plain(row["Name"]): row["Version"] for row in rows} == pins(ROOT / lock)
    without = {plain(row["Name"]) for row in rows if not row["License"] or "UNKNOWN" in row["License"]}
    assert without == (SILENT if lock.startswith("sweep") else set())

"""The results of a sweep side by side, and what failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from absorption.base import cache, sheets
from absorption.base.quantities import METRICS, rate, score

PLAN = "sweep.json"
"""Beside the results: what the sweep was to run."""
COMPARISON = [
    "sample", "model", "sae_release", "sae_id", "hook_name", "chapter", "quantity", "value", "low", "high",
]  # fmt: skip
"""One row a number of one SAE, with its bootstrap interval."""
STATUS = ["sample", "chapter", "status", "seconds", "peak_gb", "error"]
"""One row a run. ``status``: done, failed, or not run (its shared job failed, or the sweep stopped before)."""
ROUNDED = "%.4g"
"""Digits for people; the parquet files have them all."""
Number = tuple[str, float, float, float]
"""A quantity, its value, and its interval."""


@dataclass(frozen=True)
class Sweep:
    """What a sweep left."""

    status: pd.DataFrame
    comparison: pd.DataFrame


def gather(output: Path) -> Sweep:
    """Read every run, and write ``status``, ``comparison`` and the chapters' own tables, joined.

    ``comparison.tsv`` and ``status.tsv`` are for people, rounded; the tables in ``tables/`` have a first column
    ``sample``.

    Raises:
        ValueError: the folder holds no sweep.
    """
    plan = read_plan(output)
    runs = [(sample, chapter) for sample in plan["samples"] for chapter in plan["chapters"]]
    status = pd.DataFrame([_status(output, plan, *run) for run in runs], columns=STATUS)
    done = status[status["status"] == "done"]
    runs_done = list(zip(done["sample"].tolist(), done["chapter"].tolist(), strict=True))
    rows = [row for run in runs_done for row in _numbers(output, plan, *run)]
    comparison = pd.DataFrame(rows, columns=COMPARISON)
    for name, table in (("status", status), ("comparison", comparison)):
        cache.write_table(output / f"{name}.parquet", table)
        cache.write_text(output / f"{name}.tsv", sheets.text(table, separator="\t", digits=ROUNDED))
    _join_tables(output, runs_done)
    return Sweep(status, comparison)


def read_plan(output: Path) -> dict[str, Any]:
    """The sweep's plan as the Snakefile wrote it."""
    path = output / PLAN
    if not path.exists():
        raise ValueError(f"{str(output)!r} holds no sweep: it has no {PLAN}.")
    return json.loads(path.read_text(encoding="utf-8"))


def failures(status: pd.DataFrame) -> list[str]:
    """One line a run that is not done."""
    missing = status[status["status"] != "done"]
    return [f"{row.sample}, {row.chapter}: {row.status}: {row.error}" for row in missing.itertuples()]


def _status(output: Path, plan: dict[str, Any], sample: str, chapter: str) -> tuple[Any, ...]:
    record = _record(output / "runs" / sample / chapter / "record.json")
    if record and not record["error"]:
        return sample, chapter, "done", record["seconds"], record["peak_bytes"] / 1e9, ""
    if error := _last_words(output / "logs" / "runs" / sample / f"{chapter}.log"):
        return sample, chapter, "failed", None, None, error
    key = plan["shared_of"].get(sample, "")
    shared_error = _last_words(output / "logs" / "shared" / f"{key}.log")
    if key and shared_error and not (output / "shared" / f"{key}.json").exists():
        return sample, chapter, "not run", None, None, f"shared work failed: {shared_error}"
    return sample, chapter, "not run", None, None, "the sweep stopped before it"


def _record(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _last_words(log: Path) -> str:
    """The error in a log: its last line, without the one that says where the partial page is."""
    if not log.exists():
        return ""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    told = [
        line for line in lines if line and not line.startswith(("The partial page is", "left out, not of"))
    ]
    return told[-1][:500] if told else ""


def _numbers(output: Path, plan: dict[str, Any], sample: str, chapter: str) -> list[tuple[Any, ...]]:
    row = plan["samples"][sample]
    row = {**row, "sae_id": row.get("sae_id") or Path(row.get("sae_path", "")).name}
    about = (
        sample,
        *(row.get(name, "") for name in ("model", "sae_release", "sae_id", "hook_name")),
        chapter,
    )
    return [(*about, *number) for number in numbers_of(output / "runs" / sample / chapter / "results")]


def numbers_of(results: Path) -> list[Number]:
    """Every headline number in a folder of results: ``quantity, value, low, high``; claims last."""
    found: list[Number] = []
    for name, read in HEADLINES.items():
        if (results / f"{name}.parquet").exists():
            found += read(pd.read_parquet(results / f"{name}.parquet"))
    for path in sorted((results / "claims").glob("*.json")):
        entry = json.loads(path.read_text(encoding="utf-8"))
        if entry["measured"] is not None:
            found.append((f"claim {path.stem}", entry["measured"], entry["low"], entry["high"]))
    return found


def _recall_gap(table: pd.DataFrame) -> list[Number]:
    """The first SAE's and the probe's rows; others were there to compare with."""
    saes = [name for name in table["sae"].unique() if name != "LR probe"]
    rows: list[Any] = table[table["sae"].isin(["LR probe", *saes[:1]])].to_dict("records")
    return [
        (score(metric, row["selection"]), row[metric], row[f"{metric}_low"], row[f"{metric}_high"])
        for row in rows
        for metric in METRICS
    ]


def _rates(table: pd.DataFrame) -> list[Number]:
    rows: list[Any] = table[table["letter"] == "mean"].to_dict("records")
    return [(rate(row["definition"]), row["rate"], row["low"], row["high"]) for row in rows]


def _summary(table: pd.DataFrame) -> list[Number]:
    """The first SAE's numbers; others were there to compare with."""
    rows: list[Any] = table[table["sae"] == table["sae"].iloc[0]].to_dict("records")
    return [(row["quantity"], row["value"], row["low"], row["high"]) for row in rows]


HEADLINES: dict[str, Callable[[pd.DataFrame], list[Number]]] = {
    "recall-gap": _recall_gap,
    "absorption-rates": _rates,
    "sae-summary": _summary,
}
"""How to read the numbers worth comparing out of a chapter's table, by the table's name."""


def _join_tables(output: Path, runs: list[tuple[str, str]]) -> None:
    """Tables of one name, one below the other."""
    found: dict[str, list[pd.DataFrame]] = {}
    for sample, chapter in runs:
        for path in sorted((output / "runs" / sample / chapter / "results").glob("*.parquet")):
            table = pd.read_parquet(path)
            table.insert(0, "sample", sample)
            found.setdefault(f"{chapter}.{path.stem}", []).append(table)
    for name, tables in found.items():
        cache.write_table(output / "tables" / f"{name}.parquet", pd.concat(tables, ignore_index=True))

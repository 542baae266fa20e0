"""How a page was made: versions, parameters, hashes, duration, machine; for readers and for machines."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

import nbformat
from nbformat import NotebookNode

from absorption.base import repository

MIME = "application/vnd.absorption.report+json"
"""Type of the invisible output by which a notebook tells the runner what it loaded."""
PACKAGES = (
    "torch", "transformers", "tokenizers", "transformer-lens", "sae-lens", "scikit-learn", "scipy", "numpy", "pandas",
)  # fmt: skip
"""Packages whose versions a page states: those of ``cache.PACKAGES``, and pandas."""
CELL_ID = "how-this-page-was-made"
UNSHOWN = ("results_dir",)
"""Parameters that say where results went on one machine: no matter of a reader's."""


def note_loaded(**loaded: Any) -> None:
    """Called in a notebook: tells the page's stamp what was loaded, ``note_loaded(model=model, sae=sae)``.

    Each value is text, or has ``name`` and ``weights_hash`` (a model or SAE), or is a list of such.
    Shows nothing, and does nothing outside a notebook.
    """
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if get_ipython() is not None:
        facts = {name: _describe(value) for name, value in loaded.items()}
        display({MIME: facts}, raw=True)


def _describe(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_describe(item) for item in value]
    if isinstance(value, str | int | float):
        return str(value)
    names = ("name", "weights_hash", "configuration_hash", "device", "dtype")
    facts = {name: str(getattr(value, name)) for name in names if hasattr(value, name)}
    facts |= {"revision": value.revision} if getattr(value, "revision", "") else {}
    if "weights_hash" not in facts:
        raise ValueError(
            f"note_loaded: {type(value).__name__} has no weights_hash; allowed: text, model, SAE."
        )
    return facts


def collect(notebook: NotebookNode) -> dict[str, Any]:
    """What the notebook's cells noted; a later note of a name replaces an earlier one."""
    facts: dict[str, Any] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            facts |= output.get("data", {}).get(MIME, {})
    return facts


def make(
    parameters: Mapping[str, Any],
    loaded: Mapping[str, Any],
    seconds: float,
    peak_bytes: int,
    stages: list[dict[str, Any]],
) -> dict[str, Any]:
    """All facts about a run, as JSON values.

    Args:
        parameters: every parameter with the value that was used.
        loaded: what ``collect`` found.
        seconds: wall-clock time from start to end of the kernel.
        peak_bytes: memory of runner and kernel together.
        stages: rows of ``timing.total``.
    """
    return {
        "absorption": importlib.metadata.version("absorption"),
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "parameters": {name: value for name, value in parameters.items() if name not in UNSHOWN},
        "loaded": dict(loaded),
        "seconds": round(seconds, 1),
        "peak_bytes": peak_bytes,
        "stages": stages,
        "machine": f"{platform.system()} {platform.machine()}, {_cores()} CPU cores",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def cell(stamp: Mapping[str, Any]) -> NotebookNode:
    """The stamp as a collapsed cell. Plain HTML: it reads the same in Jupyter and in the book."""
    packages = ", ".join(f"{name} {version}" for name, version in stamp["packages"].items())
    rows = {
        "Library": f"absorption {stamp['absorption']}"
        + (f", commit {stamp['commit']}" if stamp["commit"] else ""),
        "Parameters": ", ".join(f"{name} = {value!r}" for name, value in stamp["parameters"].items()),
        **{f"Loaded: {name}": _words(value) for name, value in stamp["loaded"].items()},
        "Duration": f"{stamp['seconds']:.0f} s, at most {stamp['peak_bytes'] / 1e9:.1f} GB of memory",
        "Longest stages": _longest(stamp["stages"]),
        "Machine": stamp["machine"],
        "Date": stamp["date"],
        "Versions": f"Python {stamp['python']}, {packages}",
    }
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows.items() if text)
    source = f"<details><summary>How this page was made</summary>\n<dl>{lines}</dl>\n</details>"
    made = nbformat.v4.new_markdown_cell(source, metadata={"tags": ["stamp"]})
    made["id"] = CELL_ID
    return made


def commit() -> str:
    """Short commit of the clone, marked when files differ from it; empty without git."""
    command = ["git", "-C", str(repository.package()), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _words(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_words(item) for item in value)
    if not isinstance(value, Mapping):
        return str(value)
    rest = [f"{name.replace('_', ' ')} {text}" for name, text in value.items() if name != "name"]
    return ", ".join([value.get("name", ""), *rest]).removeprefix(", ")


def _longest(stages: list[dict[str, Any]]) -> str:
    ranked = sorted(stages, key=lambda row: -row["seconds"])[:5]
    return ", ".join(f"{row['stage']} {row['seconds']:.1f} s" for row in ranked)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"

"""The jobs of a sweep: which chapter runs on which SAE, and what they share.

Only the standard library, because Snakemake lives in an environment of its own: the one file of the library that is
needed here is loaded by its path. ``Snakefile`` checks configuration and table against their schemas first.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import runpy
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PARAMETER_CELL = runpy.run_path(
    str(Path(__file__).resolve().parents[1] / "lib/absorption/base/parameter_cell.py")
)
SAMPLE_PARAMETERS = ("model", "dtype", "sae_release", "sae_id", "sae_path", "hook_name")
SHARED_PARAMETERS = ("model", "dtype", "device", "seed", "n_words", "n_sets")
"""On these and the place the activations and probes depend; chapters have the same defaults for them."""
STATE = "sweep.json"
"""In the output folder: the plan, for whoever reads the results, and against a second sweep there."""
RESOURCES = {"mem_mb": 8000, "runtime": 60, "threads": 1, "gpu": 0}


class PlanError(ValueError):
    """A sweep that cannot be run; two lines at most."""


@dataclass(frozen=True)
class Plan:
    """Everything that the Snakefile needs, by job."""

    samples: dict[str, dict[str, str]]
    chapters: list[str]
    shared: dict[str, dict[str, Any]]
    """Parameters of each shared job, by key."""
    shared_of: dict[str, str]
    """Key of the shared job that a sample waits for; samples whose place is not stated have none."""
    config: dict[str, Any]

    def runs(self) -> list[str]:
        """Records of all runs, beneath the output folder: one exists once its chapter ran whole."""
        return [
            f"runs/{sample}/{chapter}/record.json" for sample in self.samples for chapter in self.chapters
        ]

    def waits_for(self, sample: str) -> list[str]:
        """The shared job's record."""
        return [f"shared/{self.shared_of[sample]}.json"] if sample in self.shared_of else []

    def run_arguments(self, sample: str, chapter: str) -> str:
        """Parameters of one run, quoted for a shell."""
        row = self.samples[sample]
        values = {name: row[name] for name in SAMPLE_PARAMETERS if name in row}
        values = {**self.config["parameters"], **values, **self.config["chapter_parameters"].get(chapter, {})}
        return _arguments(values)

    def shared_arguments(self, key: str) -> str:
        """Parameters of one shared job, quoted for a shell."""
        return _arguments(self.shared[key])

    def resource(self, name: str, job: str, sample: str = "") -> int:
        """What a job may take: the sample's own cell, else the job's entry, else ``default``'s."""
        if sample and name in self.samples[sample]:
            return int(self.samples[sample][name])
        given = self.config["resources"]
        return int({**RESOURCES, **given.get("default", {}), **given.get(job, {})}[name])

    def as_json(self) -> str:
        """What was to run, for ``gather``."""
        state = {
            "samples": self.samples, "chapters": self.chapters, "shared_of": self.shared_of,
            "parameters": self.config["parameters"], "chapter_parameters": self.config["chapter_parameters"],
        }  # fmt: skip
        return json.dumps(state, indent=1) + "\n"

    def differs_from(self, text: str) -> str:
        """Why this is another sweep than the one whose ``as_json`` is given; empty if it is the same.

        SAEs and chapters may come and go, parameters may not: the results would not compare.
        """
        before, now = json.loads(text), json.loads(self.as_json())
        for name in ("parameters", "chapter_parameters"):
            if before[name] != now[name]:
                return f"its {name} are {before[name]}, not {now[name]}"
        for sample in set(before["samples"]) & set(now["samples"]):
            if before["samples"][sample] != now["samples"][sample]:
                return f"its sample {sample!r} is {before['samples'][sample]}"
        return ""


def make_plan(config: dict[str, Any], table: Path, notebooks: Path) -> Plan:
    """The plan of a checked configuration.

    Raises:
        PlanError: a sample named twice, an unknown chapter, or one that reads no SAE.
    """
    samples = read_samples(table)
    chapters = choose_chapters(config["chapters"], notebooks)
    for chapter in set(config["chapter_parameters"]) - set(chapters):
        raise PlanError(
            f"chapter_parameters names {chapter!r}, which is not among the chapters of this sweep."
        )
    shared, shared_of = {}, {}
    for name, row in samples.items():
        if "hook_name" in row:
            values = {**config["parameters"], **row}
            values = {key: values[key] for key in SHARED_PARAMETERS if key in values}
            values["hook_name"] = same_place(row["hook_name"])
            key = shared_key(values)
            shared[key], shared_of[name] = values, key
    return Plan(samples, chapters, shared, shared_of, config)


def read_samples(table: Path) -> dict[str, dict[str, str]]:
    """Rows of a tab-separated table by sample, empty cells left out; a relative ``sae_path`` is the table's.

    Raises:
        PlanError: no such file, no rows, a row of another length, a name that stands twice.
    """
    if not table.is_file():
        raise PlanError(f"samples {str(table)!r} does not exist.")
    rows: dict[str, dict[str, str]] = {}
    with table.open(encoding="utf-8", newline="") as handle:
        lines = (line for line in handle if line.strip() and not line.startswith("#"))
        for row in csv.DictReader(lines, delimiter="\t"):
            if None in row or None in row.values():
                raise PlanError(
                    f"{table.name}: the row {_first(row)!r} has more or fewer cells than the head."
                )
            filled = {name: cell.strip() for name, cell in row.items() if cell.strip()}
            if "sae_path" in filled:  # jobs run in the sweep's folder, so a relative path would be lost there
                filled["sae_path"] = str((table.parent / Path(filled["sae_path"]).expanduser()).resolve())
            name = filled.get("sample", "")
            if name in rows:
                raise PlanError(
                    f"{table.name}: sample {name!r} stands twice; each name is one folder of results."
                )
            rows[name] = filled
    if not rows:
        raise PlanError(f"{table.name} has no rows.")
    return rows


def choose_chapters(wanted: list[str] | str, notebooks: Path) -> list[str]:
    """The chapters asked for, each a notebook with the parameter ``sae_release``; all: those with a number."""
    reads = {path.stem: "sae_release" in _parameters(path) for path in sorted(notebooks.glob("*.ipynb"))}
    if wanted == "all":
        return [name for name, yes in reads.items() if yes and re.match(r"\d\d-", name)]
    for name in wanted:
        if name not in reads:
            raise PlanError(f"chapter {name!r} does not exist; allowed: {', '.join(reads)}.")
        if not reads[name]:
            raise PlanError(f"chapter {name!r} reads no SAE, so there is nothing to sweep.")
    return list(wanted)


def same_place(hook_name: str) -> str:
    """One name for one place: the residual stream after block L is that before block L + 1."""
    match = re.fullmatch(r"blocks\.(\d+)\.hook_resid_pre", hook_name)
    if hook_name == "hook_embed" or (match and match[1] == "0"):
        return "blocks.0.hook_resid_pre"
    return f"blocks.{int(match[1]) - 1}.hook_resid_post" if match else hook_name


def shared_key(values: dict[str, Any]) -> str:
    """A readable name with a hash of all values: model, place, and what else the activations depend on."""
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
    model = re.sub(r"[^A-Za-z0-9.-]+", "-", str(values["model"]).rstrip("/").rpartition("/")[2])
    return f"{model}.{values['hook_name']}.{digest}"


def _arguments(values: dict[str, Any]) -> str:
    return shlex.join([part for name, value in values.items() for part in ("-p", name, _text(value))])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _parameters(notebook: Path) -> dict[str, Any]:
    try:
        return PARAMETER_CELL["defaults"](json.loads(notebook.read_text(encoding="utf-8"))["cells"])
    except ValueError as error:
        raise PlanError(f"{notebook.name}: {error}") from None


def _first(row: dict[Any, Any]) -> str:
    return str(next(iter(row.values()), ""))

"""What a sweep will cost, scaled from stages that were measured.

Each stage grows with a size that is known beforehand: activations with words times the weights that a token
passes on its way to the SAE; probes with words times the width of the residual stream; encoding with words
times the weights of the encoder; ablations, whose number the parameters cap, with the weights above the SAE; toy
models with nothing; the rest with words. What a job costs before its first word (imports, the kernel, loading a
model as large as the embedded one) is counted for each job and grows with nothing. Each chapter counts as if it alone
made what the chapters on one SAE share beyond activations and probes. Chapter 6's races, whose words are capped too,
count with the rest, so for a model with more words it is overestimated. Downloads and waiting are not counted, nor that
another SAE has more latents on at a word. What was measured on a CPU says nothing of a job on a GPU: it gets no number.
"""

from __future__ import annotations

import json
import math
import runpy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from absorption.base import yaml_text
from absorption.base.data import data_root
from absorption.base.reasons import first_line
from absorption.models.before_loading import known_models
from absorption.sweep import gather

ACTIVATIONS, PROBES, ENCODING = "activations", "probes", "latent-activations"
"""Names of the stages with sizes of their own."""
ABLATIONS = ("labels", "selections", "effects", "edits", "answers", "mediation")
"""Stages that pass edited states through the blocks above the SAE."""
AT_ALL_DEPTHS = {name: f"{name} at all depths" for name in (ACTIVATIONS, PROBES)}
"""What a chapter makes of these beyond the shared job: those of every depth, to follow the letter through the model."""
ONCE = ("toy.train", *AT_ALL_DEPTHS.values())
"""Stages whose results do not depend on the SAE: the first run of a sweep finds nothing in the cache, the others do."""
ELSE = "everything else"
CPU, GPU = "one CPU core", "GPU"
"""Where a job runs, as the table says it."""


@dataclass(frozen=True)
class Sizes:
    """What the stages of one job grow with."""

    n_words: int
    d_model: int
    depth: int
    n_layers: int
    block_parameters: int
    d_sae: int

    def of(self, stage: str) -> float:
        """The size of one stage."""
        passed = self.block_parameters * max(self.depth, 1) / self.n_layers
        above = self.block_parameters * max(self.n_layers - self.depth, 1) / self.n_layers
        sizes = {
            ACTIVATIONS: self.n_words * passed,
            PROBES: self.n_words * self.d_model,
            ENCODING: self.n_words * self.d_model * self.d_sae,
            "meta-saes": float(self.d_model * self.d_sae),
            **dict.fromkeys(ABLATIONS, above),
            AT_ALL_DEPTHS[ACTIVATIONS]: self.n_words * self.block_parameters,
            AT_ALL_DEPTHS[PROBES]: self.n_words * self.d_model * self.n_layers,
            "toy.train": 1.0,
        }
        return sizes.get(stage, float(self.n_words))


def measured() -> dict[str, Any]:
    """The measured basis that the project ships: chapters on the embedded model, from an empty cache.

    ``sizes`` of the run, ``shared``: seconds of the shared stages, ``chapters``: of each chapter's own stages,
    ``fixed``: seconds of a shared job and of a run (there within everything else) that depend on no size.
    """
    return yaml.safe_load((data_root() / "measured.yaml").read_text(encoding="utf-8"))


def measured_in(output: Path) -> dict[str, Any]:
    """The same from the records of a sweep: mean seconds of each chapter over its finished runs.

    Raises:
        ValueError: no sweep, no finished run, or shared work that was in the cache already.
    """
    plan = gather.read_plan(output)
    shared = [_read(path) for path in sorted((output / "shared").glob("*.json"))]
    seconds = [{row["stage"]: row["seconds"] for row in record["stages"]} for record in shared]
    full = [number for number, found in enumerate(seconds) if {ACTIVATIONS, PROBES} <= set(found)]
    if not full:
        raise ValueError(
            f"{str(output)!r}: no shared job of this sweep computed anything; give it an empty cache."
        )
    first = full[0]
    widths = [int(row["d_sae"]) for row in plan["samples"].values() if "d_sae" in row]
    chapters = {chapter: _mean_stages(_records(output, plan, chapter)) for chapter in plan["chapters"]}
    loading = max(0.0, shared[first].get("seconds", 0.0) - sum(seconds[first].values()))
    return {
        "device": _device(_records(output, plan, *plan["chapters"])),
        "fixed": {"shared": loading, "run": measured()["fixed"]["run"]},
        "basis": f"the sweep in {output.name}",
        "sizes": {**shared[first]["sizes"], "d_sae": sum(widths) // max(len(widths), 1) or 1},
        "shared": {stage: seconds[first][stage] for stage in (ACTIVATIONS, PROBES)},
        "chapters": {chapter: stages for chapter, stages in chapters.items() if stages},
    }


def chapter_stages(record: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of each stage of a chapter's run, and of everything else in it."""
    stages: dict[str, float] = {}
    for row in record["stages"]:
        name = str(AT_ALL_DEPTHS.get(row["stage"], row["stage"]))
        stages[name] = stages.get(name, 0.0) + row["seconds"]
    return {**stages, ELSE: record["seconds"] - sum(stages.values())}


def _records(output: Path, plan: Mapping[str, Any], *chapters: str) -> list[dict[str, Any]]:
    """Of the chapters' runs that there are."""
    runs = (output / "runs" / sample / chapter for sample in plan["samples"] for chapter in chapters)
    return [_read(run / "record.json") for run in runs if (run / "record.json").exists()]


def _mean_stages(records: list[dict[str, Any]]) -> dict[str, float]:
    """Mean seconds of a chapter's stages over its runs; of those that are made once, all of them."""
    totals: dict[str, float] = {}
    for record in records:
        for stage, value in chapter_stages(record).items():
            totals[stage] = totals.get(stage, 0.0) + value / (1 if stage in ONCE else len(records))
    return totals


def _device(records: list[dict[str, Any]]) -> str:
    """Where the sweep's models were: that of the first run that says so; else a CPU."""
    models_of_runs = (record.get("loaded", {}).get("model") for record in records)
    devices = (model["device"] for model in models_of_runs if isinstance(model, dict) and "device" in model)
    return str(next(devices, "cpu")).partition(":")[0]


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def scaled(seconds: Mapping[str, float], basis: Sizes, wanted: Sizes) -> dict[str, float]:
    """Seconds of each stage at another size."""
    return {stage: value * wanted.of(stage) / basis.of(stage) for stage, value in seconds.items()}


def estimate(plan: Any, basis: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """One row a kind of job: ``job, jobs, on, hours, longest_minutes``, and a last row ``all``; NaN for chapters
    that the basis did not measure and for jobs on a GPU that it measured on a CPU, which the last row leaves out.

    Args:
        plan: of ``sweep/plan.py``; every sample needs ``hook_name``, ``d_sae`` and a model of ``models.yaml``.
        basis: measured seconds and sizes; default those that the project ships.

    Raises:
        ValueError: a model of unknown size, or a sample without place or width.
    """
    basis = basis or measured()
    rows = []
    for key, values in plan.shared.items():
        wanted = _sizes(values, plan.config["parameters"], "1")
        rows.append(("shared", key, _seconds(basis["shared"], basis["fixed"]["shared"], basis, wanted)))
    for chapter in plan.chapters:
        stages = basis["chapters"].get(chapter, {ELSE: math.nan})
        fixed = min(basis["fixed"]["run"], stages[ELSE])
        stages = {**stages, ELSE: stages[ELSE] - fixed}
        later = {stage: seconds for stage, seconds in stages.items() if stage not in ONCE}
        for number, (name, row) in enumerate(plan.samples.items()):
            wanted = _sizes(row, plan.config["parameters"], row.get("d_sae", ""))
            rows.append((chapter, name, _seconds(later if number else stages, fixed, basis, wanted)))
    jobs = pd.DataFrame(rows, columns=["job", "name", "seconds"])
    places = {job: GPU if plan.resource("gpu", job) else CPU for job in jobs["job"].unique()}
    if basis["device"] == "cpu":
        jobs.loc[jobs["job"].map(places) == GPU, "seconds"] = math.nan
    return _by_kind(jobs, places)


def _seconds(stages: Mapping[str, float], fixed: float, basis: Mapping[str, Any], wanted: Sizes) -> float:
    return fixed + sum(scaled(stages, Sizes(**basis["sizes"]), wanted).values())


def _by_kind(jobs: pd.DataFrame, places: Mapping[str, str]) -> pd.DataFrame:
    grouped = jobs.groupby("job", sort=False)["seconds"]
    table = grouped.agg(
        jobs="size", hours=lambda s: s.sum(skipna=False) / 3600, longest_minutes=lambda s: s.max() / 60
    ).reset_index()
    table.insert(2, "on", table["job"].map(places))
    known = jobs["seconds"].sum(min_count=1) / 3600
    total = {"job": "all", "jobs": len(jobs), "on": "", "hours": known}
    return pd.concat([table, pd.DataFrame([{**total, "longest_minutes": table["longest_minutes"].max()}])])


def _sizes(row: Mapping[str, str], parameters: Mapping[str, Any], d_sae: str) -> Sizes:
    known = known_models()
    if row["model"] not in known:
        raise ValueError(f"model {row['model']!r} has no sizes in models.yaml; known: {', '.join(known)}.")
    if "hook_name" not in row or not d_sae:
        raise ValueError(f"sample {row.get('sample', '')!r} states no hook_name or d_sae; both are needed.")
    model = known[row["model"]]
    layer = int(row["hook_name"].split(".")[1]) if row["hook_name"] != "hook_embed" else 0
    depth = layer + 1 if row["hook_name"].endswith("post") else layer
    n_words = parameters.get("n_words") or model["n_words"]
    return Sizes(n_words, model["d_model"], depth, model["n_layers"], model["block_parameters"], int(d_sae))


def load_plan(config: Path, root: Path) -> Any:
    """The plan of a configuration file, by the code that Snakemake uses."""
    make_plan = runpy.run_path(str(root / "sweep" / "plan.py"))["make_plan"]
    try:
        given = yaml_text.read(config)
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"configuration {str(config)!r} cannot be read: {first_line(error)}") from None
    if not isinstance(given, dict) or not {"samples", "chapters"} <= set(given):
        raise ValueError(f"configuration {str(config)!r} must name samples and chapters.")
    content = {"parameters": {}, "chapter_parameters": {}, "resources": {}, **given}
    return make_plan(content, config.resolve().parent / content["samples"], root / "notebooks")

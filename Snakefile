"""A sweep: every chapter of the configuration on every SAE of its table, shared work done once.

`make sweep CONFIG=sweep/shipped.yaml` runs it here; with PROFILE=sweep/profiles/slurm (or kubernetes) the same
rules run on a cluster. Jobs call the library's command in `shell:`; the `notebook:` directive would put a cell
of its own before the parameters.
"""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "sweep"))
import plan as planning

validate(config, str(ROOT / "sweep" / "config.schema.yaml"))
CONFIG_FOLDER = Path(workflow.configfiles[0]).resolve().parent
try:
    PLAN = planning.make_plan(config, CONFIG_FOLDER / config["samples"], ROOT / "notebooks")
except planning.PlanError as error:
    raise WorkflowError(str(error))
for row in PLAN.samples.values():
    validate(row, str(ROOT / "sweep" / "samples.schema.yaml"))

COMMAND = config["command"] or str(ROOT / ".venv" / "bin" / "absorption")
os.environ["ABSORPTION_BATCH"] = str(config["batch"])
if config["cache"]:
    os.environ["ABSORPTION_CACHE"] = config["cache"]


STATE = Path(planning.STATE)
if STATE.exists() and (other := PLAN.differs_from(STATE.read_text(encoding="utf-8"))):
    raise WorkflowError(f"{Path.cwd()} holds another sweep: {other}. Name another output, or delete it.")


onstart:
    STATE.write_text(PLAN.as_json(), encoding="utf-8")


wildcard_constraints:
    sample=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    chapter=r"[A-Za-z0-9][A-Za-z0-9-]*",


localrules:
    all,


rule all:
    input:
        PLAN.runs(),


rule shared:
    """Activations of all words at one place of one model, and the probes fitted on them."""
    output:
        "shared/{key}.json",
    log:
        "logs/shared/{key}.log",
    params:
        arguments=lambda wildcards: PLAN.shared_arguments(wildcards.key),
    threads: PLAN.resource("threads", "shared")
    resources:
        mem_mb=PLAN.resource("mem_mb", "shared"),
        runtime=PLAN.resource("runtime", "shared"),
        gpu=PLAN.resource("gpu", "shared"),
    shell:
        "{COMMAND:q} prepare {params.arguments} --record {output} 2> {log}"


rule chapter:
    """One chapter on one SAE, by papermill, with the runner's checks."""
    input:
        notebook=lambda wildcards: local(str(ROOT / "notebooks" / f"{wildcards.chapter}.ipynb")),
        shared=lambda wildcards: PLAN.waits_for(wildcards.sample),
    output:
        record="runs/{sample}/{chapter}/record.json",
        results=directory("runs/{sample}/{chapter}/results"),
    log:  # kept when the run fails, the partial page too
        page="runs/{sample}/{chapter}/page.ipynb",
        errors="logs/runs/{sample}/{chapter}.log",
    params:
        arguments=lambda wildcards: PLAN.run_arguments(wildcards.sample, wildcards.chapter),
    threads: lambda wildcards: PLAN.resource("threads", wildcards.chapter)
    resources:
        mem_mb=lambda wildcards: PLAN.resource("mem_mb", wildcards.chapter, wildcards.sample),
        runtime=lambda wildcards: PLAN.resource("runtime", wildcards.chapter, wildcards.sample),
        gpu=lambda wildcards: PLAN.resource("gpu", wildcards.chapter),
    shell:
        "mkdir -p {output.results} && "
        "{COMMAND:q} run {input.notebook:q} {log.page} {params.arguments} -p results_dir {output.results} "
        "--record {output.record} 2> {log.errors}"

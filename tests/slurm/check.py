"""A sweep on a real SLURM of one node, with a job and the controller killed on the way, against the same sweep here.

Run by ``make test-slurm``. Jobs are stand-ins without model (``tests/sweep/stand_in.py``): what is tested is the
profile, the jobs' way through SLURM, and what is left after the kills.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))
from tests.slurm import cluster  # noqa: E402

SAES = [f"sae{number}" for number in range(1, 5)]
CHAPTER = "03-the-recall-gap"
PAUSE = 12
"""Seconds of a job: long enough to kill it in the middle."""
LIMIT = 300
QUICK = ["--slurm-init-seconds-before-status-checks", "5"]
"""Snakemake's first look after a job comes after 40 seconds otherwise."""


def main() -> int:
    """Exit status 0 if the tables agree, or if there is no SLURM here; 1 if not."""
    signal.signal(signal.SIGTERM, _stop)
    if not (ROOT / ".venv-sweep" / "bin" / "snakemake").exists():
        print("skipped: Snakemake is not installed; `make test-slurm` installs it")
        return 0
    try:
        with cluster.running() as slurm, tempfile.TemporaryDirectory(prefix="absorption-sweep-") as folder:
            check(slurm, Path(folder))
    except cluster.NoSlurm as error:
        print(f"skipped: {error}")
        return 0
    except AssertionError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    left = [process.name() for process in slurm.strays()]
    print(f"FAILED: still running: {left}" if left else "all daemons have ended")
    return int(bool(left))


def check(slurm: cluster.Cluster, folder: Path) -> None:
    """Run the sweep here and there, and compare."""
    listens = slurm.listens_at()
    demand(listens == {"127.0.0.1"}, f"SLURM listens at {listens}")
    print("a SLURM of one node runs, on 127.0.0.1 only")
    done = sweep(folder, "local", pause=0)
    demand(done.wait() == 0, f"the sweep on this machine failed:\n{said(folder, 'local')}")
    there = sweep(folder, "slurm", "--profile", str(ROOT / "sweep" / "profiles" / "slurm"), *QUICK)
    try:
        disturb(slurm, folder, there)
        status = there.wait(LIMIT)
    finally:
        if there.poll() is None:
            there.terminate()
            there.wait(90)
    told = said(folder, "slurm")
    demand(status == 0, f"the sweep on SLURM failed with {status}:\n{told}")
    everything = (folder / "slurm.out").read_text(errors="replace")
    demand("jobs are watched by squeue" in everything, "that SLURM has no accounting was not noticed")
    tables = [(folder / name / "comparison.tsv").read_text() for name in ("local", "slurm")]
    demand(tables[0] == tables[1], "the comparison tables differ:\n" + "\n".join(tables))
    demand(len(tables[0].splitlines()) == 1 + len(SAES), f"a table of {len(SAES)} numbers was expected")
    print(f"after both kills the table of {len(SAES)} SAEs is the same as without SLURM, byte for byte")


def disturb(slurm: cluster.Cluster, folder: Path, there: subprocess.Popen[bytes]) -> None:
    """Kill one job in the middle, then the controller, which comes back a few seconds later."""
    until(lambda: started(folder, "slurm"), there, folder)
    job = until(lambda: slurm_job_of_a_run(), there, folder)
    subprocess.run(["scancel", "--full", "--signal=KILL", job], check=True)
    print(f"killed SLURM job {job}, a run of {len(started(folder, 'slurm'))} that had started")
    slurm.kill_controller()
    print("killed the controller")
    time.sleep(6)
    slurm.start_controller()
    print("started the controller again")
    before = len(SAES)
    until(lambda: len(started(folder, "slurm")) > before, there, folder)
    print("the killed job was submitted again")


def sweep(folder: Path, name: str, *arguments: str, pause: int = PAUSE) -> subprocess.Popen[bytes]:
    """Start the sweep with its output in ``folder/name``."""
    rows = [f"{sae}\tm\tlocal\tsaes/{sae}\tblocks.1.hook_resid_post" for sae in SAES]
    (folder / "samples.tsv").write_text(
        "\n".join(["sample\tmodel\tsae_release\tsae_path\thook_name", *rows]) + "\n"
    )
    command = folder / f"{name}-absorption"
    stand_in = ROOT / "tests" / "sweep" / "stand_in.py"
    command.write_text(
        f"#!/bin/sh\nexport CALLS={folder}/{name}-calls PAUSE={pause}\n"
        f'exec "{sys.executable}" -S "{stand_in}" "$@"\n'
    )
    command.chmod(0o755)
    config = {
        "samples": "samples.tsv", "output": str(folder / name), "chapters": [CHAPTER], "command": str(command),
        "resources": {"default": {"mem_mb": 200, "runtime": 5}},
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config))
    start = "import sys; from absorption.cli.main import main; sys.exit(main())"
    with (folder / f"{name}.out").open("wb") as sink:
        return subprocess.Popen(
            [sys.executable, "-c", start, "sweep", str(path), *arguments],
            stdout=sink, stderr=sink, env={**os.environ, "PYTHONPATH": str(ROOT / "lib")},
        )  # fmt: skip


def started(folder: Path, name: str) -> list[str]:
    """Runs that have started, each time that they did."""
    calls = folder / f"{name}-calls"
    return [line for line in calls.read_text().splitlines() if '"run"' in line] if calls.exists() else []


def slurm_job_of_a_run() -> str:
    """Number of a running SLURM job; empty if there is none. The shared job has ended when a run has started."""
    listed = subprocess.run(
        ["squeue", "-h", "-t", "RUNNING", "-o", "%i"], capture_output=True, text=True
    ).stdout
    return next(iter(sorted(listed.split())), "")


def until(condition: Callable[[], object], there: subprocess.Popen[bytes], folder: Path) -> str:
    """Wait for something that the sweep brings about."""
    deadline = time.monotonic() + LIMIT
    while not (found := condition()):
        demand(there.poll() is None, f"the sweep has ended:\n{said(folder, 'slurm')}")
        demand(time.monotonic() < deadline, f"nothing happens:\n{said(folder, 'slurm')}")
        time.sleep(0.2)
    return str(found)


def said(folder: Path, name: str) -> str:
    """The end of what a sweep printed, and of what SLURM kept of each job that failed."""
    logs = sorted((folder / name / ".snakemake").glob("slurm_logs/**/*.log"))
    parts = [(folder / f"{name}.out").read_text(errors="replace")[-6000:]]
    return "\n".join(parts + [f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs])


def demand(holds: bool, otherwise: str) -> None:
    """An assertion that no option of the interpreter takes out."""
    if not holds:
        raise AssertionError(otherwise)


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

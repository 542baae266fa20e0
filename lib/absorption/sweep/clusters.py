"""What a cluster's profile leaves open and the cluster itself can say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

STATUS = "slurm-status-command"
NO_ACCOUNT = "slurm-no-account"


def arguments(profile: Mapping[str, Any]) -> list[str]:
    """Further arguments for Snakemake, found by asking the cluster; what the profile states is left.

    SLURM without accounting (``sacct`` refuses) never tells Snakemake that a job has ended, unless ``squeue`` is
    asked instead, and has no accounts to charge.
    """
    if profile.get("executor") != "slurm" or shutil.which("squeue") is None or _works("sacct", "-n", "-X"):
        return []
    found = []
    if STATUS not in profile:
        found += [f"--{STATUS}", "squeue"]
    if NO_ACCOUNT not in profile:
        found += [f"--{NO_ACCOUNT}"]
    if found:
        print(
            "SLURM keeps no accounts here (sacct refuses): jobs are watched by squeue, and none is charged.",
            file=sys.stderr,
        )
    return found


def _works(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    try:
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    except subprocess.TimeoutExpired:
        return False

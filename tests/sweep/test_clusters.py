"""What a SLURM without accounting needs is found out, not asked of the user."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from absorption.base import repository
from absorption.sweep import clusters

PROFILES = repository.root() / "sweep" / "profiles"
SLURM = {"executor": "slurm"}
WANTED = ["--slurm-status-command", "squeue", "--slurm-no-account"]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make programs that do nothing but end with a status; no others are found."""

    def make(**statuses: int) -> None:
        for name, status in statuses.items():
            (tmp_path / name).write_text(f"#!/bin/sh\nexit {status}\n")
            (tmp_path / name).chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    return make


def test_without_accounting_squeue_watches_the_jobs_and_that_is_said(programs, capsys) -> None:
    programs(squeue=0, sacct=1)
    assert clusters.arguments(SLURM) == WANTED
    assert "SLURM keeps no accounts here" in capsys.readouterr().err


def test_with_accounting_the_profile_stays_as_it_is(programs, capsys) -> None:
    programs(squeue=0, sacct=0)
    assert clusters.arguments(SLURM) == []
    assert capsys.readouterr().err == ""


def test_what_a_profile_states_is_left(programs) -> None:
    programs(squeue=0, sacct=1)
    assert clusters.arguments({**SLURM, clusters.STATUS: "sacct"}) == ["--slurm-no-account"]
    assert clusters.arguments({**SLURM, clusters.STATUS: "sacct", clusters.NO_ACCOUNT: True}) == []


def test_other_executors_and_machines_without_slurm_are_not_asked(programs) -> None:
    assert clusters.arguments(SLURM) == []
    programs(squeue=0, sacct=1)
    assert clusters.arguments({"cores": "all"}) == []


def test_the_shipped_profile_of_slurm_is_one_that_is_asked_about(programs) -> None:
    programs(squeue=0, sacct=1)
    profile = yaml.safe_load((PROFILES / "slurm" / "config.yaml").read_text())
    assert clusters.arguments(profile) == WANTED

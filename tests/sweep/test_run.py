"""Snakemake runs a sweep's jobs: shared ones once, a failed SAE alone, and on from where it was killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from absorption.base import repository
from absorption.sweep import gather, run

ROOT = repository.root()
SNAKEMAKE = ROOT / ".venv-sweep" / "bin" / "snakemake"
CHAPTER = "03-the-recall-gap"
pytestmark = pytest.mark.skipif(
    not SNAKEMAKE.exists(),
    reason="Snakemake has an environment of its own: `make test` makes it, bare pytest does not",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    command = tmp_path / "absorption"
    stand_in = Path(__file__).with_name("stand_in.py")
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{stand_in}" "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path


def configure(
    folder: Path, saes: list[str], *, output: str = "out", model: str = "m", **more: object
) -> Path:
    lines = ["sample\tmodel\tsae_release\tsae_path\thook_name"]
    lines += [f"{name}\t{model}\tlocal\tsaes/{name}\tblocks.1.hook_resid_post" for name in saes]
    (folder / "samples.tsv").write_text("\n".join(lines) + "\n")
    config = {
        "samples": "samples.tsv", "output": str(folder / output), "chapters": [CHAPTER], "batch": 64,
        "command": str(folder / "absorption"), "parameters": {"seed": 0}, **more,
    }  # fmt: skip
    path = folder / f"{output}.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def calls(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def test_shared_work_runs_once_and_one_bad_sae_is_listed_while_the_others_finish(
    folder: Path, capsys: pytest.CaptureFixture
) -> None:
    config = configure(folder, ["a", "bad", "c"])
    assert run.run(config, ROOT) != 0
    made = calls(folder)
    assert [name for name, *_ in made].count("prepare") == 1
    assert made[0][0] == "prepare"
    assert {batch for *_, batch in made} == {"64"}
    status = pd.read_parquet(folder / "out" / "status.parquet").set_index("sample")
    assert status["status"].to_dict() == {"a": "done", "bad": "failed", "c": "done"}
    assert status.loc["bad", "error"] == "the folder 'bad' has no cfg.json"
    said = capsys.readouterr()
    assert f"bad, {CHAPTER}: failed: the folder 'bad' has no cfg.json" in said.err
    assert "2 of 3 runs done" in said.out
    table = pd.read_parquet(folder / "out" / "comparison.parquet")
    assert table["sample"].tolist() == ["a", "c"]
    assert table[["quantity", "value", "low", "high"]].iloc[0].tolist() == ["claim probe.gap", 0.25, 0.2, 0.3]

    assert run.run(configure(folder, ["a", "c", "d"]), ROOT) == 0
    again = [record for name, record, _ in calls(folder)[len(made) :] if name == "run"]
    assert again == [f"runs/d/{CHAPTER}/record.json"], "finished runs are kept, only what is new runs"


def test_runs_whose_shared_job_failed_say_so(folder: Path) -> None:
    assert run.run(configure(folder, ["a"], model="missing"), ROOT) != 0
    (error,) = pd.read_parquet(folder / "out" / "status.parquet")["error"]
    assert error == "shared work failed: the folder 'bad' has no cfg.json"
    assert pd.read_parquet(folder / "out" / "comparison.parquet").empty


def test_a_sweep_of_twenty_killed_in_the_middle_is_continued(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(folder, [f"sae{number}" for number in range(20)])
    command = [sys.executable, "-c", "import sys; from absorption.cli.main import main; sys.exit(main())"]
    process = subprocess.Popen(
        [*command, "sweep", str(config), "--cores", "2"],
        env={**os.environ, "PAUSE": "0.3"}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    records = folder / "out" / "runs"
    deadline = time.monotonic() + 240
    while len(list(records.glob("*/*/record.json"))) < 5:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    for victim in [process, *psutil.Process(process.pid).children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
    process.wait()
    time.sleep(1)
    finished = {path: path.stat().st_mtime_ns for path in records.glob("*/*/record.json")}
    assert 5 <= len(finished) < 20
    assert run.run(config, ROOT) == 0
    assert len(list(records.glob("*/*/record.json"))) == 20
    kept = [path for path, changed in finished.items() if path.stat().st_mtime_ns == changed]
    assert len(kept) >= len(finished) - 2, "only what was being written when it was killed may run again"
    assert (pd.read_parquet(folder / "out" / "status.parquet")["status"] == "done").all()
    assert len(pd.read_parquet(folder / "out" / "comparison.parquet")) == 20


def start(config: Path, **environment: str) -> subprocess.Popen[str]:
    """A sweep as a process of its own, on two cores."""
    command = [sys.executable, "-c", "import sys; from absorption.cli.main import main; sys.exit(main())"]
    return subprocess.Popen(
        [*command, "sweep", str(config), "--cores", "2"], env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_stopped_sweep_takes_snakemake_and_its_jobs_along_and_says_so(folder: Path) -> None:
    config = configure(folder, ["a", "b", "c"], parameters={})
    process = start(config, GATE=str(folder / "gate"))
    until((folder / "calls").exists)
    below = psutil.Process(process.pid).children(recursive=True)
    assert any("stand_in.py" in " ".join(child.cmdline()) for child in below)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 130
    assert "stopped Snakemake and " in said
    assert "the same command continues" in said
    _, alive = psutil.wait_procs(below, timeout=5)
    assert alive == []
    (folder / "gate").touch()
    assert run.run(config, ROOT) == 0


def test_after_a_kill_the_jobs_that_live_on_are_named_and_not_run_again(folder: Path) -> None:
    config = configure(folder, ["a"])
    process = start(config, GATE=str(folder / "gate"))
    until((folder / "calls").exists)
    below = psutil.Process(process.pid).children(recursive=True)
    jobs = [child for child in below if "stand_in.py" in " ".join(child.cmdline())]
    (snakemake,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    with pytest.raises(run.SweepError, match=rf"a sweep is running in .* \(process {snakemake.pid} on "):
        run.run(config, ROOT)
    snakemake.kill()
    until(lambda: not snakemake.is_running())
    (job,) = [child for child in jobs if child.is_running()]
    with pytest.raises(run.SweepError, match=rf"a job of an earlier sweep .*shared: process {job.pid} on "):
        run.run(config, ROOT)
    assert len(calls(folder)) == 1
    (folder / "gate").touch()
    until(lambda: not job.is_running())
    assert run.run(config, ROOT) == 0
    assert (pd.read_parquet(folder / "out" / "status.parquet")["status"] == "done").all()


def test_a_dry_run_lists_every_job(folder: Path, capfd: pytest.CaptureFixture) -> None:
    assert run.run(configure(folder, ["first", "second"]), ROOT, more=["-n"]) == 0
    said = capfd.readouterr()
    for name in ("first", "second"):
        assert f"runs/{name}/{CHAPTER}/record.json" in said.out + said.err
    assert not (folder / "calls").exists()


def test_the_end_of_a_sweep_is_a_page_beside_the_tables(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert run.run(configure(folder, ["a", "bad"]), ROOT) != 0
    html = folder / "out" / "comparison.html"
    assert f"1 of 2 runs done; side by side in {html} and comparison.tsv" in capsys.readouterr().out
    assert "0.25 <small>[0.2, 0.3]</small>" in html.read_text()
    assert pd.read_parquet(folder / "out" / "comparison.parquet")["sae_id"].tolist() == ["a"]


def test_a_second_sweep_in_the_same_folder_is_refused_while_the_first_runs(folder: Path) -> None:
    config = configure(folder, ["a"])
    with run.only_one(folder / "out"), pytest.raises(run.SweepError, match="a sweep is running in"):
        run.run(config, ROOT)


def test_a_sweep_with_other_parameters_in_the_same_folder_is_refused(
    folder: Path, capfd: pytest.CaptureFixture
) -> None:
    assert run.run(configure(folder, ["a"]), ROOT) == 0
    assert run.run(configure(folder, ["a"], parameters={"seed": 1}), ROOT) != 0
    assert "holds another sweep: its parameters are {'seed': 0}, not {'seed': 1}" in capfd.readouterr().err
    assert len(calls(folder)) == 2


def test_a_sample_table_with_a_duplicate_is_refused_before_anything_runs(
    folder: Path, capfd: pytest.CaptureFixture
) -> None:
    assert run.run(configure(folder, ["a", "a"]), ROOT) != 0
    assert "sample 'a' stands twice" in capfd.readouterr().err
    assert not (folder / "calls").exists()


@pytest.mark.parametrize("profile", ["slurm", "kubernetes"])
def test_a_clusters_profile_is_accepted(folder: Path, profile: str, capfd: pytest.CaptureFixture) -> None:
    config = configure(folder, ["a", "b"])
    status = run.run(config, ROOT, profile=ROOT / "sweep" / "profiles" / profile, more=["-n"])
    said = capfd.readouterr()
    assert status == 0, said.err
    assert not (folder / "calls").exists()


def test_the_dry_run_of_gemma_scope_shows_the_shared_jobs(
    capfd: pytest.CaptureFixture, tmp_path: Path
) -> None:
    source = yaml.safe_load((ROOT / "sweep" / "gemma-scope.yaml").read_text())
    source |= {"output": str(tmp_path / "out"), "chapters": [CHAPTER]}
    source["samples"] = str(ROOT / "sweep" / source["samples"])
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(source))
    assert run.run(config, ROOT, more=["-n", "--quiet", "rules"]) == 0
    said = capfd.readouterr()
    rows = dict(line.split() for line in (said.out + said.err).splitlines() if len(line.split()) == 2)
    assert (rows["shared"], rows["chapter"]) == ("18", "185")


def test_a_folder_without_a_sweep_cannot_be_gathered(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no sweep"):
        gather.gather(tmp_path)

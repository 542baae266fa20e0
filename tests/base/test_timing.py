"""Stages report only when asked, and what they report is what they took."""

import time
from pathlib import Path

import numpy as np
import pytest

from absorption.base import timing


def test_a_stage_reports_nothing_unless_a_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(timing.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    with timing.stage("silent"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_stages_report_their_seconds_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "timings"
    monkeypatch.setenv(timing.VARIABLE, str(target))
    for _ in range(2):
        with timing.stage("words.embed"):
            time.sleep(0.05)
    with pytest.raises(ZeroDivisionError), timing.stage("words.fail"):
        _ = 1 / 0
    rows = timing.total(timing.read(target))
    found = [(row["stage"], row["calls"]) for row in rows]
    assert found == [("words.embed", 2)], "a stage that failed has no time"
    assert 0.1 <= rows[0]["seconds"] < 5
    assert rows[0]["peak_bytes"] > 10e6


def test_peak_memory_sees_an_array_that_is_gone_at_the_end() -> None:
    with timing.PeakMemory(interval=0.02) as without:
        time.sleep(0.1)
    with timing.PeakMemory(interval=0.02) as with_array:
        array = np.ones(25_000_000)
        time.sleep(0.2)
        del array
    assert with_array.peak_bytes - without.peak_bytes > 150e6


def test_a_file_that_no_stage_wrote_is_no_report(tmp_path: Path) -> None:
    assert timing.total(timing.read(tmp_path / "none")) == []

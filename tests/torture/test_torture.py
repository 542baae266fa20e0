"""A seeded part of ``make torture``, with what is cheap in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import strategies as st
from tests.torture import disks, fuzz, kills, limits, properties
from tests.torture.commands import REPORT, SAES
from tests.torture.subjects import BOOK, CACHE, PAGE, TRAINING, Subject

from absorption.base import cache


@pytest.mark.parametrize(
    ("subject", "count"), [(CACHE, 10), (TRAINING, 2), (SAES, 3), (PAGE, 1), (REPORT, 1), (BOOK, 1)]
)
def test_a_command_that_is_killed_and_run_again_ends_as_if_nothing_had_been(
    tmp_path: Path, subject: Subject, count: int
) -> None:
    tally = kills.campaign(subject, count, 1, tmp_path)
    assert (tally.tried, tally.lost) == (count, [])


def test_two_at_once_end_as_one_after_the_other(tmp_path: Path) -> None:
    assert kills.two_at_once(CACHE, 1, tmp_path).lost == []


def test_four_gigabytes_are_enough_or_it_is_said(tmp_path: Path) -> None:
    assert limits.small(tmp_path).lost == []


def test_a_disk_that_is_full_or_may_only_be_read_is_one_line(tmp_path: Path) -> None:
    if not disks.available():
        pytest.skip("this machine gives a process no file systems of its own")
    assert disks.full(CACHE, [16, 64], tmp_path).lost == []
    assert disks.read_only(CACHE, tmp_path).lost == []


def test_changed_files_are_read_or_refused(tmp_path: Path) -> None:
    assert fuzz.saes(60, 1, tmp_path).lost == []
    assert fuzz.presets(100, 1, tmp_path).lost == []


def test_saes_under_hypothesis_are_read_or_refused(tmp_path: Path) -> None:
    readers = properties.Saes(tmp_path)
    readers.read((0, 0, [], 9, True))  # found once: a hook that is no text
    assert properties.examples(readers.read, readers.changes(), 60, None) == ""


def test_presets_under_hypothesis_are_read_or_refused(tmp_path: Path) -> None:
    check = lambda given: properties.read_parameters(tmp_path / "preset.yaml", given)  # noqa: E731
    assert properties.examples(check, properties.given_parameters(), 100, None) == ""


def test_a_reader_that_fails_is_found_and_its_smallest_example_told() -> None:
    def careless(number: int) -> None:
        assert number < 300

    assert "AssertionError" in properties.examples(careless, st.integers(), 100, None)


def test_the_campaign_sees_a_writer_that_writes_in_place(tmp_path: Path) -> None:
    """What it is to find: a half file under its final name, which the second run takes for whole."""

    def careless(folder: Path) -> None:
        if not (folder / "table.json").exists():
            with (folder / "table.json").open("w") as sink:
                for number in range(40):
                    sink.write(f"{number}\n")
                    sink.flush()
                    cache.write_text(folder / "beside", "x")

    subject = Subject("careless", careless, ("table.json",))
    assert kills.campaign(subject, 6, 0, tmp_path).lost

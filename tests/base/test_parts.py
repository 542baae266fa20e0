"""What a killed process left unfinished is removed by the next one that writes there; a living one's is not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from absorption.base import cache, locks, parts


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    return tmp_path


def child(action: Callable[[], object]) -> int:
    """Run something in a process of its own; returns its number."""
    if (pid := os.fork()) == 0:
        try:
            parts._cleaned.clear()
            action()
        finally:
            os._exit(0)
    return pid


def killed_while(action: Callable[[Callable[[], None]], object]) -> None:
    """Kill a process at the moment when ``action`` calls what it is given."""
    pid = child(lambda: action(lambda: os.kill(os.getpid(), signal.SIGKILL)))
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def write_text(final: Path, meanwhile: Callable[[], None]) -> None:
    with cache.atomic_path(final) as temporary:
        temporary.write_text("half")
        meanwhile()


def write_folder(final: Path, meanwhile: Callable[[], None]) -> None:
    with cache.atomic_folder(final) as temporary:
        (temporary / "inside").write_text("half")
        meanwhile()


def test_a_killed_writers_leftovers_go_with_the_next_write(folder: Path) -> None:
    killed_while(lambda kill: write_text(folder / "a.txt", kill))
    killed_while(lambda kill: write_folder(folder / "b", kill))
    assert len(names(folder)) == 2, "the second has removed what the first left"
    os.waitpid(child(lambda: cache.write_text(folder / "c.txt", "whole")), 0)
    assert names(folder) == ["c.txt"]


def test_a_living_writers_file_is_left_alone(folder: Path) -> None:
    def write_beside() -> None:
        os.waitpid(child(lambda: cache.write_text(folder / "c.txt", "whole")), 0)

    write_text(folder / "a.txt", write_beside)
    write_folder(folder / "b", write_beside)
    assert names(folder) == ["a.txt", "b", "b/inside", "c.txt"]


@pytest.mark.parametrize("rename", [1, 2])
def test_a_folder_taken_away_by_a_kill_between_two_renames_is_put_back(folder: Path, rename: int) -> None:
    write_folder(folder / "b", lambda: None)
    (folder / "b" / "inside").write_text("old")

    def swap(kill: Callable[[], None]) -> None:
        replace, calls = Path.replace, []

        def counted(self: Path, target: Path) -> Path:
            calls.append(target)
            moved = replace(self, target)
            if len(calls) == rename:
                kill()
            return moved

        Path.replace = counted  # type: ignore[method-assign]
        write_folder(folder / "b", lambda: None)

    killed_while(swap)
    os.waitpid(child(lambda: cache.write_text(folder / "c.txt", "whole")), 0)
    assert names(folder) == ["b", "b/inside", "c.txt"]
    assert (folder / "b" / "inside").read_text() == ("old" if rename == 1 else "half")


def test_two_processes_compute_an_entry_once(folder: Path) -> None:
    def compute() -> dict[str, torch.Tensor]:
        with (folder / "calls").open("a") as sink:
            sink.write(f"{os.getpid()}\n")
        time.sleep(0.5)
        return {"x": torch.arange(3.0)}

    both = [child(lambda: cache.cached_tensors("stage", {"seed": 0}, compute)) for _ in range(2)]
    for pid in both:
        assert os.waitpid(pid, 0)[1] == 0
    assert len((folder / "calls").read_text().splitlines()) == 1
    assert names(folder) == ["calls", "stage", f"stage/{cache.key_of({'seed': 0})}.safetensors"]


def test_the_entry_of_a_process_that_dies_is_taken_over(folder: Path) -> None:
    """The lock's file stays, and nobody waits for it: the kernel let go of it."""
    killed_while(lambda kill: cache.cached_tensors("stage", {"seed": 0}, lambda: kill() or {}))
    assert any(name.endswith(".lock") for name in names(folder))
    begin = time.monotonic()
    found = cache.cached_tensors("stage", {"seed": 0}, lambda: {"x": torch.ones(1)})
    assert time.monotonic() - begin < 5
    assert found["x"].item() == 1
    assert names(folder) == ["stage", f"stage/{cache.key_of({'seed': 0})}.safetensors"]


def test_an_entry_inside_itself_does_not_wait_for_itself() -> None:
    def compute() -> dict[str, torch.Tensor]:
        return cache.cached_tensors("stage", {"seed": 1}, lambda: {"x": torch.ones(1)})

    assert cache.cached_tensors("stage", {"seed": 1}, compute)["x"].item() == 1


def test_a_clock_that_jumps_back_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cache.cached_tensors("stage", {"seed": 0}, lambda: {"x": torch.ones(2)})
    monkeypatch.setattr(time, "time", lambda: 0.0)
    for path in folder.rglob("*"):
        os.utime(path, (4e9, 4e9))  # written in what is now the future
    again = cache.cached_tensors("stage", {"seed": 0}, lambda: {"x": torch.zeros(2)})
    assert torch.equal(first["x"], again["x"])
    with locks.hold(folder / ".lock"):
        assert f"process {os.getpid()}" in locks.holder(folder / ".lock")

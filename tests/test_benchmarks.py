"""The benchmark's numbers come from the run that it reports on."""

import json
import time
from pathlib import Path

import pytest

from absorption.base import cache
from absorption.runner import book
from benchmarks import book as bench
from benchmarks.ratios import ratio

STAMP = {
    "seconds": 2.0,
    "peak_bytes": 3e9,
    "stages": [{"stage": "probes.fit", "calls": 2, "seconds": 1.5, "peak_bytes": 2e9}],
}


@pytest.fixture
def two_chapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A book of two chapters, and the cache folders that its builds saw."""
    seen: list[Path] = []

    def make(root: Path, output: Path) -> tuple[Path, list[str]]:
        seen.append(cache.root())
        for name in ("one", "two"):
            cache.write_json(book.Folders(output).stamp(f"notebooks/{name}"), STAMP)
        return output, []

    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "mine"))
    cache.write_text(tmp_path / "mine" / "wheels" / "a.whl", "a wheel")
    monkeypatch.setattr(book, "make", make)
    monkeypatch.setattr(book, "toc_notebooks", lambda root: ["notebooks/one", "notebooks/two"])
    monkeypatch.setattr(bench, "COMPARISONS", (one_ratio,))
    return seen


def one_ratio() -> dict[str, float]:
    """A comparison as the other benchmarks offer them."""
    return {"small.speedup": 4.0}


def test_seconds_and_memory_are_written_for_book_chapters_and_stages(
    two_chapters: list[Path], tmp_path: Path
) -> None:
    numbers = json.loads(bench.measure(tmp_path, tmp_path / "_build").read_text())
    assert numbers["chapter.one.seconds"] == 2.0
    assert numbers["chapter.two.peak_memory_gb"] == 3.0
    assert numbers["stage.probes.fit.seconds"] == 3.0
    assert numbers["stage.probes.fit.calls"] == 4
    assert numbers["small.speedup"] == 4.0
    assert numbers["book.again.seconds"] >= 0
    assert numbers["book.peak_memory_gb"] > 0.01


def test_a_fresh_cache_holds_nothing_but_downloads_and_is_gone_afterwards(
    two_chapters: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[list[str]] = []
    make = book.make

    def look(root: Path, output: Path) -> tuple[Path | None, list[str]]:
        found.append([path.name for path in cache.root().rglob("*")])
        return make(root, output)

    monkeypatch.setattr(book, "make", look)
    bench.measure(tmp_path, tmp_path / "_build")
    assert found == [["wheels", "a.whl"]] * 2
    assert two_chapters[0] != tmp_path / "mine"
    assert not two_chapters[0].exists()
    assert cache.root() == tmp_path / "mine"


def test_a_warm_run_uses_the_present_cache(two_chapters: list[Path], tmp_path: Path) -> None:
    bench.measure(tmp_path, tmp_path / "_build", warm=True)
    assert two_chapters == [tmp_path / "mine"] * 2


def test_a_failed_notebook_leaves_no_benchmark(
    two_chapters: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "make", lambda root, output: (None, ["one failed"]))
    with pytest.raises(RuntimeError, match="one failed"):
        bench.measure(tmp_path, tmp_path / "_build")
    assert not (tmp_path / "_build" / "bench.json").exists()


def test_a_ratio_is_of_the_two_works_own_times() -> None:
    found = ratio(lambda: time.sleep(0.2), lambda: time.sleep(0.02), repeats=3)
    assert 4 < found < 11

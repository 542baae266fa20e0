"""The book runs what changed, nothing else, and is never built over a failed chapter."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest

from absorption import claims
from absorption.base import cache
from absorption.base.settings import Settings
from absorption.claims import catalogue
from absorption.cli import main
from absorption.runner import book, execute, kernels

TOC = """\
format: jb-book
root: intro
parts:
  - caption: Chapters
    chapters:
      - file: notebooks/what-reproduced
      - file: notebooks/one
      - file: notebooks/two
"""
CLAIMS = """\
- id: bigger
  chapter: one
  where: Section 1
  statement: One is bigger than zero.
  published: "1"
  parts: [{measures: one, rule: {kind: greater_than, than: 0}}]
"""
HISTORY = """\
bigger:
  - {set_on: 2026-01-02, number_seen: "yes", measures: one, rule: {kind: greater_than, than: 0}}
"""
CHAPTER = """\
import pandas as pd
from absorption.base.settings import Settings
Settings.from_namespace(globals()).write("one", pd.DataFrame({"a": [1]}))
"""
REAL_RUN = execute.run


class Clone:
    """A small repository, with a runner that notes which notebooks it is asked to run."""

    def __init__(self, folder: Path) -> None:
        self.root, self.output = folder / "clone", folder / "clone" / "_build"
        self.folders = book.Folders(self.output)
        self.ran: list[str] = []
        self.failing: set[str] = set()
        self.built = 0

    def make(self) -> tuple[Path | None, list[str]]:
        """Bring the book up to date and say what came of it."""
        self.ran.clear()
        return book.make(self.root, self.output, build=self.build)

    def build(self, _executed: Path, output: Path, root: Path) -> Path:
        """Stands in for Jupyter Book."""
        assert root == self.root
        self.built += 1
        return output / "html" / "index.html"

    def run(
        self,
        source: Path,
        out: Path,
        values: Mapping[str, Any],
        variables: Mapping[str, str],
        among: kernels.Kernels,
    ) -> execute.Outcome:
        """Stands in for a kernel: a page, and one table a chapter."""
        assert variables["ABSORPTION_BOOK"] == "1"
        self.ran.append(source.stem)
        cache.write_text(out, f"page of {source.stem} as {nbformat.read(source, 4).cells[0].source}")
        table = Path(values["results_dir"]) / f"{source.stem}.parquet"
        cache.write_text(table, f"results of {source.stem}")
        error = "failed on purpose" if source.stem in self.failing else ""
        return execute.Outcome(out, None, error, {"seconds": 1.0}, [table.resolve()])

    def write(self, stem: str, source: str = "", **metadata: Any) -> None:
        """A notebook of the clone."""
        cells = [
            nbformat.v4.new_code_cell('results_dir = ""', metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(source),
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, **metadata})
        cache.write_text(self.root / "notebooks" / f"{stem}.ipynb", nbformat.writes(notebook))


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    made = Clone(tmp_path)
    cache.write_text(made.root / "_toc.yml", TOC)
    cache.write_text(made.root / "intro.md", "# Intro\n")
    cache.write_text(made.root / "claims.yaml", CLAIMS)
    cache.write_text(made.root / "claims-history.yaml", HISTORY)
    made.write("one", CHAPTER)
    made.write("two")
    made.write("what-reproduced", absorption={"reads_results": True})
    monkeypatch.chdir(made.root)
    monkeypatch.setattr(catalogue, "claims_file", lambda: made.root / "claims.yaml")
    monkeypatch.setattr(execute, "run", made.run)
    inputs = book._common_inputs()  # taken once: a test must not fail because someone saves a file meanwhile
    monkeypatch.setattr(book, "_common_inputs", inputs.copy)
    return made


def test_the_page_of_results_runs_after_the_chapters_that_it_reads(clone: Clone) -> None:
    index, errors = clone.make()
    assert clone.ran == ["one", "two", "what-reproduced"]
    assert errors == []
    assert index == clone.output / "html" / "index.html"


def test_a_second_build_with_nothing_changed_runs_no_notebook(clone: Clone) -> None:
    clone.make()
    clone.make()
    assert clone.ran == []
    assert clone.built == 2


def test_a_changed_notebook_runs_again_alone(clone: Clone) -> None:
    clone.make()
    clone.write("two", "changed = True")
    clone.make()
    assert clone.ran == ["two"]


def test_changed_results_make_their_reader_run_again(clone: Clone) -> None:
    clone.make()
    clone.write("three")
    cache.write_text(clone.root / "_toc.yml", TOC + "      - file: notebooks/three\n")
    clone.make()
    assert clone.ran == ["three", "what-reproduced"]


@pytest.mark.parametrize("what", ["code", "data", "lock", "python"])
def test_changed_code_data_or_packages_make_everything_run_again(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    clone.make()
    inputs = book._common_inputs()
    assert inputs[what]
    monkeypatch.setattr(book, "_common_inputs", lambda: {**inputs, what: "another"})
    clone.make()
    assert clone.ran == ["one", "two", "what-reproduced"]


def test_library_and_claims_are_among_the_inputs() -> None:
    inputs = book._common_inputs()
    assert {"base/cache.py", "runner/book.py"} <= set(inputs["code"])
    assert {"claims.yaml", "claims-history.yaml"} <= set(inputs["data"])


@pytest.mark.parametrize("lost", ["results/one.parquet", "executed/notebooks/one.ipynb"])
@pytest.mark.parametrize("damaged", [True, False])
def test_a_lost_or_damaged_result_is_made_again(clone: Clone, lost: str, damaged: bool) -> None:
    clone.make()
    path = clone.output / lost
    content = path.read_bytes()
    if damaged:
        path.write_bytes(content[:3])
    else:
        path.unlink()
    clone.make()
    assert clone.ran == ["one"]
    assert path.read_bytes() == content


def test_a_failed_chapter_stops_the_book_but_not_the_other_chapters(clone: Clone) -> None:
    clone.failing = {"one"}
    index, errors = clone.make()
    assert clone.ran == ["one", "two"]
    assert errors == ["failed on purpose"]
    assert index is None
    assert clone.built == 0
    assert clone.folders.page("notebooks/one").exists()
    clone.failing = set()
    clone.make()
    assert clone.ran == ["one", "what-reproduced"]


def test_every_failed_chapter_is_reported(clone: Clone) -> None:
    clone.failing = {"one", "two"}
    assert len(clone.make()[1]) == 2


def test_results_do_not_outlive_the_notebook_that_made_them(clone: Clone) -> None:
    clone.make()
    cache.write_text(clone.root / "_toc.yml", TOC.replace("      - file: notebooks/two\n", ""))
    clone.make()
    assert not (clone.folders.results / "two.parquet").exists()
    assert not clone.folders.page("notebooks/two").exists()
    assert clone.ran == ["what-reproduced"]


def test_a_page_that_does_not_exist_is_named_before_anything_runs(
    clone: Clone, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("absorption.base.repository.root", lambda: clone.root)
    cache.write_text(clone.root / "_toc.yml", TOC + "      - file: notebooks/three\n")
    assert main.main(["book", "--output", str(clone.output)]) == 1
    assert "_toc.yml names 'notebooks/three'" in capsys.readouterr().err
    assert clone.ran == []


def test_a_build_leaves_the_claims_and_their_verdicts(clone: Clone) -> None:
    claims.record(Settings(results_dir=str(clone.folders.results)), "bigger", 1, 0.5, 1.5)
    clone.make()
    (entry,) = json.loads((clone.output / "claims.json").read_text())
    wanted = {"id": "bigger", "where": "Section 1", "published": "1", "verdict": "reproduced"}
    assert wanted.items() <= entry.items()
    assert (entry["measured"], entry["low"], entry["high"]) == (1.0, 0.5, 1.5)
    (part,) = entry["parts"]
    assert (part["rule_set"], part["restated"]) == ("2026-01-02", "set after a number was seen")


def test_the_command_exits_with_1_and_names_the_failure(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("absorption.base.repository.root", lambda: clone.root)
    clone.failing = {"two"}
    assert main.main(["book", "--output", str(clone.output)]) == 1
    assert capsys.readouterr().err == "failed on purpose\n"


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_sleep_unless_the_user_says_otherwise(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, given: str | None, expected: str
):
    monkeypatch.setattr("absorption.base.repository.root", lambda: clone.root)
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")  # so that it is put back afterwards
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    seen = []
    monkeypatch.setattr(
        book,
        "make",
        lambda root, output, at_once: (seen.append(os.environ["OMP_WAIT_POLICY"]), (output, []))[1],
    )
    assert main.main(["book", "--output", str(clone.output)]) == 0
    assert seen == [expected]


def test_the_command_ends_by_printing_where_the_index_is(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("absorption.base.repository.root", lambda: clone.root)
    monkeypatch.setattr(book, "make", lambda root, output, at_once: (output / "html" / "index.html", []))
    assert main.main(["book", "--output", str(clone.output)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(clone.output / "html" / "index.html")


def test_with_a_real_kernel_results_land_where_the_book_looks_and_the_second_build_is_idle(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "run", REAL_RUN)
    cache.write_text(clone.root / "_toc.yml", TOC.replace("      - file: notebooks/two\n", ""))
    clone.make()
    record = book.read_stamp(clone.folders, "notebooks/one")
    assert list(record["results"]) == ["one.parquet"]
    assert record["seconds"] > 0
    page = clone.folders.page("notebooks/one").read_text()
    assert 'results_dir = \\"_build/results\\"' in page
    assert str(clone.root) not in page
    monkeypatch.setattr(execute, "run", clone.run)
    clone.make()
    assert clone.ran == []

"""The report's command: the SAE's parameters reach the notebook, the page lands in one file and in the book."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest

from absorption.base import repository
from absorption.cli.main import main
from absorption.runner import before, execute, reports, stage
from absorption.runner.execute import Outcome

ROOT = repository.root()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Puts a page with one sentence in the place of a real run; grows with each run's values."""
    asked: list[dict[str, Any]] = []

    def run(source: Path, out: Path, values: Mapping[str, Any], variables: Mapping[str, str]) -> Outcome:
        asked.append({**values, "notebook": source.name, "variables": dict(variables)})
        cells = [nbformat.v4.new_markdown_cell("A page.")]
        out.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), out)
        Path(values.get("results_dir", out.parent)).mkdir(exist_ok=True)
        return Outcome(out, None, "cell [3] failed" if values.get("n_words") == 13 else "", {})

    monkeypatch.setattr(execute, "run", run)
    monkeypatch.setattr(before, "check", lambda *_: "")  # these SAEs exist as little as the run
    return asked


def test_a_local_sae_is_named_by_its_folder_alone(
    tmp_path: Path, given: list, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "reports"
    command = ["report", "--sae_release", "local", "--sae_id", "saes/my sae", "--out", str(out)]
    assert main([*command, "-p", "n_words", "500"]) == 0
    (values,) = given
    assert values["sae_release"] == "local"
    assert values["sae_path"] == "saes/my sae"
    assert values["n_words"] == 500
    assert capsys.readouterr().out.strip() == str(out / "my-sae.html")
    assert "<p>A page.</p>" in (out / "my-sae.html").read_text()
    assert not (tmp_path / stage.YOUR_SAES).exists()


def test_a_preset_serves_as_well_and_its_batch_comes_along(tmp_path: Path, given: list) -> None:
    preset = ROOT / "data" / "presets" / "gemma-3-270m.yaml"
    assert main(["report", "-f", str(preset), "--out", str(tmp_path)]) == 0
    assert given[0]["model"] == "google/gemma-3-270m"
    assert given[0]["variables"]["ABSORPTION_BATCH"] == "128"


def test_with_book_the_page_and_its_tables_lie_where_the_book_looks(tmp_path: Path, given: list) -> None:
    made = reports.write_report(ROOT, tmp_path / "reports", [("sae_id", "x")], in_book=True)
    assert made.error == ""
    assert (tmp_path / stage.YOUR_SAES / "x.ipynb").exists()
    assert (tmp_path / "results" / stage.YOUR_SAES / "x").is_dir()


def test_a_failed_run_leaves_its_partial_page_and_none_in_the_book(
    tmp_path: Path, given: list, capsys: pytest.CaptureFixture
) -> None:
    command = ["report", "--sae_id", "x", "-p", "n_words", "13", "--book", "--out", str(tmp_path / "reports")]
    assert main(command) == 1
    assert "cell [3] failed" in capsys.readouterr().err
    assert (tmp_path / "reports" / "x.html").exists()
    assert not (tmp_path / stage.YOUR_SAES).exists()


@pytest.mark.parametrize(("name", "safe"), [("../../etc", "etc"), ("16", "sae-16"), ("a/b c", "a-b-c")])
def test_a_name_is_a_file_name_and_no_path(tmp_path: Path, given: list, name: str, safe: str) -> None:
    made = reports.write_report(ROOT, tmp_path, [], name=name)
    assert made.html == tmp_path / f"{safe}.html"


def test_an_unknown_parameter_is_refused(tmp_path: Path, given: list, capsys: pytest.CaptureFixture) -> None:
    assert main(["report", "-p", "sae_idd", "x", "--out", str(tmp_path)]) == 2
    assert "Did you mean 'sae_id'?" in capsys.readouterr().err
    assert given == []


def test_comparing_a_folder_without_reports_is_refused(
    tmp_path: Path, given: list, capsys: pytest.CaptureFixture
) -> None:
    assert main(["compare", str(tmp_path)]) == 2
    assert "holds no report" in capsys.readouterr().err


def test_two_local_saes_whose_folders_are_called_alike_leave_two_reports(
    tmp_path: Path, given: list, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "reports"
    for place in ("one", "two"):
        sae = tmp_path / place / "sae"
        command = ["report", "--sae_release", "local", "--sae_id", str(sae), "--book", "--out", str(out)]
        assert main(command) == 0
    said = capsys.readouterr()
    assert said.out.split() == [str(out / "sae.html"), str(out / "two-sae.html")]
    assert said.err.strip() == "'sae' is another SAE's report; this one is called 'two-sae'"
    assert len({values["results_dir"] for values in given}) == 2
    assert {path.name for path in (tmp_path / stage.YOUR_SAES).iterdir()} == {"sae.ipynb", "two-sae.ipynb"}


def test_a_chosen_name_of_another_report_is_refused_before_anything_runs(
    tmp_path: Path, given: list, capsys: pytest.CaptureFixture
) -> None:
    command = ["report", "--name", "mine", "--out", str(tmp_path), "--sae_release", "local", "--sae_id"]
    assert main([*command, "a/sae"]) == 0
    assert main([*command, "b/sae"]) == 2
    assert "name 'mine' is that of another report" in capsys.readouterr().err
    assert len(given) == 1


def test_an_sae_that_is_none_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["report", "--sae_release", "local", "--sae_id", str(tmp_path / "nothing")]
    assert main([*command, "--out", str(tmp_path / "reports")]) == 2
    assert "does not exist; allowed: the folder that holds the SAE's files" in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()

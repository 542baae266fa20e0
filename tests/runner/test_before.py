"""Before a run: the notebook's own ranges and the preflight speak before a kernel starts, and the words are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from absorption.base import repository
from absorption.base.settings import Settings
from absorption.chapters.settings import (
    FourFeaturesSettings,
    RecallGapSettings,
    ReportSettings,
    WithoutProbeSettings,
)
from absorption.cli.main import main
from absorption.runner import before, execute, parameters

NOTEBOOKS = repository.root() / "notebooks"


def values_of(name: str, **changed: object) -> tuple:
    notebook = parameters.read_notebook(NOTEBOOKS / f"{name}.ipynb")
    return notebook, {**parameters.declared(notebook), **changed}


@pytest.fixture
def no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a kernel was started")

    monkeypatch.setattr(execute, "run", never)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("03-the-recall-gap", RecallGapSettings),
        ("your-sae", ReportSettings),
        ("07-absorption-in-four-features", FourFeaturesSettings),
        ("11-without-a-probe", WithoutProbeSettings),
        ("what-reproduced", Settings),
    ],
)
def test_the_class_of_a_notebooks_settings_is_found(name: str, expected: type[Settings]) -> None:
    assert before.settings_class(*values_of(name)) is expected


@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["-p", "n_words", "-5"], "parameter n_words is -5"),
        (["-p", "n_sets", "1"], "parameter n_sets is 1"),
        (["-p", "device", "cuda:99"], "device 'cuda:99' is not available"),
        (
            ["-p", "hook_name", "blocks.30.hook_resid_post"],
            "names layer 30, but the model has layers 0 to 29",
        ),
        (["-p", "sae_id", "topk-8192-l0-13-layer-6"], "sae_id 'topk-8192-l0-13-layer-6' does not exist"),
        (
            ["-p", "sae_release", "local", "-p", "sae_path", "no-such-folder"],
            "'no-such-folder' does not exist",
        ),
        (["-p", "model", "no-such-folder/at-all/here"], "could not be loaded"),
    ],
)
def test_what_is_known_to_be_wrong_exits_with_2_before_a_kernel_starts(
    tmp_path: Path,
    pairs: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    command = ["run", str(NOTEBOOKS / "03-the-recall-gap.ipynb"), str(tmp_path / "out.ipynb"), *pairs]
    assert main(command) == 2
    text = capsys.readouterr().err
    assert said in text
    assert len(text.strip().splitlines()) <= 2


@pytest.mark.usefixtures("no_run")
def test_a_cache_path_that_is_a_file_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    assert main(["run", str(NOTEBOOKS / "03-the-recall-gap.ipynb"), str(tmp_path / "out.ipynb")]) == 2
    assert (
        "is a file; it must be a folder: set the environment variable ABSORPTION_CACHE"
        in capsys.readouterr().err
    )


@pytest.mark.usefixtures("own_cache")
def test_the_number_of_words_and_the_price_of_fewer_are_said() -> None:
    assert before.check(*values_of("what-reproduced")) == ""
    assert "all 47,078 single-token words" in before.check(*values_of("03-the-recall-gap"))
    assert "4,000 of the tokenizer's 47,078" in before.check(*values_of("your-sae"))

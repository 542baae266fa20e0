"""Presets, configurations, notebooks and records of strangers: one line says why, and nothing grows or leaks out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml

from absorption.base import repository, sheets, yaml_text
from absorption.runner import book, clean, one_file, parameters
from absorption.sweep import cost, run

DEFAULTS = {"n_words": 5, "name": "a", "layers": [1, 2], "anything": None}
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)
"""A billion entries in 500 bytes."""
HOSTILE = {
    "tag": "n_words: !!python/object/apply:os.mkdir ['MARK']",
    "bomb": BOMB + "n_words: *a8",
    "deep": "n_words: " + "[" * 50_000,
    "digits": "n_words: " + "9" * 5000,
    "date": "n_words: 2020-13-45",
    "typed": "n_words: !!int abc",
    "time": "n_words: !!timestamp abc",
    "itself": "layers: &a [*a]",
    "key": "? {a: b}\n: c",
    "null": "n_words: \0",
    "long": "# " + "x" * 900_000,
    "bytes": "\udcff",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_yaml_is_read_as_plain_values_or_refused_in_one_line(tmp_path: Path, name: str) -> None:
    text, mark = HOSTILE[name].replace("MARK", str(tmp_path / "mark")), tmp_path / "mark"
    path = tmp_path / "given.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(parameters.ParameterError, match=r"is not YAML: .") as refused:
        parameters.resolve(DEFAULTS, presets=[path])
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 400 + len(str(path))
    with pytest.raises(run.SweepError, match="is not YAML"):
        run.output_folder(path, tmp_path)
    with pytest.raises(ValueError, match="cannot be read"):
        cost.load_plan(path, repository.root())
    assert not mark.exists()


def test_the_bomb_would_go_off_in_a_message(tmp_path: Path) -> None:
    """YAML's own loader makes it in no time; writing it out is what takes all memory."""
    small = BOMB.splitlines()[:6]
    grown = yaml.safe_load("\n".join(small))["a5"]
    assert len(repr(grown)) > 1_000_000
    assert len(parameters.SHORT.repr(grown)) < 2000
    with pytest.raises(parameters.ParameterError, match=r"parameter 'n_words' is \[\[") as refused:
        parameters.check({"n_words": grown}, DEFAULTS)
    assert len(str(refused.value)) < 200


def test_a_few_aliases_are_plain_yaml() -> None:
    assert yaml_text.load("a: &x {k: 1}\nb: *x\nc: {<<: *x, l: 2}") == {
        "a": {"k": 1},
        "b": {"k": 1},
        "c": {"k": 1, "l": 2},
    }


@pytest.mark.parametrize(
    "value", ["[" * 5_000, "9" * 5000, "2020-13-45", "&a [*a]", "!!python/name:os.system"]
)
def test_a_value_of_the_command_line_is_refused_in_two_lines(value: str) -> None:
    for name in ("n_words", "layers", "anything"):
        with pytest.raises(parameters.ParameterError) as refused:
            parameters.resolve(DEFAULTS, [(name, value)])
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "source", ["a = " + "(" * 5000, "a = " + "-" * 100_000 + "1", "a = 10**10**10", "a = 1\0"]
)
def test_parameters_without_end_are_refused(tmp_path: Path, source: str) -> None:
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "x.ipynb")
    with pytest.raises(parameters.ParameterError, match="must hold only lines"):
        parameters.declared(parameters.read_notebook(tmp_path / "x.ipynb"))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"cells": 3, "nbformat": 4}', "", "\x00"])
def test_what_is_no_notebook_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.ipynb").write_text(text)
    with pytest.raises(parameters.ParameterError, match=r"is not a notebook: .") as refused:
        parameters.read_notebook(tmp_path / "x.ipynb")
    assert len(str(refused.value).splitlines()) == 1


def test_no_cell_of_a_table_is_a_formula() -> None:
    table = pd.DataFrame(
        {"error": ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\tx", "fine"], "value": [-1.5] * 6}
    )
    lines = sheets.text(table, separator="\t", digits="%.4g").splitlines()
    assert [line.strip('"')[0] for line in lines[1:]] == ["'"] * 5 + ["f"]
    assert lines[3] == "'-1\t-1.5"
    assert sheets.text(table.iloc[:0], separator="\t", digits="%.4g") == "error\tvalue\n"


def test_a_record_that_names_files_elsewhere_removes_none(tmp_path: Path) -> None:
    folders = book.Folders(tmp_path / "out")
    mine, other = folders.results / "table.parquet", tmp_path / "precious"
    for path in (mine, other):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    names = ["table.parquet", "../../precious", str(other), os.path.relpath("/etc/hostname", folders.results)]
    stamp = folders.stamp("notebooks/x")
    stamp.parent.mkdir(parents=True)
    stamp.write_text(json.dumps({"key": "", "results": dict.fromkeys(names, "0")}))
    book._forget(folders, "notebooks/x")
    assert not mine.exists()
    assert other.exists()


def test_an_error_that_is_a_script_is_text_on_the_partial_page() -> None:
    script = "<script>alert(1)</script>\n```\n<img src=x onerror=alert(1)>"
    error = nbformat.v4.new_output("error", ename="ValueError", evalue=script, traceback=[script])
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[error])])
    _number, kind, text = clean.failure(page) or (0, "", "")
    clean.mark_failure(page, f"{kind}: {text}")
    html = one_file.to_html(page, script)
    assert "<script>alert" not in html
    assert "<img" not in html
    assert len(page.cells[0].source.splitlines()) == 5, "the fence holds one line, which cannot close it"

"""Reports side by side: every number once, under its SAE's name."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from tests.plots.reading import drawn_series

from absorption.plots import side_by_side as figures
from absorption.runner import stage
from absorption.several_saes.side_by_side import SUMMARY, read_reports, wide_table


def write(folder: Path, sae: str, **values: float) -> Path:
    rows = [(sae, "recall gap", name, value, value - 0.1, value + 0.1) for name, value in values.items()]
    folder.mkdir(parents=True)
    table = pd.DataFrame(rows, columns=["sae", "section", "quantity", "value", "low", "high"])
    table.to_parquet(folder / f"{SUMMARY}.parquet")
    return folder


def test_every_number_of_every_report_stands_once(tmp_path: Path) -> None:
    folders = [write(tmp_path / "a", "first", f1=0.5, recall=0.6), write(tmp_path / "b", "second", f1=0.7)]
    table = wide_table(read_reports(folders))
    assert table.columns.tolist() == ["section", "quantity", "first", "second"]
    f1 = table.set_index("quantity").loc["f1"]
    assert list(f1) == ["recall gap", "0.500 [0.400, 0.600]", "0.700 [0.600, 0.800]"]
    assert table.set_index("quantity").loc["recall", "second"] == ""


def test_reports_of_one_name_are_told_apart_by_their_place(tmp_path: Path) -> None:
    write(tmp_path / "x" / "results", "same", f1=0.5)
    write(tmp_path / "y" / "results", "same", f1=0.7)
    names = set(read_reports([tmp_path])["report"])
    assert len(names) == 2
    assert all(name.startswith("same (") for name in names)


def test_a_folder_without_reports_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no report \(no sae-summary\.parquet\)"):
        read_reports([tmp_path])


def test_the_figure_has_a_dot_for_every_number(tmp_path: Path) -> None:
    folders = [write(tmp_path / "a", "first", f1=0.5, recall=0.6), write(tmp_path / "b", "second", f1=0.7)]
    drawn = drawn_series(figures.one_section(read_reports(folders), "recall gap"))
    assert {name: values for name, (values, _) in drawn.items()} == {"first": [0.5, 0.6], "second": [0.7]}


def test_pages_on_other_saes_become_a_part_of_the_book(tmp_path: Path) -> None:
    root, output = tmp_path / "root", tmp_path / "output"
    root.mkdir()
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nparts: []\n")
    (output / stage.YOUR_SAES).mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(), output / stage.YOUR_SAES / "mine.ipynb")
    source = tmp_path / "source"
    source.mkdir()
    stage._stage_toc(root, output / stage.YOUR_SAES, source)
    assert "- file: your-saes/mine" in (source / "_toc.yml").read_text()
    assert (source / "your-saes" / "mine.ipynb").exists()

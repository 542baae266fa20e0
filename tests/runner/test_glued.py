"""The numbers of a page stand in its text, also where no book is built from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from absorption.base import repository
from absorption.cli.main import main
from absorption.runner import glued

ROOT = repository.root()


def page(text: str, **values: Any) -> NotebookNode:
    outputs = [
        nbformat.v4.new_output(
            "display_data",
            data={f"{glued.PREFIX}text/plain": repr(value)},
            metadata={"scrapbook": {"name": name, "mime_prefix": glued.PREFIX}},
        )
        for name, value in values.items()
    ]
    cells = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell("x", outputs=outputs)]
    return nbformat.v4.new_notebook(cells=cells)


def filled(text: str, **values: Any) -> str:
    made = page(text, **values)
    glued.fill(made)
    return made.cells[0].source


@pytest.mark.parametrize(
    ("role", "value", "text"),
    [
        ("x", 0.5, "0.5"),
        ("x", "a word", "a word"),
        ("x:.2f", 0.126, "0.13"),
        ("x:.1%", 0.0126, "1.3%"),
        ("x:.0%", 0.376, "38%"),
        ("x:.0f", 81.4, "81"),
        ("x:,", 47078, "47,078"),
        ("x:.3f", float("nan"), "nan"),
        ("x:.3f", "none", "none"),
        ("y:.3f", 1.0, "(y was not measured)"),
    ],
)
def test_a_number_is_written_as_its_role_asks(role: str, value: Any, text: str) -> None:
    assert filled(f"It is **{{glue:text}}`{role}`**.", x=value) == f"It is **{text}**."


def test_what_markdown_would_read_in_a_word_is_shown_as_it_is() -> None:
    from markdown_it import MarkdownIt

    hostile = "*a* `b` <i>c</i> [d](e) _f_ | $g$"
    html = MarkdownIt("commonmark").render(filled("{glue:text}`x`", x=hostile))
    assert html == "<p>*a* `b` &lt;i&gt;c&lt;/i&gt; [d](e) _f_ | $g$</p>\n"


def test_a_number_of_another_page_is_left_to_the_book() -> None:
    text = "{glue:text}`../notebooks/x.ipynb::y:.2f`"
    assert filled(text, y=1.0) == text


def test_every_place_for_a_number_in_the_notebooks_is_understood() -> None:
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert len(re.findall(r"\{glue", text)) == len(glued.ROLE.findall(text)), path.name


GLUES = 'from myst_nb import glue\nglue("probe_f1", 0.87654, display=False)\nprint("shown", n_words)'


def with_text(notebook: Path, text: str) -> Path:
    made = nbformat.read(notebook, as_version=4)
    made.cells.append(nbformat.v4.new_markdown_cell(text))
    nbformat.write(made, notebook)
    return notebook


def test_a_run_writes_the_numbers_into_the_page_and_not_into_the_notebook(write_notebook, tmp_path) -> None:
    source = with_text(write_notebook(GLUES), "F1 is {glue:text}`probe_f1:.3f`, {glue:text}`other`.")
    before = source.read_bytes()
    assert main(["run", str(source), str(tmp_path / "out.ipynb")]) == 0
    made = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    nbformat.validate(made)
    assert "F1 is 0.877, (other was not measured)." in [cell.source for cell in made.cells]
    assert source.read_bytes() == before


def test_a_run_into_html_leaves_one_file_that_needs_nothing_else(write_notebook, tmp_path, capsys) -> None:
    source = with_text(write_notebook(GLUES), "F1 is {glue:text}`probe_f1:.3f`.")
    out = tmp_path / "out.html"
    assert main(["run", str(source), str(out), "-p", "n_words", "7"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    html = out.read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert "<title>Small</title>" in html
    assert "<p>F1 is 0.877.</p>" in html
    assert "shown 7" in html
    assert "How this page was made" in html
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", html)
    assert not out.with_suffix(".ipynb").exists()


def test_a_run_into_html_that_fails_says_so_on_the_page(write_notebook, tmp_path, capsys) -> None:
    source = write_notebook("raise ValueError('the value 3')")
    assert main(["run", str(source), str(tmp_path / "out.html")]) == 1
    html = (tmp_path / "out.html").read_text()
    assert "This page is incomplete" in html
    assert "ValueError: the value 3" in html
    assert str(tmp_path / "out.html") in capsys.readouterr().err

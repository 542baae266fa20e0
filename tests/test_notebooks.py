"""The book's notebooks: how they are stored. That each runs is tested by ``test_smoke_*.py``."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from absorption.base.settings import DEFAULT_SAE, EMBEDDED_MODEL
from absorption.runner import before, parameters, stage

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHAPTERS = ROOT / "lib" / "absorption" / "chapters"
MOST_LINES = 12
"""Lines of code in one cell, but for the parameters; more is logic, which belongs in the library."""
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@each_notebook
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    assert [cell.outputs for cell in code_cells(path) if cell.outputs] == []
    assert {cell.execution_count for cell in code_cells(path)} == {None}


@each_notebook
def test_a_notebook_is_valid_with_stable_cell_ids(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@each_notebook
def test_a_notebook_begins_with_its_story_its_parameters_and_their_check(path: Path) -> None:
    story, given, check = nbformat.read(path, as_version=4).cells[:3]
    assert story.cell_type == "markdown"
    assert story.source.startswith("# ")
    assert "parameters" in given.metadata.tags
    assert "hide-input" in check.metadata.tags
    assert "Settings.from_namespace(globals())" in check.source


@each_notebook
def test_every_parameter_has_a_comment(path: Path) -> None:
    (cell,) = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
    lines = cell.source.splitlines()
    assert [line for line in lines if "=" in line.split("#")[0] and "#" not in line] == []


@each_notebook
def test_a_notebooks_settings_take_its_parameters_and_no_others(path: Path) -> None:
    notebook = parameters.read_notebook(path)
    defaults = parameters.declared(notebook)
    assert before.settings_class(notebook, {}).from_namespace(defaults).model_dump() == defaults
    assert defaults["results_dir"] == ""


@pytest.mark.parametrize("name", sorted(parameters.SHARED - {"n_words", "hook_name"}))
def test_a_parameter_that_chapters_share_starts_the_same_in_all(name: str) -> None:
    cells = [parameters.declared(parameters.read_notebook(path)) for path in NOTEBOOKS]
    values = [cell[name] for cell in cells if name in cell]
    assert len(values) > 5
    assert set(values) == {{"model": EMBEDDED_MODEL, "sae_id": DEFAULT_SAE}.get(name, values[0])}


@each_notebook
def test_no_cell_is_long_enough_to_hide_logic(path: Path) -> None:
    cells = [cell for cell in code_cells(path) if "parameters" not in cell.metadata.get("tags", [])]
    assert cells
    assert [cell.id for cell in cells if len(cell.source.splitlines()) > MOST_LINES] == []


@each_notebook
def test_a_notebook_is_in_the_table_of_contents_under_a_name(path: Path) -> None:
    assert f"notebooks/{path.stem}" in stage.toc_pages(ROOT)
    assert not path.stem.isdigit()


def test_no_two_notebooks_write_the_same_table() -> None:
    """They share a folder in the book: the second would replace the first, and each build would run both anew."""
    written = re.compile(r'settings\.write\(\s*"([^"]+)"')
    names = [
        name
        for path in NOTEBOOKS
        for name in {n for c in code_cells(path) for n in written.findall(c.source)}
    ]
    names += [name for path in sorted(CHAPTERS.rglob("*.py")) for name in tables_of(path)]
    assert len(names) > 20
    assert sorted(names) == sorted(set(names))


def tables_of(module: Path) -> list[str]:
    """Names of the tables that a chapter's findings write."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "tables"
    ]
    written = [node for function in functions for node in ast.walk(function) if isinstance(node, ast.Dict)]
    return [str(key.value) for node in written for key in node.keys if isinstance(key, ast.Constant)]

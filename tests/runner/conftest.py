"""Small notebooks that need no model, so that a run costs little more than a kernel's start."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

PARAMETERS = """\
n_words = 100  # words
ratio = 0.5  # a share
name = "a"  # a name
flag = False  # a switch
layers = [1, 2]  # some layers
results_dir = ""  # folder for results
"""

WriteNotebook = Callable[..., Path]


@pytest.fixture
def write_notebook(tmp_path: Path) -> WriteNotebook:
    """Write a notebook with a parameters cell and the given code cells."""

    def write(
        *code: str, parameters: str = PARAMETERS, path: str = "small.ipynb", **metadata: object
    ) -> Path:
        cells = [nbformat.v4.new_markdown_cell("# Small")]
        cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
        cells += [nbformat.v4.new_code_cell(source) for source in code]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, **metadata})
        target = tmp_path / "small.ipynb"
        nbformat.write(notebook, target)
        return target

    return write

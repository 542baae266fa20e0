"""Small commands that write all that the large ones write: cache, checkpoints, activations, tables, pages, HTML."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import torch
from tests.ablation.architectures import tiny_model
from tests.training.tiny import tiny_trainer

from absorption.base import cache, seals
from absorption.cli.main import main
from absorption.runner import book, stage
from absorption.training import harvest

HOOK = "blocks.1.hook_resid_post"
TABLE = "import pandas as pd; settings.write('table', pd.DataFrame({'x': range(5)}))"


@dataclass(frozen=True)
class Subject:
    """A command, and what of it must be the same bytes each time."""

    name: str
    run: Callable[[Path], object]
    """Gets a folder of its own; the cache is its subfolder ``cache``."""
    results: tuple[str, ...]
    """Patterns of files below that folder."""

    def digest(self, folder: Path) -> dict[str, str]:
        """Hash of every result, by path; hidden files (a dead process's lock, which nobody holds) are none."""
        found = sorted({path for pattern in self.results for path in folder.glob(pattern) if path.is_file()})
        found = [path for path in found if not path.name.startswith(".")]
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in found
        }


def _cache(folder: Path) -> None:
    for seed in range(4):
        cache.cached_tensors("stage", {"seed": seed}, lambda seed=seed: {"x": torch.full((3000,), seed)})
        with cache.atomic_path(folder / f"{seed}.parquet") as temporary:
            seals.write_table(temporary, str(seed), pd.DataFrame({"x": np.arange(500) * seed}))
        cache.write_json(folder / f"{seed}.json", {"seed": seed})
        with cache.atomic_folder(folder / "model") as temporary:
            (temporary / "weights").write_bytes(bytes(9000))


def _training(folder: Path) -> None:
    harvest.SHARD_WINDOWS = 8  # type: ignore[misc]
    model = tiny_model("llama", dtype=torch.float32)[0]
    tokens = torch.randint(35, 500, (20, 12), generator=torch.Generator().manual_seed(0))
    harvest.store_activations(model, HOOK, tokens, windows_key="torture", batch_windows=4)
    torch.manual_seed(0)
    sae = tiny_trainer(folder / "cache" / "training" / "run").fit()
    with cache.atomic_folder(folder / "sae") as temporary:
        seals.write_tensors(temporary / "weights.safetensors", "sae", sae.state_dict())


def write_notebook(path: Path, parameters: str = "", work: str = TABLE) -> None:
    """A notebook without text: parameters besides the folder of results, and one cell of work."""
    cells: list[Any] = [
        nbformat.v4.new_code_cell(
            f'{parameters}results_dir = ""  # folder for results', metadata={"tags": ["parameters"]}
        ),
        nbformat.v4.new_code_cell(
            "from absorption.base.settings import Settings\nsettings = Settings.from_namespace(globals())"
        ),
        nbformat.v4.new_code_cell(work),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
    cache.write_text(path, nbformat.writes(made))


def _page(folder: Path) -> None:
    if not (folder / "small.ipynb").exists():
        write_notebook(folder / "small.ipynb")
    out = str(folder / "page.html")
    if status := main(
        ["run", str(folder / "small.ipynb"), out, "-p", "results_dir", str(folder / "results")]
    ):
        raise RuntimeError(f"absorption run ended with {status}")


def _book(folder: Path) -> None:
    """The book's own way from notebooks to HTML, with Jupyter Book's part replaced: it takes half a minute."""
    root = folder / "root"
    if not (root / "_toc.yml").exists():
        write_notebook(root / "notebooks" / "small.ipynb")
        (root / "book").mkdir()
        (root / "_config.yml").write_text("title: Small\n")
        (root / "_toc.yml").write_text("format: jb-book\nroot: notebooks/small\n")
    stage._run_jupyter_book = _pages  # type: ignore[assignment]
    index, errors = book.make(root, folder / "out")
    if errors or index is None:
        raise RuntimeError(f"the book was not built: {errors}")
    shown = json.loads((index.parent / "notebooks" / "small.ipynb").read_text())
    if (
        shown
        != json.loads((folder / "out" / "executed" / "notebooks" / "small.ipynb").read_text())["cells"][2][
            "id"
        ]
    ):
        raise RuntimeError("a page is older than its tables")


def _pages(source: Path, output: Path, _log: Path) -> Path:
    html = output / "_build" / "html"
    for path in sorted(source.rglob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        page = html / path.relative_to(source)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(json.dumps(cells[2]["id"]))
    (html / "index.html").write_text("<html></html>")
    return html


CACHE = Subject("cache, tables, folders", _cache, ("cache/**/*", "*.parquet", "*.json", "model/*"))
TRAINING = Subject("activations, checkpoint, SAE", _training, ("cache/training-activations/**/*", "sae/*"))
PAGE = Subject("absorption run", _page, ("results/**/*",))
BOOK = Subject("absorption book", _book, ("out/results/**/*", "out/html/index.html"))


def quiet() -> None:
    """Send what a child prints to nowhere."""
    sink = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(sink, stream)
    sys.stdout = sys.stderr = open(os.devnull, "w")

"""The commands themselves: training, a report, a sweep with Snakemake, and the book with Jupyter Book."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
import torch
import yaml
from tests.ablation.architectures import tiny_model
from tests.torture.subjects import Subject, write_notebook
from tests.training.tiny import RECIPE

from absorption.base import cache, repository
from absorption.cli.main import main
from absorption.runner import book, reports
from absorption.sweep import run as sweeps
from absorption.training import card, train
from absorption.training.corpus import Windows

ROOT = repository.root()
SNAKEMAKE = ROOT / ".venv-sweep" / "bin" / "snakemake"
SAE = "topk-512-l0-12-layer-6"
SAE_PARAMETERS = 'model = ""  # model\nsae_release = ""  # release\nsae_id = ""  # SAE\n'
SHARED_WORK = """\
import pandas as pd, pathlib, torch
from absorption.base import cache
made = [cache.cached_tensors("shared", {"seed": i}, lambda i=i: {"x": torch.full((3000,), float(i))}) for i in range(5)]
settings.write("table", pd.DataFrame({"x": [float(one["x"].sum()) for one in made]}))
cache.write_json(pathlib.Path(settings.results_dir, "claims", "probe.gap.json"), {
    "id": "probe", "part": "gap", "measured": float(made[2]["x"].mean()), "low": 0.0, "high": 3.0, "note": ""})
"""
"""Stages of the cache that a book and a sweep have in common."""
FRESH = "import uuid; print(uuid.uuid4())"
"""By what a page and its executed notebook are known to be of one run."""


def _saes(folder: Path) -> None:
    """``absorption saes``: activations, training with checkpoints, the card's measurements; tiny in every respect."""
    model = tiny_model("llama", dtype=torch.float32)[0]
    replaced: dict[str, Any] = {
        "find_recipe": lambda _name: RECIPE, "load_model": lambda *_: model, "load_windows": _windows,
    }  # fmt: skip
    for name, stand_in in replaced.items():
        setattr(train, name, stand_in)
    card.N_SPELLING_WORDS = 100  # type: ignore[misc]
    _end(main(["saes", RECIPE.sae_id, "--output", str(folder / "saes")]), "absorption saes")
    about = json.loads((folder / "saes" / RECIPE.sae_id / "card.json").read_text())
    about["training"].pop("seconds")
    cache.write_json(folder / "card-without-seconds.json", about)


def _windows(*_arguments: object, n_train: int, n_held_out: int, length: int, **_more: object) -> Windows:
    tokens = torch.randint(
        35, 500, ((n_train + n_held_out) // length, length), generator=torch.Generator().manual_seed(0)
    )
    tokens[:, 0] = 1
    return Windows(train=tokens[n_held_out // length :], held_out=tokens[: n_held_out // length])


def _report(folder: Path) -> None:
    """``absorption report --book`` of a small page."""
    notebook = folder / "small.ipynb"
    if not notebook.exists():
        write_notebook(notebook, SAE_PARAMETERS, SHARED_WORK)
    reports.NOTEBOOK = str(notebook)  # type: ignore[misc]
    out = folder / "_build" / "reports"
    given = ["--sae_release", "shipped", "--sae_id", SAE, "--out", str(out), "--book"]
    _end(main(["report", *given]), "absorption report")
    if not (out / f"{SAE}.html").read_text().rstrip().endswith("</html>"):
        raise RuntimeError("half a page")
    nbformat.read(folder / "_build" / "your-saes" / f"{SAE}.ipynb", as_version=4)


def _sweep(folder: Path) -> None:
    """``absorption sweep``: Snakemake starts the real ``absorption run`` on a small notebook, once for each SAE."""
    root = folder / "sweeps"
    if not (root / "sweep.yaml").exists():
        _write_sweep(root)
    os.environ[sweeps.SNAKEMAKE] = str(SNAKEMAKE)
    repository.root = lambda: root  # type: ignore[assignment]
    _end(main(["sweep", str(root / "sweep.yaml"), "--cores", "2"]), "absorption sweep")


def _write_sweep(root: Path) -> None:
    write_notebook(root / "notebooks" / "small.ipynb", SAE_PARAMETERS, SHARED_WORK)
    shutil.copy(ROOT / "Snakefile", root)
    (root / "sweep").unlink(missing_ok=True)
    (root / "sweep").symlink_to(ROOT / "sweep")
    command = root / "absorption"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m absorption.cli "$@"\n')
    command.chmod(0o755)
    (root / "samples.tsv").write_text(
        f"sample\tmodel\tsae_release\tsae_id\na\tm\tshipped\t{SAE}\nb\tm\tshipped\t{SAE}\n"
    )
    config = {"samples": "samples.tsv", "output": "out", "chapters": ["small"], "command": str(command)}
    cache.write_text(root / "sweep.yaml", yaml.safe_dump(config))


def _book(folder: Path) -> None:
    """What ``make book`` calls, with Jupyter Book itself, on a book of one page."""
    root = folder / "root"
    if not (root / "_toc.yml").exists():
        write_notebook(root / "notebooks" / "small.ipynb", "", SHARED_WORK + FRESH)
        (root / "book").mkdir(exist_ok=True)
        (root / "_config.yml").write_text(
            "title: Small\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"
        )
        cache.write_text(root / "_toc.yml", "format: jb-book\nroot: notebooks/small\n")
    index, errors = book.make(root, folder / "out")
    if errors or index is None:
        raise RuntimeError(f"the book was not built: {errors}")
    executed = (folder / "out" / "executed" / "notebooks" / "small.ipynb").read_text()
    (shown,) = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}(?=\\n)", executed)
    if shown not in (index.parent / "notebooks" / "small.html").read_text():
        raise RuntimeError("a page is older than its tables")


def _end(status: int, command: str) -> None:
    if status == 130:
        raise KeyboardInterrupt
    if status:
        raise RuntimeError(f"{command} ended with {status}")


SAES = Subject("absorption saes", _saes, ("saes/*/sae_weights.safetensors", "saes/*/cfg.json", "card-*.json"))
REPORT = Subject("absorption report", _report, ("_build/reports/*/results/**/*", "_build/results/**/*"))
SWEEP = Subject("absorption sweep", _sweep, ("sweeps/out/runs/*/*/results/**/*", "sweeps/out/comparison.tsv"))
JUPYTER_BOOK = Subject("absorption book with Jupyter Book", _book, ("out/results/**/*",))

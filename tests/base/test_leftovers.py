"""Importing the library is cheap, and leaves nothing in the temporary folder, also if the process is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from absorption.base import leftovers, repository

LIBRARY = repository.package().parent


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter whose temporary folder is empty."""
    (folder / "tmp").mkdir(exist_ok=True)
    ours = {
        "TMPDIR": str(folder / "tmp"),
        "ABSORPTION_CACHE": str(folder / "cache"),
        "PYTHONPATH": str(LIBRARY),
    }
    kept = {name: value for name, value in os.environ.items() if name != leftovers.COMPILED}
    return subprocess.run(
        [sys.executable, "-c", code], env={**kept, **ours, **environment}, capture_output=True, text=True
    )


def test_importing_the_package_loads_neither_pytorch_nor_saelens(tmp_path: Path) -> None:
    code = "import sys, absorption; print([m for m in ('torch', 'sae_lens', 'pandas', 'wandb') if m in sys.modules])"
    assert run(code, tmp_path).stdout == "['wandb']\n"  # the stand-in, see the next test


def test_a_process_that_is_killed_leaves_nothing_in_the_temporary_folder(tmp_path: Path) -> None:
    code = "import os, absorption; absorption.measure; import absorption.training.trainer; os._exit(9)"
    done = run(code, tmp_path)
    assert done.returncode == 9, done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_logging_package_is_itself_once_it_is_used(tmp_path: Path) -> None:
    code = (
        "import absorption, wandb; before = type(wandb).__name__; "
        "print(before, hasattr(wandb, '__nothing__'), wandb.Histogram.__name__, type(wandb).__name__); "
        "from wandb.sdk import wandb_run"
    )
    done = run(code, tmp_path)
    assert done.stdout == "LaterModule False Histogram module\n", done.stderr


def test_a_folder_for_compiled_code_that_is_set_already_is_kept(tmp_path: Path) -> None:
    code = f"import os, absorption; print(os.environ['{leftovers.COMPILED}'])"
    assert run(code, tmp_path, **{leftovers.COMPILED: "/mine"}).stdout == "/mine\n"
    assert run(code, tmp_path).stdout == f"{tmp_path / 'cache' / 'compiled'}\n"


def test_a_cache_folder_that_cannot_be_made_is_left_to_whoever_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    code = f"import os, absorption; print(os.environ.get('{leftovers.COMPILED}'))"
    assert run(code, tmp_path).stdout == "None\n"


def test_an_unknown_name_is_no_attribute_of_the_package() -> None:
    import absorption

    assert {"measure", "Result", "Thresholds", "DEFINITIONS"} <= set(dir(absorption))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        absorption.nothing  # noqa: B018

"""Shapes are checked while the tests run: every function annotated with jaxtyping refuses a wrong tensor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook
from tests import shape_checks

LIB = Path(__file__).parents[1] / "lib"


def _annotated_modules() -> list[str]:
    """Names of the library's modules that annotate shapes."""
    files = sorted((LIB / "absorption").rglob("*.py"))
    annotated = [file for file in files if "jaxtyping" in file.read_text(encoding="utf-8")]
    return [".".join(file.relative_to(LIB).with_suffix("").parts) for file in annotated]


# Before any test imports the library: modules imported earlier would stay unchecked.
install_import_hook(_annotated_modules(), f"{shape_checks.__name__}.check")


LONGEST = ("test_smoke_one.py", "test_smoke_two.py")
"""Files with which processes that test side by side begin: as the last they would leave the others without work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, the rest in the order found."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """What a test draws without a generator of its own does not depend on the tests before it."""
    torch.manual_seed(0)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache folder for each test."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))

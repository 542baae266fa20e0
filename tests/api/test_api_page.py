"""The book's page on the API runs as it stands, on fewer words, and names what is public."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sae_lens import SAE
from transformers import AutoModelForCausalLM, AutoTokenizer

import absorption
from absorption.base import repository
from absorption.models.embedded import embedded_folder
from absorption.runner import stage
from absorption.saes.shipped import shipped_folder

ROOT = repository.root()
SAE_ID, N_WORDS = "topk-4096-l0-12-layer-6", 1000


def blocks(page: str) -> list[str]:
    """The page's Python, with fewer words where it says how many."""
    found = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    return [re.sub(r"n_words=\d+", f"n_words={N_WORDS}", block) for block in found]


def in_hands() -> dict[str, Any]:
    """What the page says a reader has in memory."""
    return {
        "sae": SAE.load_from_disk(shipped_folder(SAE_ID)),
        "model": AutoModelForCausalLM.from_pretrained(embedded_folder()),
        "tokenizer": AutoTokenizer.from_pretrained(embedded_folder()),
    }


@pytest.fixture
def few_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(absorption, "measure", partial(absorption.measure, n_words=N_WORDS))


@pytest.mark.usefixtures("few_words")
def test_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    names = in_hands()
    code = blocks("book/api.md")
    assert len(code) == 5
    for block in code:
        exec(block, names)
    assert names["result"].facts["sae"] == "my-sae"
    assert names["result"].rates["definition"].unique().tolist() == list(absorption.DEFINITIONS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "my-sae.html", "my-sae_custom_sae_eval_results.json",
    ]  # fmt: skip
    two = ["full absorption", "absorption fraction"]
    assert names["quick"].rates["definition"].unique().tolist() == two
    assert names["absorbed"]["absorbed"].all()
    assert names["strict"].facts["thresholds"]["min_share"] == 0.8


def test_the_lines_of_the_readme_are_lines_of_the_page_and_under_ten() -> None:
    (block,) = blocks("README.md")
    lines = [line.split("  #")[0] for line in block.splitlines() if line]
    assert len(lines) < 10
    assert set(lines) <= set("".join(blocks("book/api.md")).splitlines())


def test_the_page_documents_all_that_is_public_and_only_that() -> None:
    text = (ROOT / "book" / "api.md").read_text()
    documented = re.findall(r"^\.\. auto\w+:: (\w+)", text, re.MULTILINE)
    assert sorted(documented) == sorted(absorption.__all__)
    assert ".. currentmodule:: absorption" in text


def test_a_change_of_a_public_docstring_builds_the_book_again() -> None:
    """The book is kept while what it is built from stays the same; these modules are part of that."""
    for name in set(absorption.__all__) - {"DEFINITIONS"}:
        source = sys.modules[getattr(absorption, name).__module__].__file__
        assert Path(str(source)).relative_to(repository.package()).as_posix() in stage.API_SOURCES
    assert all((repository.package() / name).exists() for name in stage.API_SOURCES)
    assert "__init__.py" in stage.API_SOURCES  # documents the definitions


def test_the_docstring_of_the_definitions_names_each() -> None:
    source = Path(absorption.__file__).read_text()
    assert [name for name in re.findall(r"``([a-z ,]+)``:", source)] == list(absorption.DEFINITIONS)

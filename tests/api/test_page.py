"""The page that ``to_html`` writes: whole in itself, with the tables' own numbers, and safe."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.api.planted_result import measured

from absorption.definitions.versions import FRACTION_UNTHRESHOLDED

pytestmark = pytest.mark.usefixtures("own_cache")


def body(html: str) -> str:
    """The page without its head."""
    return html[html.index("<body>") :]


def test_the_page_needs_no_other_file(tmp_path: Path) -> None:
    html = measured().to_html(tmp_path / "page.html").read_text()
    assert not re.findall(r"<(?:script|img|iframe)[^>]+src=|<link", html)
    assert "<svg" in body(html)
    assert html.count("<h1>") == 1


def test_the_page_shows_both_figures_and_all_five_tables(tmp_path: Path) -> None:
    html = body(measured().to_html(tmp_path / "page.html").read_text())
    assert html.count('role="img"') == 2
    assert re.sub(r"(?s)<details.*?</details>", "", html).count('class="abs-table"') == 5
    words = measured().words
    absorbed = words.loc[words["absorbed"], "word"].iloc[0]
    assert f"<td>{absorbed}</td>" in html
    assert measured().facts["sae_hash"] in html


def test_a_name_cannot_write_into_the_page(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>`*x*"
    facts = {**measured().facts, "sae": bad, "missing": bad}
    html = body(replace(measured(), facts=facts).to_html(tmp_path / "page.html").read_text())
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_figures_leave_out_the_fraction_without_thresholds_and_the_table_has_it(tmp_path: Path) -> None:
    html = body(measured().to_html(tmp_path / "page.html").read_text())
    figures, tables = html.split("<h2>Numbers</h2>")
    assert re.search(r"<text[^>]*>full absorption</text>", figures)
    assert "no thresholds" not in figures
    assert f"<td>{FRACTION_UNTHRESHOLDED}</td>" in tables
    assert "SAEBench 0.3.2" in tables

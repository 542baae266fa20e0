"""What is put on a page: escaped cells, captions, alt text, and plotly's script once at most."""

from __future__ import annotations

import importlib
import re

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from absorption.plots.show import show, show_table

module = importlib.import_module("absorption.plots.show")  # the package's ``show`` is the function
NASTY = "<script>alert('x')</script> & \"q\""


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The HTML of everything displayed, as in the book."""
    shown: list[str] = []
    monkeypatch.setattr(module, "display", lambda html: shown.append(html.data))
    monkeypatch.setenv(module.BOOK, "1")
    return shown


def _figure() -> go.Figure:
    return go.Figure(go.Bar(x=["a", NASTY], y=[1, 2]))


def test_a_figure_has_its_caption_and_its_alt_text(page: list[str]) -> None:
    show(_figure(), caption="F1 by letter, with 95% intervals.", alt="Most letters lie above .8.")
    assert "<figcaption>F1 by letter, with 95% intervals.</figcaption>" in page[0]
    assert 'role="img" aria-label="Most letters lie above .8."' in page[0]


def test_captions_alt_texts_and_labels_are_never_html(page: list[str]) -> None:
    show(_figure(), caption=NASTY, alt=NASTY)
    escaped = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;q&quot;"
    assert f"<figcaption>{escaped}</figcaption>" in page[0]
    assert f'aria-label="{escaped}"' in page[0]
    assert "<script>alert" not in page[0]


def test_the_book_loads_plotly_itself_and_a_bare_notebook_gets_it_once(
    page: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show(_figure(), caption="c", alt="a")
    monkeypatch.delenv(module.BOOK)
    monkeypatch.setattr(module, "_script_shown", False)
    show(_figure(), caption="c", alt="a")
    show(_figure(), caption="c", alt="a")
    in_book, first, second = (len(html) for html in page)
    assert first > 1_000_000
    assert max(in_book, second) < 100_000
    assert not any(re.search(r"""(src|href)=["']https?:""", html) for html in (page[0], page[2]))


def test_figures_and_tables_have_ids_of_their_own(page: list[str]) -> None:
    for _ in range(2):
        show(_figure(), caption="c", alt="a")
        show_table(pd.DataFrame({"a": [1]}), caption="c")
    ids = [identifier for html in page for identifier in re.findall(r'id="((?:figure|table)-\d+)"', html)]
    assert len(ids) == len(set(ids)) == 4
    assert all(f"getElementById('{name}')" in html for name, html in zip(ids[1::2], page[1::2], strict=True))


def test_tokens_that_look_like_html_are_shown_as_text(page: list[str]) -> None:
    show_table(pd.DataFrame({"word": ["<b>", NASTY, "</table>"], "<i>f1": [0.5, 1.0, 0.0]}), caption="<u>")
    cells = re.findall(r"<td>(.*?)</td>", page[0])
    assert cells == ["&lt;b&gt;", "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;q&quot;",
                     "&lt;/table&gt;"]  # fmt: skip
    assert "<button>&lt;i&gt;f1</button>" in page[0]
    assert "<figcaption>&lt;u&gt;</figcaption>" in page[0]
    assert page[0].count("</table>") == 1


def test_numbers_are_rounded_for_the_eye_and_sorted_by_their_value(page: list[str]) -> None:
    row = {
        "f1": [0.123456],
        "n": [31534],
        "single": np.array([0.25], dtype=np.float32),
        "none": [float("nan")],
        "on": [True],
    }
    show_table(pd.DataFrame(row), caption="c", digits=3)
    found = re.findall(r'<td(?: class="n" data-v="(.*?)")?>(.*?)</td>', page[0])
    assert found == [("0.123456", "0.123"), ("31534", "31,534"), ("0.25", "0.25"), ("nan", ""), ("", "True")]


@pytest.mark.parametrize(
    ("rows", "search", "field"), [(12, None, 0), (13, None, 1), (2, True, 1), (99, False, 0)]
)
def test_long_tables_can_be_searched(page: list[str], rows: int, search: bool | None, field: int) -> None:
    show_table(pd.DataFrame({"word": ["x"] * rows}), caption="c", search=search)
    assert page[0].count('<input type="search"') == field
    assert page[0].count("<tr>") == rows + 1

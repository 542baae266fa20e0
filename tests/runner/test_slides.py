"""Slides: every figure of a chapter with its own heading, caption and notes, and nothing that needs a network."""

import re
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from absorption.runner import slides

FIRST = """# Two

One sentence.

**This chapter shows** a rate of {glue:text}`rate:.0%`.

**It would be wrong if** it did not.

**It runs** a minute."""


def figure(number: int) -> NotebookNode:
    drawing = f'<div><svg id="d{number}"><path d="M0 0"/></svg></div>'
    caption = f"<figcaption>Caption {number}.</figcaption>"
    return new_output(
        "display_data", {"text/html": f'<figure class="abs-figure">{drawing}{caption}</figure>'}
    )


def page() -> NotebookNode:
    number = new_output("display_data", {"application/papermill.record/text/plain": "0.25"})
    number.metadata = {"scrapbook": {"name": "rate"}}
    table = new_output("display_data", {"text/html": "<table class='abs-table'></table>"})
    return new_notebook(
        cells=[
            new_markdown_cell(FIRST),
            new_code_cell("a", outputs=[number, figure(1)]),
            new_markdown_cell("It is [high](05-absorption.ipynb).\n\n## Later\n\nAnother matter."),
            new_code_cell("b", outputs=[table]),
            new_code_cell("c", outputs=[figure(2)]),
            new_markdown_cell("**Limits.** Few words."),
        ]
    )


def test_a_deck_has_the_opening_every_figure_and_the_limits_in_order() -> None:
    deck = slides.deck(page())
    assert re.findall(r"^#+ (.+)$", deck, re.MULTILINE) == [
        "Two", "This chapter shows", "It would be wrong if", "Two", "Later", "Limits",
    ]  # fmt: skip
    assert "a rate of 25%" in deck
    assert "a minute" not in deck
    assert "abs-table" not in deck
    first, second = deck.index('id="d1"'), deck.index('id="d2"')
    assert first < deck.index("Caption 1.") < deck.index("## Later") < second < deck.index("Caption 2.")


def test_the_notes_are_what_the_page_says_of_this_figure_without_links() -> None:
    (first, second) = re.findall(r"\{revealjs-notes\}\n(.+?)\n````", slides.deck(page()), re.DOTALL)
    assert first == "It is high."
    assert second == "**Limits.** Few words."


def test_decks_open_offline_and_have_their_own_scripts(tmp_path: Path) -> None:
    index = slides.build({"02-two": page()}, tmp_path / "slides")
    assert 'href="02-two.html"' in index.read_text()
    html = (tmp_path / "slides" / "02-two.html").read_text()
    assert html.count("<svg") == 2
    loaded = re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"]+)"', html)
    assert len(loaded) > 3
    for address in loaded:
        assert not address.startswith(("http", "//")), address
        assert (tmp_path / "slides" / address.split("?")[0]).exists(), address
    assert not (tmp_path / "slides" / "source").exists()


def test_a_failed_build_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slides, "CONF", "extensions = ['not_there']\n")
    with pytest.raises(slides.SlidesError, match="not_there") as caught:
        slides.build({"02-two": page()}, tmp_path / "slides")
    assert "\n" not in str(caught.value)

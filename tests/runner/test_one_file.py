"""A page as one HTML file: results and glued numbers are in it, code and foreign markup are not."""

from __future__ import annotations

import re

import nbformat
import pandas as pd
import pytest
from nbformat import NotebookNode

from absorption.plots.show import figure_html
from absorption.plots.spelling import accuracy_by_examples as beside
from absorption.runner import glued as glued_numbers
from absorption.runner.one_file import to_html


def glued(name: str, text: str) -> NotebookNode:
    data = {f"{glued_numbers.PREFIX}text/plain": text}
    metadata = {"scrapbook": {"name": name, "mime_prefix": glued_numbers.PREFIX}}
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def page(text: str, *outputs: NotebookNode) -> NotebookNode:
    code = nbformat.v4.new_code_cell("secret_code()", outputs=list(outputs))
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text), code])


def shown(html: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", data={"text/html": html, "text/plain": "plain"})


@pytest.mark.parametrize(
    ("role", "stored", "text"),
    [
        ("{glue:text}`x:.2f`", "0.123456", "0.12"),
        ("{glue:text}`x`", "'a word'", "a word"),
        ("{glue:text}`x:,`", "12345", "12,345"),
        ("{glue:text}`y`", "1", "(y was not measured)"),
    ],
)
def test_glued_numbers_stand_in_the_text(role: str, stored: str, text: str) -> None:
    assert f"<p>It is {text}.</p>" in to_html(page(f"It is {role}.", glued("x", stored)), "t")


def test_results_are_shown_and_code_is_not() -> None:
    html = to_html(page("# Title", shown("<table><tr><td>1</td></tr></table>")), "t")
    assert "<h1>Title</h1>" in html
    assert "<td>1</td>" in html
    assert "secret_code" not in html


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>"])
def test_tokens_that_are_html_are_shown_as_text(hostile: str) -> None:
    html = to_html(page(f"{hostile} and {{glue:text}}`x`", glued("x", repr(hostile))), hostile)
    assert hostile not in html
    assert html.count("&lt;") >= 3


def test_the_file_needs_nothing_else() -> None:
    figure = figure_html(beside(pd.DataFrame({"n_examples": [1], "value": [0.5], "low": [0.4], "high": [0.6]})),
                         caption="c", alt="a")  # fmt: skip
    html = to_html(page("text", shown(figure)), "t")
    assert "<svg" in html
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", html)
    without = to_html(page("text"), "t")
    assert "<script" not in without


def test_a_failed_cell_is_shown_with_its_error() -> None:
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="n_words is <b>", traceback=[])
    assert "<pre>ValueError: n_words is &lt;b&gt;</pre>" in to_html(page("x", error), "t")


def test_formulas_are_left_to_a_script_that_is_in_the_file() -> None:
    html = to_html(page("With $p_{11}$ and $p_{10} < 1$:\n\n$$ L_a(d) = *x* $$"), "t")
    assert r'<span class="math">\(p_{11}\)</span> and <span class="math">\(p_{10} &lt; 1\)</span>' in html
    assert r"\[ L_a(d) = *x* \]" in html
    assert len(html) > 1_000_000, "the script that draws formulas"
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", html)


def test_exercises_and_solutions_read_without_the_books_builder() -> None:
    exercise = "```{exercise} Absorb *by* hand\n:label: a-b\n\n*Easy.* Write $d$.\n```"
    assert "<strong>Exercise: Absorb <em>by</em> hand</strong></p>\n<p><em>Easy.</em>" in to_html(
        page(exercise), "t"
    )
    start = to_html(page("```{solution-start} a-b\n:class: dropdown\n```\n\nAt one."), "t")
    assert "<details><summary>Solution</summary>\n<p>At one.</p>" in start
    assert "<body>\n</details>\n" in to_html(page("```{solution-end}\n```"), "t")


@pytest.mark.parametrize(
    ("kind", "data", "part"),
    [
        ("image/svg+xml", '<?xml version="1.0"?>\n<svg><g/></svg>', "<figure><svg><g/></svg></figure>"),
        ("image/png", "QUJD\n", '<img alt="" src="data:image/png;base64,QUJD">'),
    ],
)
def test_an_image_is_in_the_file(kind: str, data: str, part: str) -> None:
    output = nbformat.v4.new_output("display_data", data={kind: data, "text/plain": "<Figure>"})
    html = to_html(page("x", output), "t")
    assert part in html
    assert "&lt;Figure&gt;" not in html

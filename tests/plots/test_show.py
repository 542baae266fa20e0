"""What is put on a page: escaped cells, captions, alt text, a drawing that needs no script."""

from __future__ import annotations

import importlib
import re
from base64 import b64decode
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.plots.reading import Point, panels

from absorption.plots import absorbed, latents, mediation, side_by_side, splitting, theme
from absorption.plots.show import MOST_VALUES, show, show_table, svg
from absorption.plots.theme import Drawing

module = importlib.import_module("absorption.plots.show")  # the package's ``show`` is the function
NASTY = "<script>alert('x')</script> & \"q\""


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The HTML of everything displayed, as in the book."""
    shown: list[str] = []
    monkeypatch.setattr(module, "display", lambda html: shown.append(html.data))
    monkeypatch.setenv(module.BOOK, "1")
    return shown


def _figure(name: str = NASTY) -> Drawing:
    table = pd.DataFrame({"method": ["a", name], "sae": name, "value": [1.0, 2.0], "low": 0.5, "high": 2.5})
    return mediation.edits(table)


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


def test_a_figure_is_text_and_lines_in_the_ink_of_the_page(page: list[str]) -> None:
    show(_figure("first"), caption="c", alt="a")
    drawing = page[0][page[0].index("<svg") : page[0].index("</svg>")]
    assert ">answers that become the target letter</text>" in drawing
    assert "fill: currentColor" in drawing
    assert theme.INK not in drawing
    assert "<script" not in drawing
    assert "<metadata" not in drawing
    assert not re.search(r"""(src|href)=["']https?:""", page[0])


def test_tokens_of_any_script_and_dollar_signs_are_written_as_they_are(
    page: list[str], recwarn: pytest.WarningsRecorder
) -> None:
    show(_figure("_日本 $a_b$ %"), caption="c", alt="a")
    assert page[0].count("_日本 $a_b$ %</text>") == 2, "on the axis and in the legend"
    assert not [str(warning.message) for warning in recwarn if "Glyph" in str(warning.message)]


def test_the_same_figure_gives_the_same_drawing() -> None:
    assert svg(_figure()) == svg(_figure())


def test_identifiers_of_two_figures_on_a_page_differ(page: list[str]) -> None:
    for _ in range(2):
        show(_figure(), caption="c", alt="a")
    first, second = (set(re.findall(r'<(?:path|clipPath) id="([^"]+)"', html)) for html in page)
    assert first
    assert not first & second


def test_a_figure_brings_its_values_in_a_fold_and_long_tables_are_cut(page: list[str]) -> None:
    long = pd.DataFrame({"exact": np.arange(1.0, 500.0), "estimated": 0.25, "word": "x", "latent": 3})
    show(mediation.estimates(long), caption="c", alt="a")
    fold = page[0][page[0].index("<details") : page[0].index("</details>")]
    assert fold.count("<tr>") == 1 + MOST_VALUES
    assert f"the first {MOST_VALUES} of 499" in fold
    assert '<button class="csv">' in fold
    assert '<button class="svg">' in fold


def test_the_values_of_a_figure_are_the_rows_that_it_draws() -> None:
    rates = pd.DataFrame(
        {"letter": ["a", "mean"], "definition": "x", "sae": "y", "rate": [0.1, 0.2], "low": 0.0, "high": 0.3}
    )
    assert absorbed.mean_rates(rates, "sae", "").values[0]["rate"].tolist() == [0.2]
    assert absorbed.rates_by_letter(rates).values[0]["rate"].tolist() == [0.1]


def test_values_without_an_interval_are_drawn_and_named(page: list[str]) -> None:
    table = pd.DataFrame(
        {"letter": ["a", "b"], "jump": [0.1, 0.2], "low": [0.0, np.nan], "high": [0.15, np.nan]}
    )
    show(splitting.jump_at_two(table, 0.03), caption="Jumps.", alt="a")
    assert "<figcaption>Jumps. No interval is known for B.</figcaption>" in page[0]


def test_one_row_of_several_with_the_same_index_may_lack_its_interval() -> None:
    rows = pd.DataFrame({"letter": ["a"], "value": [0.5], "low": [0.4], "high": [0.6]})
    bare = rows.assign(selection="best F1", latent=1, low=np.nan)
    assert (
        latents.probe_against_latents(rows, bare).note == "No interval is known for latent by best F1 at A."
    )


def test_an_interval_is_drawn_as_the_table_has_it_also_where_it_leaves_its_value_out() -> None:
    table = pd.DataFrame({"letter": ["a"], "jump": [0.2], "low": [0.05], "high": [0.15]})
    (panel,) = panels(splitting.jump_at_two(table, 0.03))
    assert panel.series[""] == [Point("A", 0.2, None, None, 0.05, 0.15)]


def test_many_saes_are_dots_without_names_on_a_page_of_a_readable_height() -> None:
    rows = [(f"sae {i}", "rates", f"rate {q}", i / 400 + q) for i in range(300) for q in range(4)]
    table = pd.DataFrame(rows, columns=["report", "section", "quantity", "value"])
    fig = side_by_side.one_section(table.assign(sae=table["report"], low=0.0, high=9.0), "rates")
    (panel,) = panels(fig)
    assert sorted((mark.y, mark.x) for mark in panel.series[""]) == sorted((q, v) for *_, q, v in rows)
    assert len({round(y, 9) for _, y in np.asarray(fig.figure.axes[0].collections[0].get_offsets())}) == 1200
    assert fig.note == "300 reports, a dot each; their intervals are in the tables, not drawn."
    assert fig.figure.get_size_inches()[1] < 4
    few = side_by_side.one_section(
        table[table["report"].isin(["sae 1", "sae 2"])].assign(sae="x", low=0.0, high=9.0), "rates"
    )
    assert set(panels(few)[0].series) == {"sae 1", "sae 2"}


def test_an_empty_table_draws_a_frame_that_says_why(page: list[str]) -> None:
    empty = pd.DataFrame({"letter": [], "jump": [], "low": [], "high": []})
    show(splitting.jump_at_two(empty, 0.03), caption="c", alt="a")
    assert "There is nothing to draw" in page[0]


def test_outside_the_book_a_figure_is_a_picture_that_any_preview_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(module, "display", lambda what, **_: shown.append(what))
    monkeypatch.delenv(module.BOOK, raising=False)
    show(_figure(), caption=NASTY, alt="a")
    assert b64decode(shown[0]["image/png"])[1:4] == b"PNG"
    assert "<button class=" not in shown[1].data, "nothing there would answer them"
    assert shown[0]["text/plain"] == "a"
    assert "<script>alert" not in shown[1].data


def test_figures_and_tables_have_ids_of_their_own(page: list[str]) -> None:
    for _ in range(2):
        show(_figure(), caption="c", alt="a")
        show_table(pd.DataFrame({"a": [1]}), caption="c")
    ids = [identifier for html in page for identifier in re.findall(r'id="((?:figure|table)-\d+)"', html)]
    assert len(ids) == len(set(ids)) == 6  # two figures with a table each, two tables
    assert all(f"getElementById('{name}')" in "".join(page) for name in ids)


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

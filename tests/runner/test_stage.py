"""Staging and building the book: offline, at the right paths, and never from half of the pages."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from absorption.base import repository
from absorption.plots.show import figure_html
from absorption.plots.spelling import accuracy_by_examples
from absorption.runner import stage

FIGURE, PLAIN = "notebooks/1-figure", "notebooks/2-plain"
METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
NOT_LOADED = ("index", "search", "next", "prev", "canonical", "author")
"""Kinds of links in a page's head that a browser does not follow."""
INTRO = """# A tiny book

Cites {cite:p}`chanin2024absorption`, shows $x^2$ and the [figure](../notebooks/1-figure.ipynb).
"""
REFERENCES = """# References

```{bibliography}
```
"""


def tiny_book(root: Path, intro: str = INTRO, address: str = "") -> Path:
    """A source tree with this book's configuration and four small pages."""
    (root / "book").mkdir(parents=True)
    shutil.copytree(repository.root() / "book" / "_static", root / "book" / "_static")
    shutil.copy(repository.root() / "book" / "references.bib", root / "book")
    config = yaml.safe_load((repository.root() / "_config.yml").read_text())
    config["repository"]["url"] = address
    (root / "_config.yml").write_text(yaml.safe_dump(config))
    pages = [{"file": page} for page in (FIGURE, PLAIN, "book/references")]
    toc = {"format": "jb-book", "root": "book/intro", "parts": [{"caption": "All", "chapters": pages}]}
    (root / "_toc.yml").write_text(yaml.safe_dump(toc))
    (root / "book" / "intro.md").write_text(intro)
    (root / "book" / "references.md").write_text(REFERENCES)
    return root


def executed_notebooks(folder: Path) -> Path:
    """Two executed notebooks, one with a figure, at their source paths."""
    table = pd.DataFrame({"n_examples": [1, 3], "value": [0.5, 0.6], "low": [0.4, 0.5], "high": [0.6, 0.7]})
    figure = figure_html(accuracy_by_examples(table), caption="Accuracy.", alt="It rises.")
    outputs = {FIGURE: {"text/html": figure}, PLAIN: {"text/plain": "forty-two words"}}
    for page, data in outputs.items():
        cells = [
            new_markdown_cell(f"# {page}", id="title"),
            new_code_cell("show()", execution_count=1, outputs=[new_output("display_data", data)], id="cell"),
        ]
        notebook = new_notebook(cells=cells, metadata=METADATA)
        path = folder / f"{page}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
    return folder


class References(HTMLParser):
    """Collects what a page loads, what it links to, and its inline scripts."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.inline: list[str] = []
        self._in_script = False
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_script = tag == "script"
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed") and given.get("src"):
            self.loaded.append(given["src"])
        if tag == "link" and given.get("rel") not in NOT_LOADED:
            self.loaded.append(given.get("href", ""))
        if tag == "a":
            self.links.append(given.get("href", ""))

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The HTML folder of the tiny book, no repository address set."""
    folder = tmp_path_factory.mktemp("book")
    root = tiny_book(folder / "root")
    index = stage.build_book(executed_notebooks(folder / "executed"), folder / "out", root)
    assert index == folder / "out" / "html" / "index.html"
    return index.parent


def pages(html: Path) -> list[Path]:
    """The book's pages; the theme keeps a template among its static files."""
    return sorted(path for path in html.rglob("*.html") if "_static" not in path.parts)


def test_the_book_opens_at_its_first_page_and_shows_executed_outputs(built: Path) -> None:
    assert "book/intro.html" in (built / "index.html").read_text()
    assert "forty-two words" in (built / f"{PLAIN}.html").read_text()
    assert 'class="abs-drawing"' in (built / f"{FIGURE}.html").read_text()


def test_no_page_loads_anything_from_another_place(built: Path) -> None:
    assert {f"{FIGURE}.html", f"{PLAIN}.html", "book/intro.html", "index.html"} <= {
        str(page.relative_to(built)) for page in pages(built)
    }
    for page in pages(built):
        loaded = References(page).loaded
        if page.name != "index.html":  # sends its reader on to the first page
            assert any(address.endswith(".js") for address in loaded), page.name
            assert any(".css" in address for address in loaded), page.name
        for address in loaded:
            assert not re.match(r"(https?:)?//", address), f"{page.name} loads {address}"
            target = page.parent / re.sub(r"[?#].*", "", address)
            assert target.exists(), f"{page.name} loads {address}, which is not in the book"


def test_no_inline_script_names_another_place(built: Path) -> None:
    assert any("button.svg" in script for script in References(built / f"{FIGURE}.html").inline)
    for page in pages(built):
        for script in References(page).inline:
            found = re.findall(r"https?://(?!www\.w3\.org/)[^\s\"'`]+", script)
            assert not found, f"a script in {page.name} names {found}"


def test_no_style_sheet_loads_anything_from_another_place(built: Path) -> None:
    sheets = list(built.rglob("*.css"))
    assert any("@import" in sheet.read_text() or "url(" in sheet.read_text() for sheet in sheets)
    for sheet in sheets:
        found = re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^\"')]+", sheet.read_text())
        assert not found, f"{sheet.name} loads {found}"


def test_formulas_are_drawn_by_the_vendored_mathjax_without_its_menu(built: Path) -> None:
    intro = (built / "book" / "intro.html").read_text()
    assert "_static/mathjax/tex-svg.js" in intro
    assert '"enableMenu": false' in intro
    assert (built / "_static" / "mathjax" / "LICENSE").exists()


def test_code_is_folded_on_the_page_and_the_executed_notebook_stays_as_it_is(
    built: Path, tmp_path: Path
) -> None:
    for page in (FIGURE, PLAIN):
        html = (built / f"{page}.html").read_text()
        assert html.count('<details class="admonition hide above-input"') == 1
        assert html.index("<summary") < html.index("show</span>")  # the cell's code lies in the fold
    executed = executed_notebooks(tmp_path / "executed")
    before = {path: path.read_bytes() for path in executed.rglob("*.ipynb")}
    staged = stage.stage(tiny_book(tmp_path / "root"), executed, tmp_path / "staged")
    assert {path: path.read_bytes() for path in executed.rglob("*.ipynb")} == before
    cells = nbformat.read(staged / f"{PLAIN}.ipynb", as_version=4).cells
    assert [cell.metadata.get("tags") for cell in cells] == [None, [stage.FOLDED]]


def test_a_cell_in_which_a_reader_writes_is_not_folded(tmp_path: Path) -> None:
    executed = executed_notebooks(tmp_path / "executed")
    page = executed / f"{PLAIN}.ipynb"
    notebook = nbformat.read(page, as_version=4)
    notebook.cells.append(new_code_cell("check(None)", metadata={"tags": ["exercise"]}))
    nbformat.write(notebook, page)
    staged = stage.stage(tiny_book(tmp_path / "root"), executed, tmp_path / "staged")
    cells = nbformat.read(staged / f"{PLAIN}.ipynb", as_version=4).cells
    assert [cell.metadata.get("tags") for cell in cells] == [None, [stage.FOLDED], ["exercise"]]


def test_folded_code_is_open_on_paper(built: Path) -> None:
    assert "beforeprint" in (built / "_static" / "print.js").read_text()
    for page in set(pages(built)) - {built / "index.html"}:  # which only leads on
        assert re.search(r'<script src="[^"]*_static/print\.js', page.read_text()), page


def test_a_figure_is_a_drawing_in_the_page_that_needs_no_script(built: Path) -> None:
    figure = (built / f"{FIGURE}.html").read_text()
    assert re.search(r'<div class="abs-drawing" role="img" aria-label="It rises."><svg', figure)
    assert ">in-context examples</text>" in figure
    assert "<svg" not in (built / f"{PLAIN}.html").read_text().split("<article")[1].split("</article>")[0]


def test_links_between_pages_lead_somewhere(built: Path) -> None:
    assert f"../{FIGURE}.html" in References(built / "book" / "intro.html").links
    for page in pages(built):
        for address in References(page).links:
            path = re.sub(r"[?#].*", "", address)
            if path and not re.match(r"[a-z]+:", path):
                assert (page.parent / path).exists(), f"{page.name} links to {address}"


def test_without_a_repository_address_there_are_no_launch_or_edit_links(built: Path) -> None:
    text = (built / f"{FIGURE}.html").read_text()
    assert "/edit/" not in text
    assert "mybinder.org" not in text
    assert "executablebooks" not in text


def test_with_a_repository_address_the_links_point_to_the_source_notebook(tmp_path: Path) -> None:
    root = tiny_book(tmp_path / "root", address="https://github.com/owner/name")
    html = stage.build_book(executed_notebooks(tmp_path / "executed"), tmp_path / "out", root).parent
    links = References(html / f"{FIGURE}.html").links
    assert f"https://github.com/owner/name/edit/main/{FIGURE}.ipynb" in links
    assert any(link.startswith("https://mybinder.org/v2/gh/owner/name/main") for link in links)


def test_a_warning_fails_the_build_in_two_lines_and_keeps_the_earlier_book(tmp_path: Path) -> None:
    earlier = tmp_path / "out" / "html" / "index.html"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("the earlier book")
    root = tiny_book(tmp_path / "root", intro=INTRO + "\n{term}`no such term`\n")
    with pytest.raises(stage.BookError) as caught:
        stage.build_book(executed_notebooks(tmp_path / "executed"), tmp_path / "out", root)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "no such term" in lines[0]
    assert lines[0].startswith("book/intro.md:")
    assert "book.log" in lines[1]
    assert earlier.read_text() == "the earlier book"


def test_a_chapter_that_was_not_executed_stops_the_build_before_it_begins(tmp_path: Path) -> None:
    root = tiny_book(tmp_path / "root")
    executed = executed_notebooks(tmp_path / "executed")
    (executed / f"{PLAIN}.ipynb").unlink()
    with pytest.raises(stage.BookError, match=PLAIN):
        stage.build_book(executed, tmp_path / "out", root)
    assert not (tmp_path / "out" / "html").exists()


def test_an_unchanged_book_is_not_built_again_and_a_changed_one_is(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = built.parents[1]

    def no_build(*_: object) -> Path:
        raise AssertionError("built again")

    monkeypatch.setattr(stage, "_run_jupyter_book", no_build)
    assert stage.build_book(folder / "executed", folder / "out", folder / "root") == built / "index.html"
    changed = tiny_book(folder / "changed", intro="# Another title\n")
    with pytest.raises(AssertionError, match="built again"):
        stage.build_book(folder / "executed", folder / "out", changed)


def test_pages_are_listed_in_reading_order(tmp_path: Path) -> None:
    assert stage.toc_pages(tiny_book(tmp_path)) == ["book/intro", FIGURE, PLAIN, "book/references"]


def test_the_one_setting_switches_every_button() -> None:
    config = {"repository": {"url": ""}, "launch_buttons": {"binderhub_url": "b"}, "html": {"favicon": "f"}}
    off = stage.staged_config({**config})
    assert "launch_buttons" not in off
    assert off["html"] == {"favicon": "f", **dict.fromkeys(stage.BUTTONS, False)}
    on = stage.staged_config({**config, "repository": {"url": "https://github.com/owner/name"}})
    assert on["launch_buttons"] == {"binderhub_url": "b"}
    assert on["html"] == {"favicon": "f", **dict.fromkeys(stage.BUTTONS, True)}

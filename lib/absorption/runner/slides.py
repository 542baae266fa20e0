"""Slides of every chapter, made from its executed page: what it shows, each figure with its caption, its limits.

Reveal.js by sphinx-revealjs, all scripts in the folder: they open from a file, without a network. What the page says
after a figure stands in the speaker's notes (key S).
"""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from nbformat import NotebookNode

from absorption.runner import clean, glued

OPENING = ("This chapter shows", "It would be wrong if")
"""Paragraphs of a chapter's first cell that become slides of their own."""
LIMITS = "Limits."
CONF = """project = "Slides"
extensions = ["myst_parser", "sphinx_revealjs"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
html_static_path = ["_static"]
revealjs_static_path = ["_static"]
revealjs_css_files = ["slides.css"]
revealjs_style_theme = "simple"
revealjs_script_conf = {"controls": True, "progress": True, "hash": True, "width": 1280, "height": 800, "margin": 0.04}
revealjs_script_plugins = [{"src": "revealjs/plugin/notes/notes.js", "name": "RevealNotes"}]
suppress_warnings = ["myst.header", "myst.xref_missing", "app.add_directive"]
"""
CSS = """.reveal{font-size:30px}.reveal h1{font-size:1.9em}.reveal h2{font-size:1.2em;margin-bottom:.4em}
.reveal p{text-align:left;line-height:1.35}.reveal figure{margin:0;text-align:center}
.reveal figure svg{max-height:560px;max-width:100%;width:auto;height:560px}
.reveal figcaption{font-size:.6em;opacity:.8;max-width:60em;margin:.3em auto 0;text-align:left}
"""
_SVG = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
_CAPTION = re.compile(r"<figcaption>(.*?)</figcaption>", re.DOTALL)
_HEADING = re.compile(r"^#{2,} +(.+)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_ROLE = re.compile(r"\{[a-z:]+\}`([^`]*)`")


class SlidesError(RuntimeError):
    """The slides could not be built; one line says why."""


def deck(page: NotebookNode) -> str:
    """A chapter's slides as MyST for sphinx-revealjs.

    Args:
        page: the executed chapter; numbers in its text are filled in from what its cells glued.
    """
    made = copy.deepcopy(page)
    glued.fill(made)
    first = next(cell.source for cell in made.cells if cell.cell_type == "markdown")
    paragraphs = [_plain(part) for part in first.split("\n\n")]
    blocks = [f"# {clean.title(made)}", *(part for part in paragraphs[1:2] if not part.startswith("**"))]
    for opening in OPENING:
        for part in paragraphs:
            if part.startswith(f"**{opening}**"):
                blocks += [f"## {opening}", part.removeprefix(f"**{opening}**").strip()]
    for heading, drawing, caption, said in _figures(made):
        figure = f"<figure>{drawing}<figcaption>{caption}</figcaption></figure>"
        blocks += [f"## {heading}", f"````{{raw}} html\n{figure}\n````"]
        if said:
            blocks.append(f"````{{revealjs-notes}}\n{said}\n````")
    blocks += [f"## Limits\n\n{text}" for text in _limits(made)]
    return "\n\n".join(blocks) + "\n"


def _figures(page: NotebookNode) -> Iterator[tuple[str, str, str, str]]:
    """Heading, drawing, caption and what the page says next, of every figure."""
    heading, cells = clean.title(page), page.cells
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            heading = next(reversed(_HEADING.findall(cell.source)), heading)
            continue
        for output in cell.get("outputs", []):
            html = "".join(output.get("data", {}).get("text/html", ""))
            drawing, caption = _SVG.search(html), _CAPTION.search(html)
            if drawing and "abs-figure" in html:
                said = next((part.source for part in cells[place + 1 :] if part.cell_type == "markdown"), "")
                own = _HEADING.split(said)[0]  # up to the next heading: what follows is about something else
                yield _plain(heading), drawing[0], caption[1] if caption else "", _plain(own.strip())


def _limits(page: NotebookNode) -> list[str]:
    return [
        _plain(cell.source.split(f"**{LIMITS}**")[1].strip())
        for cell in page.cells
        if cell.cell_type == "markdown" and f"**{LIMITS}**" in cell.source
    ][:1]


def without_links(text: str) -> str:
    """A page's text without links to other pages."""
    return _LINK.sub(r"\1", text)


def _plain(text: str) -> str:
    """Without links to pages that are not in the slides, and without roles."""
    return _ROLE.sub(r"\1", without_links(text))


def build(chapters: Mapping[str, NotebookNode], folder: Path) -> Path:
    """Write one deck a chapter and an index into ``folder``; returns the index.

    Raises:
        SlidesError: sphinx-revealjs failed.
    """
    source = folder / "source"
    (source / "_static").mkdir(parents=True)
    (source / "conf.py").write_text(CONF, encoding="utf-8")
    (source / "_static" / "slides.css").write_text(CSS, encoding="utf-8")
    for name, page in chapters.items():
        (source / f"{name}.md").write_text(deck(page), encoding="utf-8")
    links = "\n".join(f"- [{clean.title(page)}]({name}.md)" for name, page in chapters.items())
    toc = "\n".join(["```{toctree}", ":hidden:", *chapters, "```"])
    (source / "index.md").write_text(f"# Slides\n\n{links}\n\n{toc}\n", encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "revealjs", str(source), str(folder / "html")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        last = (run.stderr or run.stdout).strip().splitlines()[-1:]
        raise SlidesError(f"the slides could not be built: {''.join(last)}")
    for path in (folder / "html").iterdir():
        if path.name != ".doctrees":
            shutil.move(path, folder / path.name)
    shutil.rmtree(folder / "html")
    shutil.rmtree(source)
    return folder / "index.html"

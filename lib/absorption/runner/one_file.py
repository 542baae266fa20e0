"""An executed notebook as one HTML file that needs nothing else: no script, style or font from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from nbformat import NotebookNode

from absorption.base import repository
from absorption.runner import glued, stamp

MATH = re.compile(r"\$\$(.+?)\$\$|\$([^\s$](?:[^$\n]*[^\s$])?)\$", re.DOTALL)
DIRECTIVE = re.compile(
    r"^(```+)\{([a-z-]+)\} *([^\n]*)\n((?::[a-z]+:[^\n]*\n)*)\n*(.*?)^\1 *$", re.DOTALL | re.MULTILINE
)
"""What only the book's builder knows: fences, name, title, options, text."""
FORMULA = '<span class="math">'
IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
STYLE = """body{font:16px/1.55 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
h1,h2{line-height:1.25}code{background:#f2f2f2;padding:.1em .3em;border-radius:3px}table{border-collapse:collapse}
th,td{padding:.2rem .6rem;text-align:left}.abs-scroll{overflow:auto;max-height:32rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
dt{font-weight:600}dd{margin:0 0 .4rem 0}blockquote{border-left:4px solid #d55e00;margin:0;padding:.1rem 1rem}"""


def to_html(page: NotebookNode, title: str) -> str:
    """The page's text and results, without its code.

    Args:
        page: executed by the runner with ``plots.show.BOOK`` set, so that its figures are drawings.
        title: of the file; escaped.
    """
    known = glued.values(page)
    body = "\n".join(part for cell in page.cells for part in _cell(cell, known))
    scripts = _mathjax() if FORMULA in body else []
    script = "".join(f"<script>{text}</script>" for text in scripts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>{script}</head><body>\n{body}\n</body></html>\n"
    )


def _mathjax() -> list[str]:
    """The script that the book ships, without its menu, which would fetch from elsewhere."""
    script = repository.root() / "book" / "_static" / "mathjax" / "tex-svg.js"
    return ["MathJax={options:{enableMenu:false}}", script.read_text(encoding="utf-8")]


def _cell(cell: NotebookNode, known: dict[str, Any]) -> list[str]:
    if cell.cell_type == "markdown":
        is_ours = cell.get("id") == stamp.CELL_ID  # the runner's own HTML, escaped where it was made
        return [cell.source if is_ours else _markdown(cell.source, known)]
    return [shown for output in cell.get("outputs", []) if (shown := _output(output))]


def _markdown(source: str, known: dict[str, Any]) -> str:
    """Rendered with HTML switched off; what the renderer must not read is held and put in afterwards."""
    held: list[str] = []

    def hold(html: str) -> str:
        held.append(html)
        return f"\ue000{len(held) - 1}\ue001"

    def formula(match: re.Match[str]) -> str:
        text = f"\\[{match[1]}\\]" if match[1] else f"\\({match[2]}\\)"
        return hold(f"{FORMULA}{escape(text)}</span>")

    text = glued.replace(source, known, lambda text: hold(escape(text)))
    text = MATH.sub(formula, DIRECTIVE.sub(lambda match: _directive(match, hold), text))
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    shown = re.sub("\ue000(\\d+)\ue001", lambda match: held[int(match[1])], html)
    return re.sub("<p>(</?details.*?)</p>", r"\1", shown)


def _directive(match: re.Match[str], hold: Callable[[str], str]) -> str:
    """An exercise under its title; a solution that opens on a click, from its start to its end."""
    name, title, text = match[2], match[3], match[5]
    if name == "solution-start":
        return hold("<details><summary>Solution</summary>")
    if name == "solution-end":
        return hold("</details>")
    return f"**{f'{name.capitalize()}: {title}'.removesuffix(': ')}**\n\n{text}"


def _output(output: NotebookNode) -> str:
    if output.output_type == "error":
        return f"<pre>{escape(output.ename)}: {escape(output.evalue)}</pre>"
    if output.output_type == "stream":
        return f"<pre>{escape(output.text)}</pre>"
    data = output.get("data", {})
    if "scrapbook" in output.get("metadata", {}):
        return ""
    if "text/html" in data:
        return data["text/html"]
    if found := [kind for kind in IMAGES if kind in data]:
        return _image(found[0], data[found[0]])
    return f"<pre>{escape(data['text/plain'])}</pre>" if "text/plain" in data else ""


def _image(kind: str, data: str) -> str:
    if kind == "image/svg+xml":
        return f"<figure>{data[data.index('<svg') :]}</figure>"
    return f'<img alt="" src="data:{kind};base64,{data.strip()}">'

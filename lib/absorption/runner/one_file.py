"""An executed notebook as one HTML file that needs nothing else: no script, style or font from elsewhere."""

from __future__ import annotations

import ast
import re
from html import escape
from importlib import resources
from typing import Any

from markdown_it import MarkdownIt
from nbformat import NotebookNode

from absorption.runner import stamp

GLUE = re.compile(r"\{glue:text\}`([^`:]+)(?::([^`]*))?`")
PREFIX = "application/papermill.record/"
"""How glue marks an output that is kept, not shown."""
STYLE = """body{font:16px/1.55 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
h1,h2{line-height:1.25}code{background:#f2f2f2;padding:.1em .3em;border-radius:3px}table{border-collapse:collapse}
th,td{padding:.2rem .6rem;text-align:left}.abs-scroll{overflow:auto;max-height:32rem}pre{overflow:auto}
dt{font-weight:600}dd{margin:0 0 .4rem 0}blockquote{border-left:4px solid #d55e00;margin:0;padding:.1rem 1rem}"""


def to_html(page: NotebookNode, title: str) -> str:
    """The page's text and results, without its code.

    Args:
        page: executed by the runner with ``plots.show.BOOK`` set, so that no figure brings plotly's script.
        title: of the file; escaped.
    """
    glued = glue_values(page)
    body = "\n".join(part for cell in page.cells for part in _cell(cell, glued))
    script = f"<script>{_plotly()}</script>" if "Plotly.newPlot" in body else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>{script}</head><body>\n{body}\n</body></html>\n"
    )


def _plotly() -> str:
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def glue_values(page: NotebookNode) -> dict[str, Any]:
    """What the cells glued, by name."""
    found: dict[str, Any] = {}
    for cell in page.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name:
                text = output["data"].get(f"{PREFIX}text/plain", output["data"].get("text/plain", ""))
                found[name] = _literal(text)
    return found


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _cell(cell: NotebookNode, glued: dict[str, Any]) -> list[str]:
    if cell.cell_type == "markdown":
        is_ours = cell.get("id") == stamp.CELL_ID  # the runner's own HTML, escaped where it was made
        return [cell.source if is_ours else _markdown(cell.source, glued)]
    return [shown for output in cell.get("outputs", []) if (shown := _output(output))]


def _markdown(source: str, glued: dict[str, Any]) -> str:
    """Rendered with HTML switched off; glued values are put in afterwards, as text."""
    values: list[str] = []

    def hold(match: re.Match[str]) -> str:
        value = glued.get(match[1], f"({match[1]} was not measured)")
        try:
            values.append(format(value, match[2] or ""))
        except (ValueError, TypeError):
            values.append(str(value))
        return f"\ue000{len(values) - 1}\ue001"

    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(GLUE.sub(hold, source))
    return re.sub("\ue000(\\d+)\ue001", lambda match: escape(values[int(match[1])]), html)


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
    return f"<pre>{escape(data['text/plain'])}</pre>" if "text/plain" in data else ""

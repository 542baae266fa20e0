"""Numbers that a notebook's cells glue, and the places in its text that show them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

from nbformat import NotebookNode

ROLE = re.compile(r"\{glue:text\}`([^`:]+)(?::([^`:]*))?`")
"""A place in the text: the number's name and, after a colon, its format. Other pages' (``path::name``) are left."""
PREFIX = "application/papermill.record/"
"""How glue marks an output that is kept, not shown."""
_MEANT = {sign: f"&#{ord(sign)};" for sign in "\\`*_<>|$&~{}"}
"""Signs that Markdown would read, as what stands for them: a word may hold any."""


def values(page: NotebookNode) -> dict[str, Any]:
    """What the cells of an executed page glued, by name."""
    found: dict[str, Any] = {}
    for cell in page.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name:
                text = output["data"].get(f"{PREFIX}text/plain", output["data"].get("text/plain", ""))
                found[name] = _literal(text)
    return found


def replace(source: str, known: Mapping[str, Any], show: Callable[[str], str]) -> str:
    """A cell's text with each number in its place, as the book shows it.

    Args:
        source: Markdown.
        known: what ``values`` found; a name that is not there is marked as not measured.
        show: makes what stands in the text of the number's own text.
    """
    return ROLE.sub(lambda place: show(_text(known, place[1], place[2] or "")), source)


def fill(page: NotebookNode) -> None:
    """Write the numbers into an executed page, in place, so that it reads the same without the book."""
    known = values(page)
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = replace(cell.source, known, _as_markdown)


def _text(known: Mapping[str, Any], name: str, form: str) -> str:
    if name not in known:
        return f"({name} was not measured)"
    value = known[name]
    try:
        return format(value, form)
    except (ValueError, TypeError):
        return str(value)


def _as_markdown(text: str) -> str:
    return "".join(_MEANT.get(sign, sign) for sign in text).replace("](", "]&#40;")


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text

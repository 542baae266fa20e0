"""Sphinx extension: load the vendored plotly script on the pages that show a figure, and only there."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

PLOTLY_SCRIPT = "plotly.min.js"
"""File name within the book's static folder; ``stage`` copies it there from the plotly package."""


def add_plotly(app: Sphinx, _pagename: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Add the script to a page's head if its body draws a figure.

    The figures' own scripts run while the body is read, so this one must not be deferred.
    """
    if "Plotly.newPlot" in context.get("body", ""):
        app.add_js_file(PLOTLY_SCRIPT)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("html-page-context", add_plotly)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

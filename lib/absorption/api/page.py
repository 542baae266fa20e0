"""A result as one HTML page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pandas as pd

from absorption.base import cache
from absorption.definitions.versions import FRACTION_UNTHRESHOLDED, SOURCES
from absorption.plots import absorbed
from absorption.plots.show import figure_html, table_html
from absorption.runner import one_file

if TYPE_CHECKING:
    from absorption.api.result import Result

SHOWN = 300
"""Rows shown of the words: the absorbed ones come first."""
WARNING = (
    "SAEBench advises against reading absorption scores off models under a billion parameters and SAEs under 16k "
    "latents. A low rate of an SAE that is trained too little, or whose main latents miss the letter altogether, is no "
    "success."
)


def write_page(result: Result, path: Path) -> Path:
    """Write the page; see ``Result.to_html``."""
    title = f"Absorption: {result.facts['sae']}"
    cells = [_text(f"# {_safe(title)}"), _text(_about(result.facts)), *_figures(result), *_tables(result)]
    page = nbformat.v4.new_notebook(cells=[*cells, _text(WARNING)])
    cache.write_text(path, one_file.to_html(page, title))
    return path


def _about(facts: dict[str, Any]) -> str:
    missing = f" Not measured, and why: {_safe(facts['missing'])}." if facts["missing"] else ""
    return (
        f"The SAE has {facts['d_sae']:,} latents and reads {_safe(facts['hook_name'])} of {_safe(facts['model'])}. At "
        f"the words of the spelling prompts {facts['l0_words']:.0f} of them are on. {facts['n_words']:,} words, a "
        f"fifth of them test words; {len(facts['letters_judged'])} letters are probed well enough to be judged, and "
        f"{len(facts['letters_valid'])} of these count for a mean. Probe: {_safe(facts['probe'])}.{missing}"
    )


def _figures(result: Result) -> list[Any]:
    """Without the fraction that has no thresholds: beside its null, which is large, nothing else could be seen."""
    drawn = result.rates[result.rates["definition"] != FRACTION_UNTHRESHOLDED]
    if drawn.empty:
        return []
    mean = absorbed.mean_rates(drawn.assign(sae=result.facts["sae"]), "sae", "")
    letters = absorbed.rates_by_letter(drawn)
    grey = "Grey: the null, and 95% of its directions."
    return [
        _text("## Rates"),
        _html(
            figure_html(
                mean,
                caption=f"Mean over the letters that count, with 95% bootstrap intervals over words. {grey}",
                alt="Dots with intervals: the mean rate under each definition, with its null in grey.",
            )
        ),
        _html(
            figure_html(
                letters,
                caption=f"Letter by letter, whether or not it counts, with 95% intervals over words. {grey}",
                alt="Dots with intervals: one column a letter, one colour a definition.",
            )
        ),
    ]


def _tables(result: Result) -> list[Any]:
    words = result.words.sort_values("absorbed", ascending=False, kind="stable").drop(columns="token_id")
    facts = {name: value for name, value in result.facts.items() if name != "sae_configuration"}
    facts["definitions"] = {name: SOURCES[name] for name in facts["definitions"]}
    shown = {
        "The same rates in numbers; the rows called mean are over the letters that count.": result.rates.drop(
            columns="source"
        ),
        "Full absorption by when a letter's main latents count as silent; the rates above have the first rule.": (
            result.silences
        ),
        "The letters' main latents, the most important first, and the words on which each is strongest.": (
            result.latents
        ),
        f"Words that the probe gets, the absorbed ones first; at most {SHOWN}.": words.head(SHOWN),
        "What these numbers rest on.": _one_column(facts),
    }
    headings = (
        "## Numbers",
        "## When is a main latent silent?",
        "## Main latents",
        "## Words",
        "## How this was made",
    )
    found: list[Any] = []
    for heading, (caption, table) in zip(headings, shown.items(), strict=True):
        found += [_text(heading), _html(table_html(table, caption=caption))]
    return found


def _one_column(facts: dict[str, Any]) -> pd.DataFrame:
    rows = [(name, str(value)) for name, value in facts.items()]
    return pd.DataFrame(rows, columns=["what", "value"])


def _text(markdown: str) -> Any:
    return nbformat.v4.new_markdown_cell(markdown)


def _html(html: str) -> Any:
    output = nbformat.v4.new_output("display_data", data={"text/html": html})
    return nbformat.v4.new_code_cell(outputs=[output])


def _safe(text: str) -> str:
    """A name as Markdown that says just this, whatever is in it."""
    return f"`{text.replace('`', ' ')}`"

"""Put figures and tables on a page: caption, alt text, values, search, and nothing fetched from elsewhere."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from itertools import count

import pandas as pd
from IPython.display import HTML, display

from absorption.plots import theme
from absorption.plots.theme import Drawing

BOOK = "ABSORPTION_BOOK"
"""Set by the runner: figures are drawings in the page; elsewhere they are pictures, which every preview shows."""
MOST_VALUES = 400
"""Rows of a figure's table that its page holds."""
KINDS = ("svg", "png", "pdf")
"""Files that ``save`` writes."""
PICTURE_DPI = 200
_numbers = count(1)

_SAVE_SCRIPT = """<script>(function(box){
function save(name,kind,text){var a=document.createElement('a');a.download=name;
a.href=URL.createObjectURL(new Blob([text],{type:kind}));a.click();}
function cell(c){var t=c.dataset.v!==undefined?c.dataset.v:c.textContent;
if(c.dataset.v===undefined&&/^[=+@\\t\\r-]/.test(t))t="'"+t;return /[",\\n]/.test(t)?'"'+t.replace(/"/g,'""')+'"':t;}
box.querySelector('button.svg').addEventListener('click',function(){var s=box.querySelector('svg').cloneNode(true);
s.style.color='INK';s.style.background='white';
save('ID.svg','image/svg+xml',new XMLSerializer().serializeToString(s));});
box.querySelectorAll('button.csv').forEach(function(b){b.addEventListener('click',function(){
var rows=[...b.closest('.abs-part').querySelectorAll('tr')].map(function(r){return [...r.cells].map(cell).join(',');});
save('ID.csv','text/csv',rows.join('\\n')+'\\n');});});
})(document.getElementById('ID'));</script>"""
_TABLE_SCRIPT = """<script>(function(box){
var input=box.querySelector('input'),rows=[...box.querySelectorAll('tbody tr')],said=box.querySelector('output');
function find(){var q=input?input.value.toLowerCase():'',n=0;
rows.forEach(function(r){var hit=r.textContent.toLowerCase().includes(q);if(hit)n++;r.hidden=!hit;});
if(said)said.textContent=n+' of '+rows.length+' rows';}
if(input){input.addEventListener('input',find);find();}
box.querySelectorAll('th button').forEach(function(b,i){var up=false;b.addEventListener('click',function(){up=!up;
function key(r){var c=r.cells[i];return c.dataset.v!==undefined?+c.dataset.v:c.textContent;}
rows.sort(function(a,b){var x=key(a),y=key(b);return (x<y?-1:x>y?1:0)*(up?1:-1);});
var body=box.querySelector('tbody');rows.forEach(function(r){body.appendChild(r);});});});
})(document.getElementById('ID'));</script>"""
_TABLE_STYLE = """<style>.abs-table{margin:1rem 0}.abs-scroll{overflow:auto;max-height:26rem;max-width:100%}
.abs-table table{border-collapse:collapse;font-size:.85rem;width:100%;margin:0}
.abs-table th,.abs-table td{padding:.25rem .55rem;text-align:left;border-bottom:1px solid rgba(128,128,128,.25);
vertical-align:top}.abs-table td.n{text-align:right;font-variant-numeric:tabular-nums}
.abs-table thead th{position:sticky;top:0;background:var(--pst-color-background,#fff)}
.abs-table th button{all:unset;cursor:pointer;font-weight:600}.abs-table th button:focus-visible{outline:2px solid}
.abs-table input{max-width:100%;padding:.3rem .5rem;margin-right:.6rem}
figure.abs-figure{margin:1.2rem 0;max-width:100%}
.abs-drawing svg{display:block;width:100%;max-width:38rem;height:auto;background:none}
.abs-values{font-size:.9rem;margin-top:.3rem}.abs-values summary{cursor:pointer;opacity:.85}
.abs-values button{font:inherit;padding:.1rem .5rem;margin-right:.4rem;cursor:pointer}
@media print{.abs-values{display:none}figure.abs-figure{break-inside:avoid}}
figure.abs-figure figcaption,.abs-table figcaption{font-size:.9rem;
opacity:.85;margin-top:.4rem}</style>"""


def show(fig: Drawing, *, caption: str, alt: str) -> None:
    """Display a figure with a caption under it, alt text for screen readers, and its values in a fold.

    Args:
        fig: from one of the plotting functions.
        caption: what is drawn, with units and intervals named.
        alt: what a reader who cannot see it should know.
    """
    if os.environ.get(BOOK):
        display(HTML(figure_html(fig, caption=caption, alt=alt)))
        return
    picture = {"image/png": b64encode(save(fig, "png")).decode(), "text/plain": alt}
    display(picture, raw=True, metadata={"image/png": {"width": 640}})
    display(HTML(f"<figcaption>{_caption(fig, caption)}</figcaption>{_values(fig)}"))


def figure_html(fig: Drawing, *, caption: str, alt: str) -> str:
    """What ``show`` displays in the book: the drawing itself, its ink that of the page's text."""
    name = f"figure-{next(_numbers)}"
    return (
        f'{_TABLE_STYLE}<figure class="abs-figure" id="{name}"><div class="abs-drawing" role="img" '
        f'aria-label="{escape(alt, quote=True)}">{svg(fig, name)}</div>'
        f"<figcaption>{_caption(fig, caption)}</figcaption>{_values(fig, buttons=True)}</figure>"
        f"{_SAVE_SCRIPT.replace('ID', name).replace('INK', theme.INK)}"
    )


def svg(fig: Drawing, name: str = "figure") -> str:
    """The drawing as an SVG element with real text, in the fonts and the colour of the page around it.

    Args:
        fig: what to draw.
        name: makes the identifiers within it differ from those of other figures on the page.
    """
    text = save(fig, "svg", name).decode()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' id="[A-Za-z0-9.]+_[0-9]+"', "", text)  # names of groups, equal in every figure
    text = re.sub(r"font-family: [^;]*;", "font-family: system-ui, sans-serif;", text)
    text = re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    return text.replace(theme.INK, "currentColor")


def save(fig: Drawing, kind: str, name: str = "figure") -> bytes:
    """The drawing as a file: ``svg``, ``png`` or ``pdf``; the same drawing gives the same bytes."""
    buffer = BytesIO()
    stamps = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with theme.style({"svg.hashsalt": name}):
        fig.figure.savefig(
            buffer,
            format=kind,
            dpi=PICTURE_DPI,
            metadata=stamps,
            facecolor="none" if kind == "svg" else "white",
        )
    return buffer.getvalue()


def _caption(fig: Drawing, caption: str) -> str:
    return caption_html(" ".join(filter(None, [caption, fig.note])))


def _values(fig: Drawing, *, buttons: bool = False) -> str:
    """A fold with the figure's tables; with buttons that save them and the drawing above."""
    parts = []
    for table in fig.values:
        cut = f", the first {MOST_VALUES} of {len(table):,}" if len(table) > MOST_VALUES else ""
        shown = table_html(table.head(MOST_VALUES), caption=f"What the figure shows{cut}.", digits=4)
        save_rows = '<button class="csv">Save these rows as CSV</button>' if buttons else ""
        parts.append(f'<div class="abs-part">{shown}{save_rows}</div>')
    save_drawing = '<button class="svg">Save the figure as SVG</button>' if buttons else ""
    return f'<details class="abs-values"><summary>Values</summary>{"".join(parts)}{save_drawing}</details>'


def caption_html(caption: str) -> str:
    """Escaped caption; nothing in it is read as HTML."""
    return escape(caption)


def show_table(
    table: pd.DataFrame,
    *,
    caption: str,
    search: bool | None = None,
    digits: int = 3,
    empty: str = "",
    explorer: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Display a table that can be sorted by its headings and, when long, searched.

    Every cell is escaped: tokens of a foreign tokenizer may look like HTML.

    Args:
        table: rows to show.
        caption: what a row is.
        search: show a search field; default for more than 12 rows.
        digits: significant digits of floats.
        empty: what stands in the place of the rows if there are none: why.
        explorer: by column, the explorer's state that each row's cell leads to; in the book a script makes links of
            them, on a page of its own there is nothing to lead to.
    """
    made = table_html(table, caption=caption, search=search, digits=digits, empty=empty, explorer=explorer)
    display(HTML(made))


def table_html(
    table: pd.DataFrame,
    *,
    caption: str,
    search: bool | None = None,
    digits: int = 3,
    empty: str = "",
    explorer: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """What ``show_table`` displays."""
    states = [(explorer or {}).get(str(column)) for column in table]
    search = len(table) > 12 if search is None else search
    name = f"table-{next(_numbers)}"
    field = (
        '<input type="search" aria-label="Search the table" placeholder="Search"><output></output>'
        if search
        else ""
    )
    head = "".join(f'<th scope="col"><button>{escape(str(column))}</button></th>' for column in table)
    body = "".join(
        "<tr>"
        + "".join(
            _cell(value, digits, its[number] if its else "") for value, its in zip(row, states, strict=True)
        )
        + "</tr>"
        for number, row in enumerate(table.itertuples(index=False, name=None))
    )
    if table.empty and empty:
        body = f'<tr><td colspan="{max(len(table.columns), 1)}">{escape(empty)}</td></tr>'
    return (
        f'{_TABLE_STYLE}<figure class="abs-table" id="{name}">{field}<div class="abs-scroll" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"<figcaption>{caption_html(caption)}</figcaption></figure>{_TABLE_SCRIPT.replace('ID', name)}"
    )


def _cell(value: object, digits: int, state: str = "") -> str:
    leads = f' data-explorer="{escape(state, quote=True)}"' if state else ""
    if isinstance(value, float):
        whole = not pd.isna(value) and value.is_integer() and abs(value) >= 10**digits
        text = "" if pd.isna(value) else f"{value:,.0f}" if whole else f"{value:.{digits}g}"
        return f'<td class="n" data-v="{value:.6g}"{leads}>{text}</td>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td class="n" data-v="{value}"{leads}>{value:,}</td>'
    return f"<td{leads}>{escape(str(value))}</td>"

"""Put figures and tables on a page: caption, alt text, search, and nothing fetched from elsewhere."""

from __future__ import annotations

import os
from html import escape
from itertools import count

import pandas as pd
import plotly.graph_objects as go
from IPython.display import HTML, display

BOOK = "ABSORPTION_BOOK"
"""Set by the runner: the book loads plotly's script itself; elsewhere the first figure brings it along."""
_numbers = count(1)
_script_shown = False

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
figure.abs-figure{margin:1.2rem 0;max-width:100%}figure.abs-figure figcaption,.abs-table figcaption{font-size:.9rem;
opacity:.85;margin-top:.4rem}</style>"""


def show(fig: go.Figure, *, caption: str, alt: str) -> None:
    """Display a figure with a caption under it and alt text for screen readers.

    Args:
        fig: from one of the plotting functions.
        caption: what is drawn, with units and intervals named.
        alt: what a reader who cannot see it should know.
    """
    global _script_shown
    script = not (os.environ.get(BOOK) or _script_shown)
    _script_shown = True
    display(HTML(figure_html(fig, caption=caption, alt=alt, script=script)))


def figure_html(fig: go.Figure, *, caption: str, alt: str, script: bool = False) -> str:
    """What ``show`` displays; ``script``: bring plotly's along."""
    body = fig.to_html(
        full_html=False,
        include_plotlyjs=script,
        div_id=f"figure-{next(_numbers)}",
        config={"responsive": True, "displayModeBar": False},
    )
    return (
        f'{_TABLE_STYLE}<figure class="abs-figure"><div role="img" aria-label="{escape(alt, quote=True)}">'
        f"{body}</div><figcaption>{caption_html(caption)}</figcaption></figure>"
    )


def caption_html(caption: str) -> str:
    """Escaped caption; nothing in it is read as HTML."""
    return escape(caption)


def show_table(
    table: pd.DataFrame, *, caption: str, search: bool | None = None, digits: int = 3, empty: str = ""
) -> None:
    """Display a table that can be sorted by its headings and, when long, searched.

    Every cell is escaped: tokens of a foreign tokenizer may look like HTML.

    Args:
        table: rows to show.
        caption: what a row is.
        search: show a search field; default for more than 12 rows.
        digits: significant digits of floats.
        empty: what stands in the place of the rows if there are none: why.
    """
    display(HTML(table_html(table, caption=caption, search=search, digits=digits, empty=empty)))


def table_html(
    table: pd.DataFrame, *, caption: str, search: bool | None = None, digits: int = 3, empty: str = ""
) -> str:
    """What ``show_table`` displays."""
    search = len(table) > 12 if search is None else search
    name = f"table-{next(_numbers)}"
    field = (
        '<input type="search" aria-label="Search the table" placeholder="Search"><output></output>'
        if search
        else ""
    )
    head = "".join(f'<th scope="col"><button>{escape(str(column))}</button></th>' for column in table)
    body = "".join(
        "<tr>" + "".join(_cell(value, digits) for value in row) + "</tr>"
        for row in table.itertuples(index=False, name=None)
    )
    if table.empty and empty:
        body = f'<tr><td colspan="{max(len(table.columns), 1)}">{escape(empty)}</td></tr>'
    return (
        f'{_TABLE_STYLE}<figure class="abs-table" id="{name}">{field}<div class="abs-scroll" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"<figcaption>{caption_html(caption)}</figcaption></figure>{_TABLE_SCRIPT.replace('ID', name)}"
    )


def _cell(value: object, digits: int) -> str:
    if isinstance(value, float):
        whole = not pd.isna(value) and value.is_integer() and abs(value) >= 10**digits
        text = "" if pd.isna(value) else f"{value:,.0f}" if whole else f"{value:.{digits}g}"
        return f'<td class="n" data-v="{value}">{text}</td>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td class="n" data-v="{value}">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"

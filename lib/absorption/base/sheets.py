"""Tables as text for a spreadsheet, in which no cell becomes a formula."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # slow to import; whoever calls has it already
    import pandas as pd

FORMULA = re.compile(r"[=+@\t\r-]")
"""What a cell must not begin with: a spreadsheet would calculate it, or call a program."""


def text(table: pd.DataFrame, *, separator: str, digits: str) -> str:
    """The table without its index. A text that a spreadsheet would take for a formula gets an apostrophe in front.

    Args:
        table: numbers are left as they are, negative ones too.
        separator: between cells.
        digits: format of floats, such as ``%.4g``.
    """
    plain = table.apply(lambda column: column if column.dtype.kind in "iufb" else column.map(_plain))
    return plain.to_csv(sep=separator, index=False, float_format=digits)


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value

"""Absorption that others published, from ``data/published``: checked tables, and means over letters.

Each row of a table is one number with its source, version and licence; ``data/published/README.md`` says where they
come from. L0 is on running text, as it was published.
"""

from __future__ import annotations

import string

import pandas as pd

from absorption.base.data import data_root
from absorption.definitions.rules import DEFINITIONS
from absorption.definitions.versions import FRACTION_UNTHRESHOLDED

FOLDER = "published"
TABLES = ("saebench-pythia-160m", "saebench-gemma-2-2b", "gemma-scope-2b")
NUMBERS = ["d_model", "layer", "width", "l0", "value"]
NUMBER_OF = [
    "model",
    "d_model",
    "layer",
    "width",
    "architecture",
    "l0",
    "target",
    "definition",
    "measured_with",
]
"""What a mean over letters is of."""
FROM = ["source", "version", "licence"]
COLUMNS = [*NUMBER_OF[:7], "letter", *NUMBER_OF[7:], "value", *FROM]
"""Columns of a table, in order."""
TARGETS = ("first letter", "last letter")
MEAN = "mean"
"""In the column ``letter``: the number is a mean over letters already."""


class PublishedNumbersError(ValueError):
    """A table of published numbers that cannot be trusted."""


def read_published(table: str) -> pd.DataFrame:
    """One table of published numbers, checked.

    Args:
        table: one of ``TABLES``.

    Returns:
        Columns as in ``COLUMNS``, and ``l0_share``: L0 on text over the model's d_model.

    Raises:
        ValueError: no table of this name.
        PublishedNumbersError: a column, an entry or a value that does not belong there.
    """
    if table not in TABLES:
        raise ValueError(f"table={table!r} is not known; choose one of {', '.join(TABLES)}.")
    found = pd.read_csv(data_root() / FOLDER / f"{table}.csv", dtype=str, keep_default_na=False)
    if list(found) != COLUMNS:
        raise PublishedNumbersError(
            f"{table} has columns {', '.join(map(str, found))}; it needs {', '.join(COLUMNS)}."
        )
    numbers = found.assign(**{name: pd.to_numeric(found[name], errors="coerce") for name in NUMBERS})
    for name, rows in _wrong(numbers).items():
        if rows.any():
            row = int(rows.to_numpy().argmax())
            raise PublishedNumbersError(f"{table}: {name} of row {row + 1} is {found[name].iloc[row]!r}.")
    _check_keys(table, numbers)
    return numbers.assign(l0_share=numbers["l0"] / numbers["d_model"])


def mean_published() -> pd.DataFrame:
    """The numbers of all tables as means over the letters judged, one row an SAE, target, definition and program.

    Columns as in ``NUMBER_OF``, then ``l0_share``, ``value``, ``letters`` (how many the mean is over; 0 if the source
    does not say), and the source's.
    """
    found = pd.concat([read_published(name) for name in TABLES], ignore_index=True)
    found["letters"] = (found["letter"] != MEAN).astype(int)
    groups = found.groupby([*NUMBER_OF, "l0_share", *FROM], sort=False, as_index=False)
    means = groups.agg({"value": "mean", "letters": "sum"})
    return means[[*NUMBER_OF, "l0_share", "value", "letters", *FROM]]


def _wrong(found: pd.DataFrame) -> dict[str, pd.Series]:
    """By column, which rows have an entry that does not belong there."""
    definitions = (*DEFINITIONS, FRACTION_UNTHRESHOLDED)
    return {
        "d_model": ~(found["d_model"] > 0),
        "layer": ~(found["layer"] >= 0),
        "l0": ~((found["l0"] > 0) & (found["l0"] <= found["width"])),
        "value": ~found["value"].between(0, 1),
        "target": ~found["target"].isin(TARGETS),
        "letter": ~found["letter"].isin([*string.ascii_lowercase, MEAN]),
        "definition": ~found["definition"].isin(definitions),
        **{name: found[name] == "" for name in ("model", "architecture", "measured_with", *FROM)},
    }


def _check_keys(table: str, found: pd.DataFrame) -> None:
    """A letter stands once, and a mean not beside the letters that it is of."""
    if (twice := found.duplicated([*NUMBER_OF, "letter"])).any():
        raise PublishedNumbersError(
            f"{table}: row {int(twice.to_numpy().argmax()) + 1} repeats an earlier one."
        )
    kinds = found.assign(mean=found["letter"] == MEAN).groupby(NUMBER_OF)["mean"].nunique()
    if (kinds > 1).any():
        raise PublishedNumbersError(f"{table}: one number is given by letter and as a mean.")

"""What finished sweeps of one-SAE pages measured, put together as the family's stored numbers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from absorption.base import cache, sums
from absorption.base.data import data_root
from absorption.saes.shipped import SHIPPED
from absorption.several_saes.quantities import QUANTITIES
from absorption.several_saes.side_by_side import SUMMARY
from absorption.several_saes.stored_numbers import (
    BY_SAE,
    FOLDER,
    MAKE,
    SaeFamily,
    StoredNumbersError,
    card_of,
    check_alike,
    check_shipped,
    read_folder,
)
from absorption.training.recipe import BASE

RESAMPLES = "sae-resamples"
TABLES = {"letters": "sae-absorption-rates", "silences": "sae-silences"}
"""Tables of a page that are kept whole, by the name that they are stored under."""


@dataclass(frozen=True)
class Measured:
    """What one page measured of one SAE."""

    sae: str
    stamp: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    """Numbers, resamples, and those of ``TABLES``; each with a column ``sae``."""


def collect(sweeps: Sequence[Path], folder: Path | None = None, *, add: bool = False) -> SaeFamily:
    """Put what finished sweeps of one-SAE pages measured into ``folder`` (default the shipped place).

    Args:
        sweeps: output folders of sweeps.
        folder: where the numbers are kept.
        add: keep what is stored there of SAEs that these sweeps did not measure.

    Raises:
        StoredNumbersError: a sweep holds no finished page; pages with different parameters; an SAE that is measured
            twice, or that is neither shipped nor a folder with a card; for the shipped place, an SAE that is missing
            or not of this project.
    """
    found = []
    for sweep in sweeps:
        records = sorted(sweep.glob("runs/*/your-sae/record.json"))
        finished = [one for one in map(_finished, records) if one is not None]
        if not finished:
            raise StoredNumbersError(f"{sweep} holds no finished one-SAE page. Make them: {MAKE}.")
        found += finished
    twice = sorted(sae for sae, count in Counter(one.sae for one in found).items() if count > 1)
    if twice:
        raise StoredNumbersError(f"Measured more than once: {', '.join(twice)}. Give each SAE once.")
    if add:
        new = {one.sae for one in found}
        found += [one for one in _stored(read_folder(folder or data_root() / FOLDER)) if one.sae not in new]
    order = sorted(found, key=lambda one: _order(one.sae, card_of(one.sae, one.stamp)))
    names = ("numbers", "resamples", *BY_SAE)
    tables = {name: _together([one.tables[name] for one in order]) for name in names}
    family = SaeFamily(**tables, stamps={one.sae: one.stamp for one in order})
    check_alike(family)
    if folder is None:
        check_shipped(family)
    write(family, folder or data_root() / FOLDER)
    return family


def _together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; those without rows would make columns of numbers ones of objects."""
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def write(family: SaeFamily, place: Path) -> None:
    """All files at once, or none."""
    columns = ["sae", *(name for name in QUANTITIES if name in family.resamples)]
    tables = {"numbers": family.numbers, "resamples": family.resamples[columns]}
    tables |= {name: getattr(family, name) for name in BY_SAE}
    writers = {f"{name}.parquet": partial(_write_table, table) for name, table in tables.items()}
    sums.write_together(place, writers | {"stamps.json": lambda path: cache.write_json(path, family.stamps)})


def _write_table(table: pd.DataFrame, path: Path) -> None:
    cache.write_table(path, table)


def _stored(family: SaeFamily) -> list[Measured]:
    names = ("numbers", "resamples", *BY_SAE)
    return [
        Measured(sae, stamp, {name: _of(getattr(family, name), sae) for name in names})
        for sae, stamp in family.stamps.items()
    ]


def _of(table: pd.DataFrame, sae: str) -> pd.DataFrame:
    return table[table["sae"] == sae]


def _finished(record: Path) -> Measured | None:
    stamp = json.loads(record.read_text(encoding="utf-8"))
    if stamp["error"]:
        return None
    sae, given = stamp["loaded"]["sae"]["name"], stamp["parameters"]
    kept = {
        name: stamp[name]
        for name in ("absorption", "commit", "parameters", "loaded", "packages", "seconds", "machine", "date")
    }
    if given["sae_release"] != SHIPPED:
        kept["card"] = _own_card(sae, given["sae_path"], kept["loaded"]["sae"]["weights_hash"])
        kept["parameters"] = {name: value for name, value in given.items() if name != "sae_path"}
    return Measured(sae, kept, _tables(record.parent / "results", sae))


def _tables(results: Path, sae: str) -> dict[str, pd.DataFrame]:
    """The page's tables as they are stored; one of ``TABLES`` has no rows if the page is from before it was written."""
    tables = {
        "numbers": _of(pd.read_parquet(results / f"{SUMMARY}.parquet"), sae),
        "resamples": pd.read_parquet(results / f"{RESAMPLES}.parquet").assign(sae=sae),
    }
    for name, columns in BY_SAE.items():
        path = results / f"{TABLES[name]}.parquet"
        table = pd.read_parquet(path) if path.exists() else pd.DataFrame(columns=columns[1:])
        tables[name] = table.assign(sae=sae)[columns]
    return tables


def _own_card(sae: str, folder: str, weights_hash: str) -> dict[str, Any]:
    try:
        card = json.loads((Path(folder) / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoredNumbersError(
            f"{sae} is not shipped, and its folder {folder!r} holds no card ({error}); "
            f"`absorption saes {sae} --output FOLDER` trains it with one."
        ) from None
    if card["weights_hash"] != weights_hash:
        raise StoredNumbersError(
            f"The numbers of {sae} are of weights {weights_hash}, its card is of {card['weights_hash']}."
        )
    return card


def _order(sae: str, card: Mapping[str, Any]) -> tuple[Any, ...]:
    """The base's architecture at the first seed and shallowest layer first, by width and L0."""
    layer = int(card["hook_name"].split(".")[1])
    return (
        card["architecture"] != BASE.architecture,
        card["recipe"]["seed"],
        layer,
        card["d_sae"],
        card["k"],
        sae,
    )

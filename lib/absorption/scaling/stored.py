"""Stored numbers of the grid: read with their stamps, and refused where they are of other SAEs.

``absorption grid FOLDER...`` measures SAEs that are trained from their recipes and not shipped, and the shipped ones,
and puts what it found into ``data/results/grid``: ``measured.parquet`` (columns as in ``scaling.measure``) and
``stamps.json`` (what was read, the table's hash, and for each SAE hashes, recipe and what its card says of training).
Some SAEs also have the measures of quality of ``scaling.quality``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from absorption.base import cache, sums
from absorption.base.data import data_root
from absorption.saes.shipped import shipped_card, shipped_ids
from absorption.scaling.measure import COLUMNS, TEXT, TOKENS
from absorption.training.corpus import CORPUS
from absorption.training.recipe import BASE, EVERY_RECIPE, GRID, Recipe, find_recipe

FOLDER = "results/grid"
MAKE = "absorption grid FOLDER..., with the folders of SAEs that `absorption saes ID --output FOLDER` trained"


class StoredGridError(ValueError):
    """Stored numbers that are missing, damaged, or of other SAEs than the recipes' and the shipped ones."""


@dataclass(frozen=True)
class Grid:
    """Numbers of SAEs on the same text."""

    measured: pd.DataFrame
    """Columns as in ``scaling.measure``."""
    text: dict[str, Any]
    """Model, hook, corpus, windows."""
    stamps: dict[str, dict[str, Any]]
    """By SAE."""
    quality: dict[str, Any] = field(default_factory=dict)
    """What the measures of quality were taken on; empty: of no SAE."""

    @property
    def recipes(self) -> dict[str, Recipe]:
        """The recipe of each SAE."""
        return {sae: Recipe(**stamp["recipe"]) for sae, stamp in self.stamps.items()}

    @property
    def points(self) -> dict[str, Recipe]:
        """The members of the grid that are measured, narrow and sparse ones first."""
        found = [(sae, recipe) for sae, recipe in self.recipes.items() if recipe in GRID]
        return dict(sorted(found, key=lambda one: (one[1].d_sae, one[1].k)))

    @property
    def missing(self) -> list[str]:
        """Names of the grid's members that are not measured."""
        return [recipe.sae_id for recipe in GRID if recipe.sae_id not in self.stamps]

    def values(self, sae: str, quantity: str, at: int = 0) -> Float[np.ndarray, " batch"]:
        """One quantity of one SAE in the order of the batches; empty if it was not measured."""
        rows = self._by_name.get((sae, quantity, at))
        return np.empty(0) if rows is None else rows

    def text_values(self, quantity: str) -> Float[np.ndarray, " batch"]:
        """One quantity of the text alone."""
        return self.values(TEXT, quantity)

    def kept(self, sae: str, quantity: str) -> list[int]:
        """Numbers of latents kept for which a quantity was measured."""
        return sorted(at for name, what, at in self._by_name if (name, what) == (sae, quantity))

    @cached_property
    def _by_name(self) -> dict[Any, np.ndarray]:
        """One pass over the table instead of one a look-up."""
        ordered = self.measured.sort_values("batch", kind="stable")
        groups = ordered.groupby(["sae", "quantity", "at"], observed=True)["value"]
        return {key: rows.to_numpy(dtype=np.float64) for key, rows in groups}


def read_grid(folder: str | Path = "") -> Grid:
    """The stored numbers; those of this project if ``folder`` is empty.

    Raises:
        StoredGridError: a file is missing or damaged, the table is not the one that was stamped, an SAE is of another
            recipe, or a shipped one is not the one that was measured.
    """
    place = Path(folder) if folder else data_root() / FOLDER
    try:
        stamps = json.loads((place / "stamps.json").read_text(encoding="utf-8"))
        table = pd.read_parquet(place / "measured.parquet")
        grid = Grid(table, stamps["text"], stamps["saes"], stamps.get("quality", {}))
        stamped = stamps["table_sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise StoredGridError(f"{place} holds no stored numbers ({error}). Make them: {MAKE}.") from None
    _same("table", "sha256", stamped, cache.file_sha256(place / "measured.parquet"))
    check(grid)
    sums.check(place, refuse=StoredGridError)
    return grid


def write_grid(grid: Grid, folder: Path | None = None) -> None:
    """Put numbers into ``folder`` (default this project's place), all files at once or none.

    Raises:
        StoredGridError: as ``read_grid``.
    """
    check(grid)
    place = folder or data_root() / FOLDER

    def write_stamps(path: Path) -> None:
        stamp = cache.file_sha256(path.with_name("measured.parquet"))
        stamps = {"text": grid.text, "quality": grid.quality, "saes": grid.stamps, "table_sha256": stamp}
        cache.write_json(path, stamps)

    sums.write_together(
        place,
        {
            "measured.parquet": lambda path: cache.write_table(path, grid.measured[COLUMNS]),
            "stamps.json": write_stamps,
        },
    )


def check(grid: Grid) -> None:
    """Refuse numbers of other SAEs, another text or another model than the recipes and cards say.

    Raises:
        StoredGridError: the first thing that differs, with both values.
    """
    _same("text", "corpus", grid.text["corpus"], CORPUS.sha256)
    if len(grid.text_values(TOKENS)) == 0:
        raise StoredGridError(f"Stored numbers lack those of the text alone. Make them: {MAKE}.")
    known = {recipe.sae_id for recipe in EVERY_RECIPE}
    measured = set(map(str, grid.measured["sae"].unique())) - {TEXT}
    if odd := sorted((measured ^ set(grid.stamps)) | (set(grid.stamps) - known)):
        raise StoredGridError(
            f"Stored numbers, stamps and recipes differ in: {', '.join(odd)}. Make them: {MAKE}."
        )
    for sae, stamp in grid.stamps.items():
        _same(sae, "recipe", cache.json_hash(stamp["recipe"]), cache.json_hash(find_recipe(sae).to_dict()))
        _same(sae, "model", stamp["model_weights_hash"], grid.text["model_weights_hash"])
    for sae in shipped_members():
        if sae not in grid.stamps:
            raise StoredGridError(f"Stored numbers lack the shipped SAE {sae}. Make them: {MAKE}.")
        card = shipped_card(sae)
        _same(sae, "weights", grid.stamps[sae]["weights_hash"], card["weights_hash"])
        _same(sae, "model", grid.stamps[sae]["model_weights_hash"], card["model_weights_hash"])


def shipped_members() -> list[str]:
    """The shipped SAEs that read where the grid does."""
    return [sae for sae in shipped_ids() if shipped_card(sae)["hook_name"] == BASE.hook_name]


def join(grids: Sequence[Grid]) -> Grid:
    """Several SAEs on one text; of an SAE that is in several the last one's numbers."""
    last = {str(sae): place for place, grid in enumerate(grids) for sae in grid.measured["sae"].unique()}
    parts = [
        grid.measured[[last.get(sae) == place for sae in grid.measured["sae"]]]
        for place, grid in enumerate(grids)
    ]
    stamps = {sae: grids[last[sae]].stamps[sae] for sae in sorted(set(last) - {TEXT}, key=_order)}
    quality = next((grid.quality for grid in reversed(grids) if grid.quality), {})
    return Grid(pd.concat(parts, ignore_index=True), grids[-1].text, stamps, quality)


def with_rows(grid: Grid, rows: pd.DataFrame, quality: dict[str, Any]) -> Grid:
    """The numbers with further quantities of SAEs that are in it, in place of any that these have already."""
    old = grid.measured
    names = set(zip(rows["sae"], rows["quantity"], strict=True))
    stay = [name not in names for name in zip(old["sae"], old["quantity"], strict=True)]
    return Grid(pd.concat([old[stay], rows], ignore_index=True), grid.text, grid.stamps, quality)


def _order(sae: str) -> tuple[Any, ...]:
    recipe = find_recipe(sae)
    return recipe not in GRID, recipe.d_sae, recipe.k, sae


def _same(of: str, what: str, stored: Any, now: Any) -> None:
    if stored != now:
        raise StoredGridError(
            f"Stored numbers of {of} are of {what} {stored}, here it is {now}. Make them: {MAKE}."
        )

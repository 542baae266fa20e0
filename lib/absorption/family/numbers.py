"""Stored numbers of the family: read with their stamps, and refused where they are of other SAEs.

``make sweep CONFIG=sweep/family.yaml`` runs the one-SAE page on every shipped SAE and ``absorption family`` puts
what it measured into ``data/results/family``: ``numbers.parquet`` (columns as in ``report.numbers.COLUMNS``),
``resamples.parquet`` (``sae``, then a column a quantity, one row a bootstrap resample, in one order for all
SAEs) and ``stamps.json`` (by SAE: hashes, parameters, versions, seconds, machine).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from absorption import cache
from absorption.data import data_root
from absorption.family.quantities import QUANTITIES
from absorption.latents.score import MeanSamples
from absorption.report.compare import SUMMARY
from absorption.saes import shipped_card, shipped_ids

FOLDER = "results/family"
RESAMPLES = "sae-resamples"
SAME = ("n_words", "n_sets", "seed", "max_candidates", "per_letter", "model", "dtype")
"""Parameters that all stamps share; otherwise the resamples would not be paired."""
MAKE = "make sweep CONFIG=sweep/family.yaml, then absorption family _build/sweeps/family"


class StoredNumbersError(ValueError):
    """Stored numbers that are missing, damaged, or of other SAEs than the shipped ones."""


@dataclass(frozen=True)
class Family:
    """Numbers of several SAEs on the same words."""

    numbers: pd.DataFrame
    resamples: pd.DataFrame
    stamps: dict[str, dict[str, Any]]

    @property
    def saes(self) -> list[str]:
        """Their names, in the order of the table."""
        return [sae for sae in dict.fromkeys(self.numbers["sae"]) if sae in self.stamps]

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that all were measured with."""
        first = next(iter(self.stamps.values()))["parameters"]
        return {name: first[name] for name in SAME}

    def value(self, sae: str, quantity: str) -> float:
        """One number; NaN if this SAE has none of that name."""
        rows = self.numbers[(self.numbers["sae"] == sae) & (self.numbers["quantity"] == quantity)]
        return float(rows["value"].iloc[0]) if len(rows) else math.nan

    def samples(self, sae: str, quantity: str) -> np.ndarray:
        """The number in every bootstrap resample of the words, the same resamples for all SAEs."""
        found = self.resamples.loc[self.resamples["sae"] == sae, quantity].to_numpy(dtype=np.float64)
        return found[: np.flatnonzero(~np.isnan(found)).max() + 1]

    def scores(self, sae: str) -> MeanSamples:
        """Every compared quantity with its resamples, in the form that slopes and differences are taken of."""
        return MeanSamples(
            sae,
            {name: self.value(sae, name) for name in QUANTITIES},
            {name: self.samples(sae, name) for name in QUANTITIES},
        )


def read_family(folder: str | Path = "") -> Family:
    """The stored numbers; of the shipped SAEs if ``folder`` is empty.

    Raises:
        StoredNumbersError: a file is missing or damaged, SAEs were measured with different parameters, or a shipped
            SAE is not the one that was measured.
    """
    place = Path(folder) if folder else data_root() / FOLDER
    try:
        stamps = json.loads((place / "stamps.json").read_text(encoding="utf-8"))
        family = Family(
            pd.read_parquet(place / "numbers.parquet"), pd.read_parquet(place / "resamples.parquet"), stamps
        )
    except (OSError, ValueError) as error:
        raise StoredNumbersError(f"{place} holds no stored numbers ({error}). Make them: {MAKE}.") from None
    _check_alike(family)
    if not folder:
        _check_shipped(family)
    return family


def collect(sweep: Path, folder: Path | None = None) -> Family:
    """Put what a finished sweep of one-SAE pages measured into ``folder`` (default the shipped place).

    Raises:
        StoredNumbersError: the sweep holds no finished page, or pages with different parameters.
    """
    found = [_finished(record) for record in sorted(sweep.glob("runs/*/your-sae/record.json"))]
    found = [one for one in found if one is not None]
    if not found:
        raise StoredNumbersError(f"{sweep} holds no finished one-SAE page. Make them: {MAKE}.")
    order = sorted(found, key=lambda one: _order(one[0]))
    family = Family(
        numbers=pd.concat([numbers for _, _, numbers, _ in order], ignore_index=True),
        resamples=pd.concat([samples.assign(sae=sae) for sae, _, _, samples in order], ignore_index=True),
        stamps={sae: stamp for sae, stamp, _, _ in order},
    )
    _check_alike(family)
    place = folder or data_root() / FOLDER
    cache.write_table(place / "numbers.parquet", family.numbers)
    columns = ["sae", *(name for name in QUANTITIES if name in family.resamples)]
    cache.write_table(place / "resamples.parquet", family.resamples[columns])
    cache.write_json(place / "stamps.json", family.stamps)
    return family


def members(family: Family) -> pd.DataFrame:
    """One row an SAE: what it is, and what its card says of it.

    Columns ``sae, architecture, d_sae, k, layer, seed, l0_text, explained_variance, recovered, dead``.
    """
    rows = []
    for sae in family.saes:
        card = shipped_card(sae)
        text = card["measured"]["held_out_text"]
        rows.append(
            {
                "sae": sae,
                "architecture": card["architecture"],
                "d_sae": card["d_sae"],
                "k": card["k"],
                "layer": int(card["hook_name"].split(".")[1]),
                "seed": card["recipe"]["seed"],
                "l0_text": text["l0"],
                "explained_variance": text["explained_variance"],
                "recovered": text["cross_entropy"]["recovered"],
                "dead": card["measured"]["dead_latents"],
            }
        )
    return pd.DataFrame(rows)


def along(family: Family, chosen: pd.DataFrame, quantities: Iterable[str]) -> pd.DataFrame:
    """The rows of ``members`` joined with their numbers: ``quantity, value, low, high``."""
    wanted = family.numbers[family.numbers["quantity"].isin(list(quantities))]
    return chosen.merge(wanted[["sae", "quantity", "value", "low", "high"]], on="sae", validate="one_to_many")


def _finished(record: Path) -> tuple[str, dict[str, Any], pd.DataFrame, pd.DataFrame] | None:
    stamp = json.loads(record.read_text(encoding="utf-8"))
    if stamp["error"]:
        return None
    results = record.parent / "results"
    numbers = pd.read_parquet(results / f"{SUMMARY}.parquet")
    sae = stamp["loaded"]["sae"]["name"]
    kept = {
        name: stamp[name]
        for name in ("absorption", "commit", "parameters", "loaded", "packages", "seconds", "machine", "date")
    }
    return sae, kept, numbers[numbers["sae"] == sae], pd.read_parquet(results / f"{RESAMPLES}.parquet")


def _order(sae: str) -> tuple[Any, ...]:
    """BatchTopK at the first seed and shallowest layer first, by width and L0."""
    card = shipped_card(sae)
    layer = int(card["hook_name"].split(".")[1])
    return card["architecture"] != "batchtopk", card["recipe"]["seed"], layer, card["d_sae"], card["k"], sae


def _check_alike(family: Family) -> None:
    for name in SAME:
        values = {str(stamp["parameters"][name]): sae for sae, stamp in family.stamps.items()}
        if len(values) > 1:
            told = ", ".join(f"{value} ({sae})" for value, sae in values.items())
            raise StoredNumbersError(f"The SAEs were measured with different {name}: {told}.")


def _check_shipped(family: Family) -> None:
    missing = sorted(set(shipped_ids()) ^ set(family.saes))
    if missing:
        raise StoredNumbersError(
            f"Stored numbers and shipped SAEs differ in: {', '.join(missing)}. Make them: {MAKE}."
        )
    for sae, stamp in family.stamps.items():
        stored, shipped = stamp["loaded"]["sae"]["weights_hash"], shipped_card(sae)["weights_hash"]
        if stored != shipped:
            told = f"The stored numbers of {sae} are of weights {stored}, the shipped ones are {shipped}."
            raise StoredNumbersError(f"{told} Make them: {MAKE}.")

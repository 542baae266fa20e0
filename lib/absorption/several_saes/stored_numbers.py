"""Stored numbers of the family: read with their stamps, and refused where they are of other SAEs.

A sweep runs the one-SAE page on every shipped SAE, another on further seeds, which are trained from their recipes
and not shipped; ``absorption family`` puts what they measured into ``data/results/family``: ``numbers.parquet``
(columns as in ``several_saes.numbers.COLUMNS``), ``resamples.parquet`` (``sae``, then a column a quantity, one row a
bootstrap resample, in one order for all SAEs) and ``stamps.json`` (by SAE: hashes, parameters, versions, seconds,
machine, and the card if it is not shipped).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from absorption.base import cache
from absorption.base.data import data_root
from absorption.latents.score import MeanSamples
from absorption.models.before_loading import model_size
from absorption.saes.loader import shipped_configuration
from absorption.saes.shipped import SHIPPED, shipped_card, shipped_ids
from absorption.several_saes.numbers import COLUMNS, NULL
from absorption.several_saes.quantities import QUANTITIES
from absorption.several_saes.side_by_side import SUMMARY
from absorption.training.recipe import BASE, UNSHIPPED_RECIPES, Recipe

FOLDER = "results/family"
RESAMPLES = "sae-resamples"
SAME = ("n_words", "n_sets", "seed", "max_candidates", "per_letter", "probe", "model", "dtype")
"""Parameters that all stamps share; otherwise the resamples would not be paired."""
MAKE = "see 'Hundreds of SAEs' in book/rerun.md (make sweep, then absorption family)"


class StoredNumbersError(ValueError):
    """Stored numbers that are missing, damaged, or of other SAEs than the shipped ones."""


@dataclass(frozen=True)
class SaeFamily:
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
        known = np.flatnonzero(~np.isnan(found))
        return found[: known.max() + 1] if len(known) else found  # a rate of no letter is NaN throughout

    def scores(self, sae: str) -> MeanSamples:
        """Every compared quantity with its resamples, in the form that slopes and differences are taken of."""
        return MeanSamples(
            sae,
            {name: self.value(sae, name) for name in QUANTITIES},
            {name: self.samples(sae, name) for name in QUANTITIES},
        )


def read_sae_family(folder: str | Path = "") -> SaeFamily:
    """The stored numbers; of the shipped SAEs if ``folder`` is empty.

    Raises:
        StoredNumbersError: a file is missing or damaged, SAEs were measured with different parameters, or one does
            not state them, or a shipped SAE is not the one that was measured.
    """
    family = _read(Path(folder) if folder else data_root() / FOLDER)
    if not folder:
        _check_shipped(family)
    return family


def _read(place: Path) -> SaeFamily:
    try:
        stamps = json.loads((place / "stamps.json").read_text(encoding="utf-8"))
        family = SaeFamily(
            # Numbers from before rates had a null have none: their columns are empty, and no claim rests on them.
            pd.read_parquet(place / "numbers.parquet").reindex(columns=COLUMNS),
            pd.read_parquet(place / "resamples.parquet"),
            stamps,
        )
    except (OSError, ValueError) as error:
        raise StoredNumbersError(f"{place} holds no stored numbers ({error}). Make them: {MAKE}.") from None
    _check_alike(family)
    return family


_Measured = tuple[str, dict[str, Any], pd.DataFrame, pd.DataFrame]
"""An SAE's name, stamp, numbers and resamples."""


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
    twice = sorted({sae for sae, count in Counter(sae for sae, *_ in found).items() if count > 1})
    if twice:
        raise StoredNumbersError(f"Measured more than once: {', '.join(twice)}. Give each SAE once.")
    if add:
        new = {sae for sae, *_ in found}
        found += [one for one in _stored(_read(folder or data_root() / FOLDER)) if one[0] not in new]
    order = sorted(found, key=lambda one: _order(one[0], card_of(one[0], one[1])))
    family = SaeFamily(
        numbers=pd.concat([numbers for _, _, numbers, _ in order], ignore_index=True),
        resamples=pd.concat([samples.assign(sae=sae) for sae, _, _, samples in order], ignore_index=True),
        stamps={sae: stamp for sae, stamp, _, _ in order},
    )
    _check_alike(family)
    if folder is None:
        _check_shipped(family)
    place = folder or data_root() / FOLDER
    cache.write_table(place / "numbers.parquet", family.numbers)
    columns = ["sae", *(name for name in QUANTITIES if name in family.resamples)]
    cache.write_table(place / "resamples.parquet", family.resamples[columns])
    cache.write_json(place / "stamps.json", family.stamps)
    return family


def card_of(sae: str, stamp: Mapping[str, Any]) -> dict[str, Any]:
    """The card of a shipped SAE, or the one that its stamp keeps."""
    return stamp["card"] if "card" in stamp else shipped_card(sae)


def members(family: SaeFamily) -> pd.DataFrame:
    """One row an SAE: what it is, and what its card says of it.

    Columns ``sae, architecture, d_sae, k, layer, seed, l0_text, l0_words, l0_share, explained_variance, recovered,
    dead, shipped``; L0 is the mean number of active latents on held-out text and at the words of spelling prompts,
    ``l0_share`` the latter over the model's d_model.
    """
    d_model = model_size(family.parameters["model"]).d_model
    rows = []
    for sae in family.saes:
        card = card_of(sae, family.stamps[sae])
        text, words = (card["measured"][of] for of in ("held_out_text", "words_in_spelling_prompts"))
        rows.append(
            {
                "sae": sae,
                "architecture": card["architecture"],
                "d_sae": card["d_sae"],
                "k": card["k"],
                "layer": int(card["hook_name"].split(".")[1]),
                "seed": card["recipe"]["seed"],
                "l0_text": text["l0"],
                "l0_words": words["l0"],
                "l0_share": words["l0"] / d_model,
                "explained_variance": text["explained_variance"],
                "recovered": text["cross_entropy"]["recovered"],
                "dead": card["measured"]["dead_latents"],
                "shipped": "no" if "card" in family.stamps[sae] else "yes",
            }
        )
    return pd.DataFrame(rows)


def along(family: SaeFamily, chosen: pd.DataFrame, quantities: Iterable[str]) -> pd.DataFrame:
    """The rows of ``members`` joined with their numbers: ``quantity, value, low, high`` and a rate's null."""
    wanted = family.numbers[family.numbers["quantity"].isin(list(quantities))]
    return chosen.merge(
        wanted[["sae", "quantity", "value", "low", "high", *NULL]], on="sae", validate="one_to_many"
    )


def _stored(family: SaeFamily) -> list[_Measured]:
    return [
        (
            sae,
            stamp,
            family.numbers[family.numbers["sae"] == sae],
            family.resamples[family.resamples["sae"] == sae].drop(columns="sae"),
        )
        for sae, stamp in family.stamps.items()
    ]


def _finished(record: Path) -> _Measured | None:
    stamp = json.loads(record.read_text(encoding="utf-8"))
    if stamp["error"]:
        return None
    results = record.parent / "results"
    numbers = pd.read_parquet(results / f"{SUMMARY}.parquet")
    sae, given = stamp["loaded"]["sae"]["name"], stamp["parameters"]
    kept = {
        name: stamp[name]
        for name in ("absorption", "commit", "parameters", "loaded", "packages", "seconds", "machine", "date")
    }
    if given["sae_release"] != SHIPPED:
        kept["card"] = _own_card(sae, given["sae_path"], kept["loaded"]["sae"]["weights_hash"])
        kept["parameters"] = {name: value for name, value in given.items() if name != "sae_path"}
    return sae, kept, numbers[numbers["sae"] == sae], pd.read_parquet(results / f"{RESAMPLES}.parquet")


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


def _check_alike(family: SaeFamily) -> None:
    for name in SAME:
        without = [sae for sae, stamp in family.stamps.items() if name not in stamp["parameters"]]
        if without:
            raise StoredNumbersError(
                f"The numbers of {without[0]} do not state their {name}. Make them: {MAKE}."
            )
        values = {str(stamp["parameters"][name]): sae for sae, stamp in family.stamps.items()}
        if len(values) > 1:
            told = ", ".join(f"{value} ({sae})" for value, sae in values.items())
            raise StoredNumbersError(f"The SAEs were measured with different {name}: {told}.")


def _check_same(sae: str, what: str, stored: str | None, now: str) -> None:
    if stored != now:
        told = f"The stored numbers of {sae} are of {what} {stored}, the shipped one has {now}."
        raise StoredNumbersError(f"{told} Make them: {MAKE}.")


def _check_shipped(family: SaeFamily) -> None:
    """Shipped SAEs are checked by the hashes of weights and configuration; of the others there is the recipe, which
    must be the card's.

    All shipped SAEs must be there. Further seeds that are recipes only may be there or not.
    """
    recipes = {recipe.sae_id: recipe for recipe in UNSHIPPED_RECIPES if recipe.sae_id in family.saes}
    shipped = shipped_ids()
    missing = sorted({*shipped, *recipes} ^ set(family.saes))
    if missing:
        raise StoredNumbersError(
            f"Stored numbers and the family's SAEs differ in: {', '.join(missing)}. Make them: {MAKE}."
        )
    for sae in shipped:
        measured = family.stamps[sae]["loaded"]["sae"]
        _check_same(sae, "weights", measured["weights_hash"], shipped_card(sae)["weights_hash"])
        _check_same(sae, "configuration", measured.get("configuration_hash"), shipped_configuration(sae))
    for sae, recipe in recipes.items():
        if Recipe(**card_of(sae, family.stamps[sae])["recipe"]) != recipe:
            raise StoredNumbersError(f"The stored numbers of {sae} are of another recipe. Make them: {MAKE}.")

"""Stored numbers of the family: read with their stamps, and refused where they are of other SAEs.

A sweep runs the one-SAE page on every shipped SAE, another on further seeds, which are trained from their recipes
and not shipped; ``absorption family`` puts what they measured into ``data/results/family``: ``numbers.parquet``
(columns as in ``several_saes.numbers.COLUMNS``), ``resamples.parquet`` (``sae``, then a column a quantity, one row a
bootstrap resample, in one order for all SAEs), the tables of ``BY_SAE``, ``stamps.json`` (by SAE: hashes, parameters,
versions, seconds, machine, and the card if it is not shipped), and checksums of them all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from absorption.base import sums
from absorption.base.data import data_root
from absorption.base.quantities import rate
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.silence import AT_ZERO
from absorption.latents.score import MeanSamples
from absorption.models.before_loading import model_size
from absorption.one_sae.by_silence import SILENCE_COLUMNS
from absorption.saes.loader import shipped_configuration
from absorption.saes.shipped import shipped_card, shipped_ids
from absorption.several_saes.numbers import COLUMNS, NULL
from absorption.several_saes.quantities import QUANTITIES
from absorption.training.recipe import UNSHIPPED_RECIPES, Recipe

FOLDER = "results/family"
LETTERS = [
    "sae", "definition", "letter", "rate", "low", "high", "null", "null_low", "null_high", "p", "n_right",
    "n_candidates", "n_judged", "n_absorbed", "valid",
]  # fmt: skip
"""Rates by letter and definition, and their mean, as ``definitions.absorption_rates`` gives them."""
BY_SAE = {"letters": LETTERS, "silences": ["sae", *SILENCE_COLUMNS]}
"""Columns of the tables that not every SAE has rows in: numbers from before they were kept have none."""
SAME = ("n_words", "n_sets", "seed", "max_candidates", "per_letter", "probe", "model", "dtype")
"""Parameters that all stamps share; otherwise the resamples would not be paired."""
SAME_RATE = 1e-3
"""By how much the same rate may differ between two tables: a word at a latent's threshold, where one was made again."""
MAKE = "see 'Hundreds of SAEs' in book/rerun.md (make sweep, then absorption family)"


class StoredNumbersError(ValueError):
    """Stored numbers that are missing, damaged, or of other SAEs than the shipped ones."""


@dataclass(frozen=True)
class SaeFamily:
    """Numbers of several SAEs on the same words."""

    numbers: pd.DataFrame
    resamples: pd.DataFrame
    stamps: dict[str, dict[str, Any]]
    letters: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LETTERS))
    """Rates by letter."""
    silences: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=BY_SAE["silences"]))
    """Full absorption under each rule of when main latents are silent (``one_sae.by_silence``)."""

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
        return samples_of(self.resamples, sae, quantity)

    def scores(self, sae: str) -> MeanSamples:
        """Every compared quantity with its resamples, in the form that slopes and differences are taken of."""
        return MeanSamples(
            sae,
            {name: self.value(sae, name) for name in QUANTITIES},
            {name: self.samples(sae, name) for name in QUANTITIES},
        )


def samples_of(resamples: pd.DataFrame, sae: str, quantity: str) -> np.ndarray:
    """One SAE's resamples of one quantity; those at the end that only other quantities have are left out."""
    found = resamples.loc[resamples["sae"] == sae, quantity].to_numpy(dtype=np.float64)
    known = np.flatnonzero(~np.isnan(found))
    return found[: known.max() + 1] if len(known) else found  # a rate of no letter is NaN throughout


def measured_of(card: Mapping[str, Any]) -> dict[str, float]:
    """What a card says was measured after training: L0 and explained variance on held-out text and at the words of
    spelling prompts, cross-entropy recovered, dead latents."""
    text, words = (card["measured"][of] for of in ("held_out_text", "words_in_spelling_prompts"))
    return {
        "l0_text": text["l0"],
        "l0_words": words["l0"],
        "explained_variance": text["explained_variance"],
        "explained_variance_words": words["explained_variance"],
        "recovered": text["cross_entropy"]["recovered"],
        "dead": card["measured"]["dead_latents"],
    }


def read_sae_family(folder: str | Path = "") -> SaeFamily:
    """The stored numbers; of the shipped SAEs if ``folder`` is empty.

    Raises:
        StoredNumbersError: a file is missing, damaged or not the one that was written, SAEs were measured with
            different parameters, or one does not state them, or a shipped SAE is not the one that was measured.
    """
    if folder:
        return read_folder(Path(folder))
    place = data_root() / FOLDER
    family = _read(place)
    check_shipped(family)
    # Last: what is wrong with the numbers says more than that a file is not the one that was written.
    sums.check(place, refuse=StoredNumbersError)
    return family


def read_folder(place: Path) -> SaeFamily:
    """Stored numbers of any SAEs, shipped or not.

    Raises:
        StoredNumbersError: as for ``read_sae_family``, but for the last case.
    """
    family = _read(place)
    sums.check(place, refuse=StoredNumbersError)
    return family


def _read(place: Path) -> SaeFamily:
    try:
        stamps = json.loads((place / "stamps.json").read_text(encoding="utf-8"))
        family = SaeFamily(
            # Numbers from before rates had a null have none: their columns are empty, and no claim rests on them.
            pd.read_parquet(place / "numbers.parquet").reindex(columns=COLUMNS),
            pd.read_parquet(place / "resamples.parquet"),
            stamps,
            **{name: pd.read_parquet(place / f"{name}.parquet")[columns] for name, columns in BY_SAE.items()},
        )
    except (OSError, ValueError, KeyError) as error:
        raise StoredNumbersError(f"{place} holds no stored numbers ({error}). Make them: {MAKE}.") from None
    check_alike(family)
    return family


def card_of(sae: str, stamp: Mapping[str, Any]) -> dict[str, Any]:
    """The card of a shipped SAE, or the one that its stamp keeps."""
    return stamp["card"] if "card" in stamp else shipped_card(sae)


def members(family: SaeFamily) -> pd.DataFrame:
    """One row an SAE: what it is, and what its card says of it.

    Columns ``sae, architecture, d_sae, k, layer, seed``, those of ``measured_of`` with ``l0_share`` after
    ``l0_words``, and ``shipped``; L0 is the mean number of active latents, ``l0_share`` that at the words over the
    model's d_model.
    """
    d_model = model_size(family.parameters["model"]).d_model
    rows = []
    for sae in family.saes:
        card = card_of(sae, family.stamps[sae])
        rows.append(
            {
                "sae": sae,
                "architecture": card["architecture"],
                "d_sae": card["d_sae"],
                "k": card["k"],
                "layer": int(card["hook_name"].split(".")[1]),
                "seed": card["recipe"]["seed"],
                **measured_of(card),
                "shipped": "no" if "card" in family.stamps[sae] else "yes",
            }
        )
    table = pd.DataFrame(rows)
    table.insert(list(table.columns).index("l0_words") + 1, "l0_share", table["l0_words"] / d_model)
    return table


def along(family: SaeFamily, chosen: pd.DataFrame, quantities: Iterable[str]) -> pd.DataFrame:
    """The rows of ``members`` joined with their numbers: ``quantity, value, low, high`` and a rate's null."""
    wanted = family.numbers[family.numbers["quantity"].isin(list(quantities))]
    return chosen.merge(
        wanted[["sae", "quantity", "value", "low", "high", *NULL]], on="sae", validate="one_to_many"
    )


def check_alike(family: SaeFamily) -> None:
    """Refuse SAEs measured with different parameters, or tables that are not of the same measurement.

    Raises:
        StoredNumbersError: there are such.
    """
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

    _check_tables(family)


def _check_tables(family: SaeFamily) -> None:
    """Full absorption under the published rule stands in three tables, and is one number."""
    mean = (family.letters["definition"] == FULL_ABSORPTION) & (family.letters["letter"] == MEAN)
    published = family.silences["silence"] == AT_ZERO
    for name, rows in (("letters", family.letters[mean]), ("silences", family.silences[published])):
        for sae, rate_there in zip(rows["sae"], rows["rate"], strict=True):
            stored = family.value(sae, rate(FULL_ABSORPTION))
            if not np.isclose(rate_there, stored, rtol=0, atol=SAME_RATE, equal_nan=True):
                raise StoredNumbersError(
                    f"The full absorption of {sae} is {stored:.6f} in numbers and {rate_there:.6f} in {name}. "
                    f"Make them: {MAKE}."
                )


def _check_same(sae: str, what: str, stored: str | None, now: str) -> None:
    if stored != now:
        told = f"The stored numbers of {sae} are of {what} {stored}, the shipped one has {now}."
        raise StoredNumbersError(f"{told} Make them: {MAKE}.")


def check_shipped(family: SaeFamily) -> None:
    """Shipped SAEs are checked by the hashes of weights and configuration; of the others there is the recipe, which
    must be the card's.

    All shipped SAEs must be there. Those that are recipes only may be there or not.

    Raises:
        StoredNumbersError: an SAE is missing, or is another one.
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

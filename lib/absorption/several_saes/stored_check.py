"""Measure a part of the stored numbers again, and refuse them if they come out differently."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from absorption import definitions, one_sae
from absorption.base.quantities import rate
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.models.language_model import LanguageModel
from absorption.one_sae import summary
from absorption.one_sae.by_silence import full_by_silence
from absorption.one_sae.study import Study
from absorption.saes.loader import load_sae
from absorption.saes.shipped import SHIPPED
from absorption.several_saes import numbers
from absorption.several_saes.contrasts import LAYER
from absorption.several_saes.stored_numbers import MAKE, SaeFamily, StoredNumbersError, members

TOLERANCE = 0.01
"""Largest difference that passes. The same machine gives the same numbers; another adds in another order, which
moves a word whose latent is at its threshold, and a rate by one word in some hundreds."""


class StaleNumbersError(StoredNumbersError):
    """Stored numbers that come out differently when measured again."""


def chosen_for_check(family: SaeFamily, n: int, seed: int) -> list[str]:
    """``n`` shipped SAEs at the layer that most of the family reads (whose activations other chapters have made)."""
    rows = members(family)
    there = rows[(rows[LAYER] == rows[LAYER].mode()[0]) & (rows["shipped"] == "yes")]["sae"].tolist()
    order = np.random.default_rng(seed).permutation(len(there))
    return [there[i] for i in order[:n]]


def again(family: SaeFamily, saes: Sequence[str], lm: LanguageModel) -> pd.DataFrame:
    """Measure some SAEs again with the stored parameters.

    Returns:
        ``sae, quantity, stored, now, difference``, every number of the one-SAE page, its full absorption by rule of
        silence where that is stored, and ``ends``, by how much the
        end of its interval that differs more does.

    Raises:
        StaleNumbersError: a number or an end of its interval differs by more than ``TOLERANCE``.
    """
    tables = [_again(family, sae, lm) for sae in saes]
    columns = ["sae", "quantity", "stored", "now", "difference", "ends"]
    table = pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
    size = table[["difference", "ends"]].abs().max(axis=1, skipna=False)
    off = table[~(size <= TOLERANCE)]
    if len(off):
        worst = off.loc[size[off.index].sort_values().index[-1]]  # NaN comes last
        raise StaleNumbersError(
            f"{len(off)} stored numbers come out differently, such as {worst['quantity']!r} of {worst['sae']}: "
            f"stored {worst['stored']:.4f}, now {worst['now']:.4f}, an end of its interval off by "
            f"{worst['ends']:.4f}. Make them: {MAKE}."
        )
    return table


def study_again(family: SaeFamily, name: str, lm: LanguageModel) -> Study:
    """A shipped SAE on the words that the family was measured on."""
    given = family.parameters
    sae = load_sae(SHIPPED, name, lm)
    words = one_sae.prepare_words(
        lm, sae.hook_name, n_words=given["n_words"], n_sets=given["n_sets"], seed=given["seed"]
    )
    return one_sae.study_saes(words, [sae])[0]


def _again(family: SaeFamily, name: str, lm: LanguageModel) -> pd.DataFrame:
    given = family.parameters
    mine = study_again(family, name, lm)
    thresholds = definitions.Thresholds(max_candidates=given["max_candidates"])
    effects = summary.measure_effects(
        mine,
        thresholds,
        per_letter=given["per_letter"],
        probe=given["probe"],
        seed=given["seed"],
    )
    now = [numbers.summary({name: numbers.numbers(mine, effects)})]
    stored = [family.numbers[family.numbers["sae"] == name]]
    silences = family.silences[family.silences["sae"] == name]
    if len(silences):
        again_by_silence = full_by_silence(mine, effects, thresholds, seed=given["seed"]).assign(sae=name)
        now, stored = [*now, silence_numbers(again_by_silence)], [*stored, silence_numbers(silences)]
    return beside_now(pd.concat(stored, ignore_index=True), pd.concat(now, ignore_index=True))


def silence_numbers(silences: pd.DataFrame) -> pd.DataFrame:
    """Rates by rule of silence (``SaeFamily.silences``) as numbers: ``sae, quantity, value, low, high``."""
    quantity = silences["silence"].map((rate(FULL_ABSORPTION) + ", silent: {}").format)
    return silences.assign(quantity=quantity, value=silences["rate"])[
        ["sae", "quantity", "value", "low", "high"]
    ]


def beside_now(stored: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Two measurements of the same numbers: ``stored, now, difference`` and ``ends``, NaN where one is missing.

    A rate that an SAE has in neither (no letter passes the gate) is the same in both.
    """
    table = stored.merge(
        now, on=["sae", "quantity"], how="outer", suffixes=("_stored", "_now"), indicator="found"
    )
    table = table.rename(columns={"value_stored": "stored", "value_now": "now"})
    ends = [(table[f"{end}_now"] - table[f"{end}_stored"]).abs() for end in ("low", "high")]
    furthest = pd.concat(ends, axis=1).max(axis=1, skipna=False)
    neither = (table["found"] == "both") & table["stored"].isna() & table["now"].isna()
    difference = (table["now"] - table["stored"]).mask(neither, 0.0)
    return table.drop(columns="found").assign(difference=difference, ends=furthest.mask(neither, 0.0))

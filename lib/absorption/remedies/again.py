"""A part of the stored numbers, measured again; they are refused if they come out differently."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from absorption import one_sae
from absorption.models.language_model import LanguageModel
from absorption.remedies.collect import subject_at
from absorption.remedies.measure import measure_sae
from absorption.remedies.stored import MAKE, Remedies, StoredRemediesError
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import SHIPPED, shipped_ids

TOLERANCE = 0.002
"""Largest difference that passes: another machine adds in another order, which moves a word at a threshold. Smaller
than any difference between arms that the page speaks of."""


class StaleRemediesError(StoredRemediesError):
    """Stored numbers that come out differently when measured again."""


def checked_sae(stored: Remedies, model: LanguageModel) -> LoadedSae:
    """The first SAE of the arms whose weights ship.

    Raises:
        StaleRemediesError: none does, or the model is another one.
    """
    if model.weights_hash != stored.subject["model_weights_hash"]:
        raise StaleRemediesError(
            f"Stored numbers are of model weights {stored.subject['model_weights_hash']}, "
            f"model {model.name!r} has {model.weights_hash}."
        )
    there = [sae for sae in stored.saes if sae in shipped_ids()]
    if not there:
        raise StaleRemediesError(f"No SAE of the stored numbers ships. Make them: {MAKE}.")
    return load_sae(SHIPPED, there[0], model)


def check_again(stored: Remedies, sae: LoadedSae, model: LanguageModel) -> pd.DataFrame:
    """Every number of one SAE that needs no ablation.

    Returns:
        ``quantity, stored, now, difference``.

    Raises:
        StaleRemediesError: a number differs by more than ``TOLERANCE`` of it or in all, or was not stored.
    """
    asked = replace(stored.asked, ablate=False)
    words, text = subject_at(model, asked)
    study = one_sae.study_saes(words, [sae])[0]
    now = measure_sae(study, text.rows, asked).numbers[["quantity", "value"]]
    table = now.rename(columns={"value": "now"})
    table.insert(1, "stored", [stored.value(sae.name, quantity) for quantity in table["quantity"]])
    table["difference"] = table["now"] - table["stored"]
    both_missing = table["now"].isna() & table["stored"].isna()
    size = (table["difference"].abs() / table["stored"].abs().clip(lower=1)).mask(both_missing, 0.0)
    worst = table.iloc[int(size.fillna(np.inf).to_numpy().argmax())]
    if not size.fillna(np.inf).max() <= TOLERANCE:
        raise StaleRemediesError(
            f"Stored numbers come out differently, such as {worst['quantity']!r} of {sae.name}: stored "
            f"{worst['stored']:.4f}, now {worst['now']:.4f}. Make them: {MAKE}."
        )
    return table

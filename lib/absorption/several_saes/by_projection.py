"""Rates by letter and by rule of silence of shipped SAEs whose stored numbers are from before these were kept.

Only full absorption and the fraction: they need no pass of the model, so that nothing is ablated again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from absorption.base.data import data_root
from absorption.definitions.thresholds import Thresholds
from absorption.models.language_model import LanguageModel
from absorption.one_sae.by_silence import full_by_silence
from absorption.one_sae.study import Study
from absorption.one_sae.summary import measure_absorption
from absorption.several_saes.collected import write
from absorption.several_saes.stored_check import study_again
from absorption.several_saes.stored_numbers import (
    BY_SAE,
    FOLDER,
    SaeFamily,
    check_alike,
    members,
    read_sae_family,
)


def lacking(family: SaeFamily) -> list[str]:
    """Shipped SAEs without a row in one of ``BY_SAE``."""
    rows = members(family)
    kept = [set(getattr(family, name)["sae"]) for name in BY_SAE]
    shipped = rows.loc[rows["shipped"] == "yes", "sae"]
    return [sae for sae in shipped if not all(sae in there for there in kept)]


def complete(
    load: Callable[[str, str], LanguageModel], folder: Path | None = None
) -> tuple[SaeFamily, list[str]]:
    """Measure what is lacking and put it beside what is stored.

    Args:
        load: gives the model by name and dtype; not called where nothing is lacking.
        folder: where the numbers are written (default the shipped place).

    Returns:
        The family, and the SAEs that were measured.

    Raises:
        StoredNumbersError: the stored numbers are unfit to be read, or the full absorption measured now is not the
            one that is stored.
    """
    family = read_sae_family()
    names = lacking(family)
    given = family.parameters
    model = load(given["model"], given["dtype"]) if names else None
    for name in tqdm(names, desc="SAEs"):
        assert model is not None
        found = rates_by_projection(study_again(family, name, model), family)
        family = replace(family, **{table: _with(getattr(family, table), found[table]) for table in BY_SAE})
        check_alike(family)
        write(family, folder or data_root() / FOLDER)
    return family, names


def rates_by_projection(study: Study, family: SaeFamily) -> dict[str, pd.DataFrame]:
    """The tables of ``BY_SAE`` of one SAE, with the parameters of the family."""
    given = family.parameters
    thresholds = Thresholds(max_candidates=given["max_candidates"])
    found = measure_absorption(study, thresholds, probe=given["probe"], ablate=False, seed=given["seed"])
    tables = {
        "letters": found.rates,
        "silences": full_by_silence(study, found, thresholds, seed=given["seed"]),
    }
    return {name: table.assign(sae=study.sae.name)[BY_SAE[name]] for name, table in tables.items()}


def _with(stored: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    others = stored[~stored["sae"].isin(new["sae"])]
    return pd.concat([others, new], ignore_index=True) if len(others) else new

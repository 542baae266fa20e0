"""Which letters of one SAE count for a rate, with the names of the latents that fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from absorption import definitions
from absorption.definitions.silence import PUBLISHED, Silence
from absorption.definitions.thresholds import Thresholds
from absorption.latents.words import top_words
from absorption.one_sae.study import Study, train_rows

FEW = 5
"""With fewer letters than this, a mean over letters is one of a handful of latents, and is said to be."""


def gate_table(
    study: Study,
    main: Mapping[str, Sequence[int]],
    thresholds: Thresholds,
    silence: Silence = PUBLISHED,
) -> pd.DataFrame:
    """``definitions.gate`` with names: ``letter, latent`` (the first main one), ``strongest_on`` (its strongest words),
    ``n_main, recall, precision, prevalence, valid``."""
    labels = study.words.probed.labels
    table = definitions.gate(
        study.acts.csr, labels, train_rows(study.words), main, thresholds, study.words.names, silence
    )
    table = table[table["n_main"] > 0].reset_index(drop=True)
    first = [main[letter][0] for letter in table["letter"]]
    names = top_words(study.acts, study.words.table, first)
    table.insert(1, "latent", first)
    table.insert(2, "strongest_on", [names[latent] for latent in first])
    return table


def failing(table: pd.DataFrame, letters: Sequence[str]) -> pd.DataFrame:
    """The rows of ``gate_table`` that fail, of the letters that are used."""
    rows = table[table["letter"].isin(letters) & ~table["valid"]]
    return rows.drop(columns="valid").reset_index(drop=True)


def in_words(table: pd.DataFrame, letters: Sequence[str]) -> str:
    """How many of the letters used pass, and whether they are few."""
    n = int((table["letter"].isin(letters) & table["valid"]).sum())
    few = " (too few for a mean that says much)" if n < FEW else ""
    return f"{n} of {len(letters)} letters{few}"

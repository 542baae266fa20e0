"""The tables of a result: rates by letter, the letters' main latents, and every judged word."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from absorption.definitions.factors import with_factors
from absorption.definitions.rates import absorption_rates
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.definitions.versions import (
    FRACTION_UNTHRESHOLDED,
    SOURCES,
    apply_unthresholded,
    null_unthresholded,
)
from absorption.latents.main import K_SPARSE
from absorption.latents.words import top_words
from absorption.one_sae.by_silence import SILENCE_COLUMNS, full_by_silence
from absorption.one_sae.study import Study
from absorption.one_sae.summary import Absorption
from absorption.spelling.vocab import LETTERS

GATE = ["recall", "precision", "prevalence", "valid"]


def all_definitions(
    found: Absorption, definitions: Sequence[str], *, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Words of the letters judged, and rates, under the definitions asked for; the older fraction is judged here."""
    judged, rates = found.judged, found.rates
    if FRACTION_UNTHRESHOLDED in definitions:
        more = apply_unthresholded(found.evidence)
        null = null_unthresholded(found.evidence, seed=seed)
        about = {"letters": found.letters, "valid": found.valid, "null": null, "seed": seed}
        judged = pd.concat([judged, more], ignore_index=True)
        rates = pd.concat([rates, absorption_rates(more, **about)], ignore_index=True)
    asked, letters = list(definitions), found.letters
    of_letters = judged["definition"].isin(asked) & judged["letter"].isin(letters)
    return judged[of_letters], rates[rates["definition"].isin(asked)]


def rates_table(rates: pd.DataFrame) -> pd.DataFrame:
    """``definitions.absorption_rates`` with each rate's two factors and the source of its definition."""
    table = with_factors(rates)
    return table.assign(source=table["definition"].map(SOURCES))


def silences_table(
    study: Study, found: Absorption, thresholds: Thresholds, definitions: Sequence[str], *, seed: int
) -> pd.DataFrame:
    """``one_sae.by_silence.full_by_silence`` if full absorption is asked for, else no rows."""
    if FULL_ABSORPTION not in definitions:
        return pd.DataFrame(columns=SILENCE_COLUMNS)
    return full_by_silence(study, found, thresholds, seed=seed)


def latents_table(study: Study, found: Absorption) -> pd.DataFrame:
    """One row a letter and main latent, with the scores of the first ``rank`` of them together."""
    main = study.main[K_SPARSE]
    rows = [(letter, rank, latent) for letter in main for rank, latent in enumerate(main[letter], start=1)]
    table = pd.DataFrame(rows, columns=["letter", "rank", "latent"])
    names = top_words(study.acts, study.words.table, table["latent"].unique().tolist())
    table["strongest_on"] = table["latent"].map(names)
    places = table["letter"].map(LETTERS.index)
    table["cosine"] = found.evidence.cosines.numpy()[places, table["latent"]]
    scores = study.k_sparse.scores.rename(columns={"k": "rank"})
    table = table.merge(scores[["letter", "rank", "latent", "f1", "f1_low", "f1_high"]])
    judged = found.gate[["letter", *GATE]].assign(judged=found.gate["letter"].isin(found.letters))
    return table.merge(judged, on="letter", how="left")


def words_table(judged: pd.DataFrame, words: pd.DataFrame) -> pd.DataFrame:
    """``definitions.apply_definitions`` with the words' text in the place of their row numbers."""
    about = words[["word", "token_id"]].iloc[judged["word"].to_numpy()].reset_index(drop=True)
    rest = judged.drop(columns="word").reset_index(drop=True)
    return pd.concat([about, rest], axis=1)

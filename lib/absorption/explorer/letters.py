"""Letters of one SAE: k-sparse probes with the gate at each number of main latents, and cosines with the probe."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from absorption.definitions.gate import gate
from absorption.definitions.thresholds import Thresholds
from absorption.explorer.words import Ranking
from absorption.one_sae.study import Study, train_rows
from absorption.spelling.vocab import LETTERS

N_BINS = 60
BIN_COLUMNS = ["letter", "low", "high", "latents"]
"""Counts of all latents' decoder cosines with a letter's probe."""


def scores_table(study: Study, ranking: Ranking, thresholds: Thresholds) -> pd.DataFrame:
    """k-sparse probes of each letter, and the gate that the first k latents together pass or fail.

    Args:
        study: the SAE on the words.
        ranking: latents that may be main latents.
        thresholds: of the gate.

    Returns:
        ``letter, k, latent, f1, f1_low, f1_high`` (test words); ``recall, precision, valid`` of any of the first k
        latents being on (training words), NaN and False beyond the letter's ranking.
    """
    names = ["letter", "k", "latent", "f1", "f1_low", "f1_high"]
    table = study.k_sparse.scores[names].sort_values(["letter", "k"], ignore_index=True)
    labels, train = study.words.probed.labels, train_rows(study.words)
    gates = []
    for k in range(1, max(map(len, ranking.values())) + 1):
        first = {letter: list(latents[:k]) for letter, latents in ranking.items()}
        found = gate(study.acts.csr, labels, train, first, thresholds)
        gates.append(found.assign(k=k)[[len(ranking[letter]) >= k for letter in found["letter"]]])
    about = pd.concat(gates)[["letter", "k", "recall", "precision", "valid"]]
    table = table.merge(about, on=["letter", "k"], how="left")
    return table.assign(valid=table["valid"].eq(True))


def cosine_bins(cosines: Float[np.ndarray, "26 latent"]) -> pd.DataFrame:
    """How many latents have which decoder cosine with each letter's probe; columns as in ``BIN_COLUMNS``."""
    edges = np.linspace(min(cosines.min(), 0.0), max(cosines.max(), 0.0) + 1e-6, N_BINS + 1)
    tables = [
        pd.DataFrame(
            {"letter": letter, "low": edges[:-1], "high": edges[1:], "latents": np.histogram(mine, edges)[0]}
        )
        for letter, mine in zip(LETTERS, cosines, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)[BIN_COLUMNS]

"""Which letters have main latents that stand for the letter at all: a rate over others would measure their failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from torch import Tensor

from absorption.definitions.silence import PUBLISHED, Silence
from absorption.definitions.thresholds import Thresholds
from absorption.probes.l1 import to_scipy
from absorption.spelling.vocab import LETTERS


def gate(
    csr: Tensor,
    labels: Bool[Tensor, "word letter"],
    train: Int[Tensor, " train"],
    main: Mapping[str, Sequence[int]],
    thresholds: Thresholds,
    names: Sequence[str] = LETTERS,
    silence: Silence = PUBLISHED,
) -> pd.DataFrame:
    """The main latents of each letter together (any of them on) as a classifier of the *training* words.

    A letter is ``valid`` if their recall is at least ``min_main_recall`` and their precision at least
    ``min_main_lift`` times the letter's share of the words. Absorption is the exception on words where the letter's
    latent should fire; a latent that misses most of its words, or fires as often elsewhere, is not the letter's, and
    what others carry on its words has not been taken from it. The choice of main latents never sees the test words
    on which rates are taken, and neither does the gate.

    Args:
        csr: sparse CSR matrix ``word latent`` of activations.
        labels: the words' letters.
        train: rows of the training words.
        main: main latents of each letter.
        thresholds: with the two limits.
        names: the letters, in the order of the labels.
        silence: when a main latent is on; a rule by shares looks at words of a letter only, so that by it, as by the
            published rule, a latent is on here above 0.

    Returns:
        ``letter, n_main, recall, precision, prevalence, valid``; precision is 0 where no main latent ever fires.
    """
    matrix = to_scipy(csr)[train.numpy()].tocsc()
    rows = []
    for number, letter in enumerate(names):
        latents, truth = list(main.get(letter, ())), labels[train, number].numpy()
        on = silence.on(letter, np.array(latents, dtype=np.int64), matrix[:, latents].toarray()).any(axis=1)
        hits, prevalence = float((on & truth).sum()), float(truth.mean())
        recall, precision = hits / max(truth.sum(), 1), hits / max(on.sum(), 1)
        valid = (
            recall >= thresholds.min_main_recall
            and precision >= thresholds.min_main_lift * prevalence
            and hits > 0
        )
        rows.append((letter, len(latents), recall, precision, prevalence, valid))
    return pd.DataFrame(rows, columns=["letter", "n_main", "recall", "precision", "prevalence", "valid"])


def valid_letters(table: pd.DataFrame) -> list[str]:
    """The letters that pass, from ``gate``."""
    return table.loc[table["valid"], "letter"].tolist()

"""Chapter 6: exact effects against integrated gradients, by rank agreement and sign errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from absorption.ablation.gradients import integrated_gradients
from absorption.base.statistics import mean_interval
from absorption.chapters.findings import Findings
from absorption.chapters.mediation.latents_removed import Removed
from absorption.chapters.mediation.parts_removed import Studied
from absorption.chapters.settings import MediationSettings

FLOOR = 0.05
"""Effects smaller than this share of the word's strongest are left out of the sign errors: their sign is
idle."""


@dataclass(frozen=True)
class Estimated(Findings):
    """Estimates beside exact effects, by word and by latent, and their agreement."""

    by_word: pd.DataFrame
    pairs: pd.DataFrame
    summary: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Agreement word by word."""
        return {"estimates": self.by_word}


def estimate(studied: Studied, removed: Removed, settings: MediationSettings) -> Estimated:
    """Estimate the effects that were computed exactly."""
    mine, exact = studied.mine, removed.exact
    guess = integrated_gradients(studied.engine, mine.acts.csr, removed.words, steps=settings.n_steps)
    by_word = compare_estimates(exact, guess)
    pairs = paired_effects(exact, guess, mine.words.table)
    return Estimated(by_word, pairs, estimate_summary(by_word, seed=settings.seed))


def compare_estimates(exact: pd.DataFrame, estimated: pd.DataFrame) -> pd.DataFrame:
    """How well estimated effects stand in for exact ones, word by word.

    Args:
        exact: from ``ablation.all_effects``.
        estimated: from ``ablation.integrated_gradients``, for the same words and latents.

    Returns:
        ``word, letter, n_latents, rank_agreement`` (Spearman), ``sign_errors`` (share of the effects above
        ``FLOOR`` of the strongest), ``same_top`` (strongest latent agrees), ``error`` (root mean square
        difference over root mean square exact effect), ``top_exact, top_estimated`` (strongest effect by
        each).

    Raises:
        ValueError: the tables are of different words or latents.
    """
    keys = ["word", "letter", "latent"]
    both = exact.merge(estimated, on=keys, suffixes=("_exact", "_estimated"), how="outer", indicator=True)
    if (both["_merge"] != "both").any():
        raise ValueError("exact and estimated effects are of different words or latents.")
    columns = ["effect_exact", "effect_estimated"]
    rows = [
        (word, letter, *_compare(*(mine[name].to_numpy() for name in columns)))
        for (word, letter), mine in both.groupby(["word", "letter"])  # type: ignore[misc]
    ]
    names = ["n_latents", "rank_agreement", "sign_errors", "same_top", "error", "top_exact", "top_estimated"]
    return pd.DataFrame(rows, columns=["word", "letter", *names])


def estimate_summary(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Means of ``compare_estimates`` over words, with intervals: ``quantity, value, low, high``."""
    names = {
        "rank agreement": "rank_agreement", "sign errors": "sign_errors", "same strongest": "same_top",
        "error": "error",
    }  # fmt: skip
    rows = []
    for name, column in names.items():
        found = mean_interval(table[column].dropna().to_numpy(dtype=np.float64), seed=seed)
        rows.append((name, found.value, found.low, found.high))
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high"])


def paired_effects(exact: pd.DataFrame, estimated: pd.DataFrame, words: pd.DataFrame) -> pd.DataFrame:
    """One row a word and latent: ``word`` (its text), ``latent, exact, estimated``, for a scatter plot.

    Args:
        exact: from ``ablation.all_effects``.
        estimated: from ``ablation.integrated_gradients``, for the same words.
        words: the words' table.
    """
    both = exact.merge(estimated, on=["word", "latent"], suffixes=("_exact", "_estimated"))
    text = words["word"].to_numpy()[both["word"].to_numpy()]
    columns = {"word": text, "latent": both["latent"], "exact": both["effect_exact"]}
    return pd.DataFrame(columns | {"estimated": both["effect_estimated"]})


def _compare(exact: np.ndarray, estimated: np.ndarray) -> tuple[int, float, float, bool, float, float, float]:
    first, second = (pd.Series(values).rank().to_numpy() for values in (exact, estimated))
    spread = float(first.std() * second.std())
    together = float(((first - first.mean()) * (second - second.mean())).mean())
    agreement = together / spread if spread > 0 else np.nan
    top, guess = np.abs(exact).argmax(), np.abs(estimated).argmax()
    large = np.abs(exact) >= FLOOR * np.abs(exact[top])
    wrong = float((np.sign(exact[large]) != np.sign(estimated[large])).mean())
    scale = float(np.sqrt((exact**2).mean()))
    error = float(np.sqrt(((exact - estimated) ** 2).mean())) / scale if scale > 0 else np.nan
    return len(exact), agreement, wrong, bool(top == guess), error, float(exact[top]), float(estimated[guess])

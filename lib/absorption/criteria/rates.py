"""Rates of absorption: by letter and over letters, with intervals over words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from absorption.statistics import N_RESAMPLES, interval, resample_counts

MEAN = "mean"


def absorption_rates(
    table: pd.DataFrame,
    *,
    letters: Sequence[str] | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    stems: Shaped[np.ndarray, " all_words"] | None = None,
) -> pd.DataFrame:
    """Absorptions over words that the probe gets right, by definition and letter, and their mean over
    letters.

    Where only some candidates were judged, the rate is the share of candidates times the absorbed share of
    those judged. Words are resampled within each letter.

    Args:
        table: from ``criteria.judge`` (one or several definitions).
        letters: letters to use (those probed well); default all in the table.
        n_resamples: bootstrap resamples.
        seed: of the bootstrap.
        stems: of every word, by row number: resampled instead of words, so that case and space variants of a
            word stay together.

    Returns:
        ``definition, letter, rate, low, high, n_right, n_candidates, n_judged, n_absorbed, spread``: a row a
        letter and one called ``mean``, whose ``spread`` is the standard deviation of the letters' rates.
    """
    rows = []
    for definition, mine in table.groupby("definition", sort=False):
        used = [
            letter
            for letter in (letters or sorted(mine["letter"].unique()))
            if (mine["letter"] == letter).any()
        ]
        found = [
            _letter_rate(mine[mine["letter"] == letter], letter, n_resamples, seed + number, stems)
            for number, letter in enumerate(used)
        ]
        rows += [{"definition": definition, **row} for row, _ in found]
        rows.append({"definition": definition, **_mean_row(found)})
    return pd.DataFrame(rows)


def mean_rate_samples(
    table: pd.DataFrame, letters: Sequence[str], *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> tuple[float, Float[np.ndarray, " resample"]]:
    """The mean rate over letters of one definition, and its value in every bootstrap resample.

    Tables of the same words, letters and seed share their resamples, so that differences are paired.
    """
    groups = [(n, table[table["letter"] == letter]) for n, letter in enumerate(letters)]
    found = [_letter_rate(mine, letters[n], n_resamples, seed + n) for n, mine in groups if len(mine)]
    rates = np.array([float(row["rate"]) for row, _ in found])
    return float(np.nanmean(rates)), np.nanmean([samples for _, samples in found], axis=0)


def _letter_rate(
    table: pd.DataFrame, letter: str, n_resamples: int, seed: int, stems: np.ndarray | None = None
) -> tuple[dict[str, float | str], Float[np.ndarray, " resample"]]:
    groups = None if stems is None else stems[table["word"].to_numpy()]
    counts = resample_counts(len(table), n_resamples=n_resamples, seed=seed, groups=groups)
    low, high = interval(samples := _rate(table, counts))
    row = {
        "letter": letter,
        "rate": float(_rate(table, np.ones((1, len(table)), dtype=np.float32))[0]),
        "low": float(low),
        "high": float(high),
        "n_right": len(table),
        "n_candidates": int(table["candidate"].sum()),
        "n_judged": int(table["judged"].sum()),
        "n_absorbed": int(table["absorbed"].sum()),
        "spread": np.nan,
    }
    return row, samples


def _rate(table: pd.DataFrame, counts: Float[np.ndarray, "resample word"]) -> Float[np.ndarray, " resample"]:
    """Share that could be judged times mean value of those that were."""
    judged = table["judged"].to_numpy(dtype=np.float64)
    value = table["value"].to_numpy(dtype=np.float64) * judged
    # A definition that judges only candidates speaks for them; one that judges all words speaks for all.
    whole = judged.all()
    eligible = judged if whole else table["candidate"].to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_value = counts @ value / (counts @ judged)
        share = counts @ eligible / counts.sum(axis=1)
    return np.where(share == 0, 0.0, share * mean_value)


def _mean_row(found: list[tuple[dict, np.ndarray]]) -> dict[str, float | str]:
    rates = np.array([row["rate"] for row, _ in found])
    low, high = interval(np.nanmean([samples for _, samples in found], axis=0))
    totals = {
        name: sum(row[name] for row, _ in found)
        for name in ("n_right", "n_candidates", "n_judged", "n_absorbed")
    }
    mean = {"letter": MEAN, "rate": float(np.nanmean(rates)), "low": float(low), "high": float(high)}
    return mean | totals | {"spread": float(np.nanstd(rates, ddof=1)) if len(rates) > 1 else np.nan}

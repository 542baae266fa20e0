"""Rates of absorption: by letter and over letters, with intervals over words, each beside its null."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from absorption.base.statistics import LEVEL, N_RESAMPLES, interval, resample_counts
from absorption.definitions.nulls import Null

MEAN = "mean"


@dataclass(frozen=True)
class Rate:
    """A rate, its null, and both in every bootstrap resample of the words."""

    value: float
    samples: Float[np.ndarray, " resample"]
    null: dict[str, Float[np.ndarray, " draw"]]
    """The same rate under other directions, by their kind; empty if no null was asked for."""
    null_samples: dict[str, Float[np.ndarray, "resample draw"]]

    def row(self) -> dict[str, float]:
        """``rate, low, high, null, null_low, null_high, p``.

        ``null`` is the mean over all directions and its ends are those of 95% of them. ``p`` is one-sided: in which
        share of the resamples the rate is not above the null's, over the same words and a direction drawn with them;
        the larger of the two kinds'. NaN without a null, or where there is no rate.
        """
        low, high = interval(self.samples)
        row = {"rate": self.value, "low": float(low), "high": float(high)}
        if not self.null or np.isnan(self.value):
            return row | dict.fromkeys(("null", "null_low", "null_high", "p"), np.nan)
        draws = np.concatenate(list(self.null.values()))
        ends = interval(draws, LEVEL)
        p = max(not_above(self.samples, drawn) for drawn in self.null_samples.values())
        return row | {
            "null": float(np.nanmean(draws)), "null_low": float(ends[0]), "null_high": float(ends[1]), "p": p,
        }  # fmt: skip


def not_above(samples: Float[np.ndarray, " resample"], null: Float[np.ndarray, "resample draw"]) -> float:
    """Share of resamples and directions in which a rate is not above its null; at least one in n + 1 resamples."""
    known = ~np.isnan(null) & ~np.isnan(samples)[:, None]
    below = (samples[:, None] <= null)[known]
    return float(max(below.mean(), 1 / (len(samples) + 1))) if len(below) else np.nan


def mean_of(rates: Sequence[Rate]) -> Rate:
    """The mean over letters, word by word resampled within each; all NaN for no letters."""
    if not rates:
        nothing = np.full(N_RESAMPLES, np.nan)
        return Rate(np.nan, nothing, {}, {})
    kinds = rates[0].null
    return Rate(
        float(np.nanmean([rate.value for rate in rates])),
        np.nanmean([rate.samples for rate in rates], axis=0),
        {kind: np.nanmean([rate.null[kind] for rate in rates], axis=0) for kind in kinds},
        {kind: np.nanmean([rate.null_samples[kind] for rate in rates], axis=0) for kind in kinds},
    )


def absorption_rates(
    table: pd.DataFrame,
    *,
    letters: Sequence[str] | None = None,
    valid: Collection[str] | None = None,
    null: Null | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    stems: Shaped[np.ndarray, " all_words"] | None = None,
) -> pd.DataFrame:
    """Absorptions over words that the probe gets right, by definition and letter, and their mean over
    letters.

    Where only some candidates were judged, the rate is the share of candidates times the absorbed share of
    those judged. Words are resampled within each letter.

    Args:
        table: from ``definitions.apply_definitions`` (one or several definitions).
        letters: letters to use (those probed well); default all in the table.
        valid: letters over which the mean is taken, those that pass ``definitions.gate``; default all used.
        null: from ``definitions.null_of_definitions``, of the same words.
        n_resamples: bootstrap resamples.
        seed: of the bootstrap.
        stems: of every word, by row number: resampled instead of words, so that case and space variants of a
            word stay together.

    Returns:
        ``definition, letter, rate, low, high, null, null_low, null_high, p`` (as in ``Rate.row``), ``n_right,
        n_candidates, n_judged, n_absorbed, spread, valid, all_letters``: a row a letter and one called ``mean``, whose
        ``spread`` is the standard deviation of the valid letters' rates, ``valid`` says how many they are, and
        ``all_letters`` is the mean without the gate.
    """
    rows = []
    for definition, mine in table.groupby("definition", sort=False):
        used = [
            letter
            for letter in (sorted(mine["letter"].unique()) if letters is None else letters)
            if (mine["letter"] == letter).any()
        ]
        found = _by_letter(mine, used, null, n_resamples, seed, stems)
        kept = [letter for letter in found if valid is None or letter in valid]
        for letter, rate in found.items():
            about = {"definition": definition, "letter": letter, **rate.row(), **_counts(mine, [letter])}
            rows.append(about | {"spread": np.nan, "valid": "yes" if letter in kept else "no"})
        mean = mean_of([found[letter] for letter in kept]).row()
        about = {"definition": definition, "letter": MEAN, **mean, **_counts(mine, kept)}
        spread = (
            float(np.nanstd([found[letter].value for letter in kept], ddof=1)) if len(kept) > 1 else np.nan
        )
        everyone = mean_of(list(found.values())).value
        rows.append(
            about | {"spread": spread, "valid": f"{len(kept)} of {len(found)}", "all_letters": everyone}
        )
    return pd.DataFrame(rows)


def mean_rate(
    table: pd.DataFrame,
    letters: Sequence[str],
    *,
    valid: Collection[str] | None = None,
    null: Null | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    stems: Shaped[np.ndarray, " all_words"] | None = None,
) -> Rate:
    """The mean rate over letters of one definition, and its value in every bootstrap resample.

    Tables of the same words, letters and seed share their resamples, so that differences are paired; ``stems`` as in
    ``absorption_rates``.
    """
    found = _by_letter(table, letters, null, n_resamples, seed, stems)
    return mean_of([rate for letter, rate in found.items() if valid is None or letter in valid])


def mean_rate_samples(
    table: pd.DataFrame,
    letters: Sequence[str],
    *,
    valid: Collection[str] | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    stems: Shaped[np.ndarray, " all_words"] | None = None,
) -> tuple[float, Float[np.ndarray, " resample"]]:
    """``mean_rate`` without its null: the value, and that of every resample."""
    found = mean_rate(table, letters, valid=valid, n_resamples=n_resamples, seed=seed, stems=stems)
    return found.value, found.samples


def _by_letter(
    table: pd.DataFrame,
    letters: Sequence[str],
    null: Null | None,
    n_resamples: int,
    seed: int,
    stems: np.ndarray | None = None,
) -> dict[str, Rate]:
    """The rate of each letter that has words. A letter's resamples follow from its place among the letters."""
    found = {}
    for number, letter in enumerate(letters):
        mine = (table["letter"] == letter).to_numpy()
        if mine.any():
            groups = None if stems is None else stems[table.loc[mine, "word"].to_numpy()]
            counts = resample_counts(
                int(mine.sum()), n_resamples=n_resamples, seed=seed + number, groups=groups
            )
            found[letter] = _rate(table, mine, null, counts)
    return found


def _rate(table: pd.DataFrame, mine: np.ndarray, null: Null | None, counts: np.ndarray) -> Rate:
    rows = table[mine]
    once = np.ones((1, counts.shape[1]), dtype=np.float32)
    candidate, judged = (rows[name].to_numpy(dtype=np.float64) for name in ("candidate", "judged"))
    value = rows["value"].to_numpy(dtype=np.float64)[:, None]
    at, samples = (_share(value, judged, candidate, weights)[:, 0] for weights in (once, counts))
    values: dict[str, np.ndarray] = {}
    value_samples: dict[str, np.ndarray] = {}
    if null is not None:
        definition = str(rows["definition"].iloc[0])
        seen = null.judged[definition][mine].astype(np.float64)
        for kind, drawn in null.values[definition].items():
            each = drawn[:, mine].T
            values[kind] = _share(each, seen, candidate, once)[0]
            value_samples[kind] = _share(each, seen, candidate, counts)
    return Rate(float(at[0]), samples, values, value_samples)


def _share(
    value: Float[np.ndarray, "word draw"],
    judged: Float[np.ndarray, " word"],
    candidate: Float[np.ndarray, " word"],
    counts: Float[np.ndarray, "resample word"],
) -> Float[np.ndarray, "resample draw"]:
    """Share that could be judged times mean value of those that were."""
    # A definition that judges only candidates speaks for them; one that judges all words speaks for all.
    eligible = judged if judged.all() else candidate
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_value = (counts @ (value * judged[:, None])) / (counts @ judged)[:, None]
        share = (counts @ eligible / counts.sum(axis=1))[:, None]
    return np.where(share == 0, 0.0, share * mean_value)


def _counts(table: pd.DataFrame, letters: Sequence[str]) -> dict[str, int]:
    mine = table[table["letter"].isin(letters)]
    sums = {f"n_{name}": int(mine[name].sum()) for name in ("judged", "absorbed")}
    return {"n_right": len(mine), "n_candidates": int(mine["candidate"].sum()), **sums}

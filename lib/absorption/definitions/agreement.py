"""Where the definitions disagree, and how rates move with the thresholds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from absorption.definitions.evidence import Subject
from absorption.definitions.judge import judge_by_effects, judge_by_projection
from absorption.definitions.nulls import Null, null_by_effects, null_by_projection
from absorption.definitions.rates import MEAN, absorption_rates
from absorption.definitions.rules import ABLATION
from absorption.definitions.thresholds import Thresholds


def wide(table: pd.DataFrame) -> pd.DataFrame:
    """One row a word judged by every definition: ``word, letter`` and a column of values a definition."""
    judged = table[table["judged"]]
    values = judged.pivot(index=["word", "letter"], columns="definition", values="value")
    values = values.reindex(columns=list(dict.fromkeys(table["definition"])))  # one may have judged no word
    return values.dropna().reset_index().rename_axis(columns=None)


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Every pair of definitions on the words that both judge: ``first, second, both, only_first, only_second,
    neither, kappa``.

    ``kappa`` is Cohen's: agreement beyond what the two rates give by chance; NaN where neither ever differs.
    """
    values = wide(table)
    names = list(dict.fromkeys(table["definition"]))
    rows = []
    for first, second in combinations(names, 2):
        a, b = values[first].to_numpy() > 0, values[second].to_numpy() > 0
        both, only_a, only_b = int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())
        neither = len(a) - both - only_a - only_b
        rows.append((first, second, both, only_a, only_b, neither, _kappa(a, b)))
    columns = ["first", "second", "both", "only_first", "only_second", "neither", "kappa"]
    return pd.DataFrame(rows, columns=columns)


def _kappa(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) == 0:
        return np.nan
    chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float(((a == b).mean() - chance) / (1 - chance)) if chance < 1 else np.nan


PANEL = [
    "threshold", "setting", "definition", "rate", "low", "high", "null", "null_low", "null_high", "p",
    "all_letters", "valid",
]  # fmt: skip
"""Columns of a panel of thresholds: the moved one, its value, and a mean rate as ``absorption_rates`` gives it."""


def panel_rows(rates: pd.DataFrame, threshold: str, setting: float) -> pd.DataFrame:
    """The mean rows of ``absorption_rates`` as rows of a panel; columns as in ``PANEL``."""
    mean = rates[rates["letter"] == MEAN]
    return mean.assign(threshold=threshold, setting=float(setting))[PANEL]


def sensitivity(
    subject: Subject,
    effects: pd.DataFrame,
    thresholds: Thresholds,
    vary: Mapping[str, Sequence[float]],
    *,
    letters: Sequence[str] | None = None,
    valid: Collection[str] | None = None,
    stems: Shaped[np.ndarray, " all_words"] | None = None,
    n_resamples: int = 400,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean rates as one threshold at a time moves, each beside its null, from effects already computed.

    Args:
        subject: words and latents.
        effects: of the judged candidates.
        thresholds: the values kept for the others.
        vary: values to try, by name of a field of ``Thresholds`` (``min_lead`` in logits).
        letters: letters to use.
        valid: letters over which the mean is taken, those that pass ``definitions.gate``; default all used.
        stems: what intervals resample, as in ``absorption_rates``.
        n_resamples: bootstrap resamples.
        seed: of the bootstrap and of the null's random directions.

    Returns:
        Columns as in ``PANEL``; a rate's null is under the same moved threshold.
    """
    tables = []
    for name, settings in vary.items():
        for setting in settings:
            moved = replace(thresholds, **{name: setting})
            table, null = _rejudge(subject, effects, moved, name, seed)
            rates = absorption_rates(
                table,
                letters=letters,
                valid=valid,
                null=null,
                n_resamples=n_resamples,
                seed=seed,
                stems=stems,
            )
            tables.append(panel_rows(rates, name, setting))
    return pd.concat(tables, ignore_index=True)


BY_ABLATION = ("min_cosine", "min_lead")
BY_PROJECTION = ("min_cosine", "min_share", "fraction_cosine", "max_absorbers")
"""Which definitions a threshold concerns."""


def _rejudge(
    subject: Subject, effects: pd.DataFrame, moved: Thresholds, name: str, seed: int
) -> tuple[pd.DataFrame, Null]:
    tables, null = [], Null({}, {})
    if name in BY_ABLATION:
        tables.append(judge_by_effects(subject, effects, moved, moved.min_lead, ABLATION))
        null |= null_by_effects(subject, effects, moved, {ABLATION: moved.min_lead}, seed=seed)
    if name in BY_PROJECTION:
        tables.append(judge_by_projection(subject, moved))
        null |= null_by_projection(subject, moved, seed=seed)
    if not tables:
        allowed = ", ".join(sorted({*BY_ABLATION, *BY_PROJECTION}))
        raise ValueError(f"threshold {name!r} cannot be varied here; allowed: {allowed}.")
    return pd.concat(tables, ignore_index=True), null

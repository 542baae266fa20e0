"""The positive control: first letters, which are absorbed by the published protocol, on the words of this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from absorption.concepts.excess import excess_of, mean_nulls
from absorption.concepts.measure import Measured
from absorption.definitions.nulls import RANDOM, WRONG
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.one_sae.summary import Absorption, measure_absorption

CENTRED, RAW = "centred", "as they are"
COLUMNS = [
    "direction", "projections", "rate", "low", "high", "wrong", "random", "above", "above_low", "above_high",
    "labels", "words", "candidates", "total",
]  # fmt: skip
"""As in the chapter's rates. ``total``: mean projection of a word on its own label's direction, of which one latent
must have a share."""


def under_protocols(
    measured: Measured, protocols: Sequence[tuple[str, bool]], *, seed: int = 0
) -> pd.DataFrame:
    """Full absorption of the same words and latents under other directions, centred or not: ``COLUMNS``.

    Args:
        measured: of the concept that is the control.
        protocols: kind of probe (``probes.PROBES``), and whether projections are centred; one row each.
        seed: of nulls and bootstrap.
    """
    rows = []
    for probe, centred in protocols:
        try:
            found = measure_absorption(
                measured.study, Thresholds(), probe=probe, ablate=False, centred=centred, seed=seed
            )
        except ValueError:  # no label is probed well along this direction
            continue
        one = replace(measured, found=found)
        excess = excess_of(one, FULL_ABSORPTION)
        if excess is None:
            continue
        nulls, mean, above = mean_nulls(excess.rate), excess.mean, excess.above
        words = int(found.rates.loc[_counts(found.rates, one.valid), "n_right"].sum())
        rates = (mean.value, mean.low, mean.high, nulls[WRONG], nulls[RANDOM])
        beyond = (above.value, above.low, above.high, len(one.valid), words, excess.candidates, _total(found))
        rows.append((probe, CENTRED if centred else RAW, *rates, *beyond))
    return pd.DataFrame(rows, columns=COLUMNS)


def _total(found: Absorption) -> float:
    return float(found.evidence.totals.mean())


def _counts(rates: pd.DataFrame, labels: list[str]) -> pd.Series:
    return (rates["definition"] == FULL_ABSORPTION) & rates["letter"].isin(labels)

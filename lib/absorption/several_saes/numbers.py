"""The numbers of one SAE that are worth setting beside another's, in one tidy table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.quantities import METRICS, SPLITS, rate, score
from absorption.base.statistics import interval
from absorption.definitions.rates import mean_rate
from absorption.definitions.rules import DEFINITIONS
from absorption.latents.score import MeanSamples, latent_samples, probe_samples
from absorption.one_sae.study import Study
from absorption.one_sae.summary import Effects
from absorption.several_saes.l0_trends import SPLITS as MEAN_SPLITS
from absorption.several_saes.l0_trends import letters_split_share, split_samples
from absorption.spelling.vocab import BY_WORD

RECALL, SPLITTING, ABSORPTION, MEDIATION = "recall gap", "splitting", "absorption", "mediation"
NULL = ["null", "null_low", "null_high", "p"]
COLUMNS = ["sae", "section", "quantity", "value", "low", "high", *NULL]
"""One row a number, with its 95% bootstrap interval over words; ``section`` is one of the four above. A rate also has
its ``null`` and one-sided ``p`` (``definitions.absorption_rates``); for other numbers they are NaN."""


@dataclass(frozen=True)
class Number:
    """A quantity of one SAE, its interval, and its value in every bootstrap resample of the words if kept."""

    section: str
    quantity: str
    value: float
    low: float
    high: float
    samples: np.ndarray | None = None
    null: float = np.nan
    null_low: float = np.nan
    null_high: float = np.nan
    p: float = np.nan


def numbers(study: Study, effects: Effects) -> list[Number]:
    """All numbers of one SAE.

    Intervals are over words, not over stems as in the chapters: so are those of the family's stored numbers, which
    must come out the same when they are measured again. Case and space variants count as words of their own, so the
    intervals are a little too narrow.

    Args:
        study: the SAE on the words.
        effects: from ``measure_effects``.
    """
    seed, probed = study.words.seed, study.words.probed
    probe = probe_samples(probed, resample=BY_WORD, seed=seed)
    latents = latent_samples(study.sae, probed, study.acts, resample=BY_WORD, seed=seed)
    found = [*_scores("LR probe", probe)]
    for selection, samples in latents.items():
        found += _scores(selection, samples)
    best = min(latents.values(), key=lambda samples: probe.minus(samples, "f1").value)
    gap = probe.values["f1"] - best.values["f1"]
    gaps = probe.samples["f1"] - best.samples["f1"]
    found.append(_sampled(RECALL, "F1 of the probe above the best selection's", gap, gaps))
    return [*found, *_splits(study), *_rates(effects, seed), *_shares(effects)]


def summary(found: Mapping[str, Sequence[Number]]) -> pd.DataFrame:
    """The numbers of SAEs on the same words, by the SAE's name, as rows; columns as in ``COLUMNS``."""
    rows = [
        (sae, *(getattr(one, name) for name in COLUMNS[1:]))
        for sae, numbers_of_it in found.items()
        for one in numbers_of_it
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def resamples_of(found: Sequence[Number]) -> pd.DataFrame:
    """One row a bootstrap resample, one column a quantity (``float32``), of the numbers that keep theirs.

    Quantities with fewer resamples than others end in NaN. SAEs measured on the same words with the same seed
    share their resamples: the difference of two columns is a paired difference.
    """
    kept = {one.quantity: one.samples for one in found if one.samples is not None}
    return pd.DataFrame({name: pd.Series(samples.astype(np.float32)) for name, samples in kept.items()})


def _sampled(section: str, quantity: str, value: float, samples: np.ndarray) -> Number:
    low, high = interval(samples)
    return Number(section, quantity, float(value), float(low), float(high), samples)


def _scores(name: str, samples: MeanSamples) -> list[Number]:
    return [
        _sampled(RECALL, score(metric, name), samples.values[metric], samples.samples[metric])
        for metric in METRICS
    ]


def _splits(study: Study) -> list[Number]:
    splits, share = split_samples(study), letters_split_share(study)
    return [
        _sampled(SPLITTING, SPLITS, splits.values[MEAN_SPLITS], splits.samples[MEAN_SPLITS]),
        Number(SPLITTING, "share of letters that split", share.value, share.low, share.high),
    ]


def _rates(effects: Effects, seed: int) -> list[Number]:
    found = []
    for definition in DEFINITIONS:
        mine = effects.judged[effects.judged["definition"] == definition]
        for gated in (True, False) if len(mine) else ():
            valid = effects.valid if gated else None
            mean = mean_rate(mine, effects.letters, valid=valid, null=effects.null, seed=seed)
            row, named = mean.row(), rate(definition, gated=gated)
            null = {key: row[key] for key in NULL}
            found.append(
                Number(ABSORPTION, named, row["rate"], row["low"], row["high"], mean.samples, **null)
            )
    return found


def _shares(effects: Effects) -> list[Number]:
    rows: list[Any] = effects.shares.to_dict("records")
    return [
        Number(MEDIATION, f"share of the effect, {row['part']}", row["share"], row["low"], row["high"])
        for row in rows
    ]

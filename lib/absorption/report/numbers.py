"""The numbers of one SAE that are worth setting beside another's, in one tidy table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from absorption.criteria import MEAN
from absorption.latents import latent_samples, probe_samples, top_words
from absorption.latents.score import MeanSamples
from absorption.report.short import Effects
from absorption.splitting import K_SPARSE
from absorption.statistics import interval
from absorption.study import Study, letters_split_share, split_samples
from absorption.study.trends import SPLITS

RECALL, SPLITTING, ABSORPTION, MEDIATION = "recall gap", "splitting", "absorption", "mediation"
METRICS = ("precision", "recall", "f1")
COLUMNS = ["sae", "section", "quantity", "value", "low", "high"]
"""One row a number, with its 95% bootstrap interval over words; ``section`` is one of the four above."""

Row = tuple[str, str, float, float, float]


def summary(studies: Sequence[Study], effects: Sequence[Effects]) -> pd.DataFrame:
    """All numbers of some SAEs on the same words, columns as in ``COLUMNS``.

    Args:
        studies: the SAEs.
        effects: of each, from ``measure_effects``.
    """
    return pd.concat(
        [_one(study, found) for study, found in zip(studies, effects, strict=True)], ignore_index=True
    )


def main_latents(study: Study) -> pd.DataFrame:
    """One row a letter: ``letter, latents``, and ``top``, the words on which the first is strongest."""
    main = study.main[K_SPARSE]
    names = top_words(study.acts, study.words.table, [latents[0] for latents in main.values()])
    rows = [
        (letter, ", ".join(map(str, latents)), names.get(latents[0], "")) for letter, latents in main.items()
    ]
    return pd.DataFrame(rows, columns=["letter", "latents", "top"])


def _one(study: Study, effects: Effects) -> pd.DataFrame:
    seed, probed = study.words.seed, study.words.probed
    probe = probe_samples(probed, seed=seed)
    latents = latent_samples(study.sae, probed, study.acts, seed=seed)
    rows = [*_scores("LR probe", probe)]
    for selection, samples in latents.items():
        rows += _scores(selection, samples)
    best = min(latents.values(), key=lambda samples: probe.minus(samples, "f1").value)
    gap = probe.minus(best, "f1")
    rows.append((RECALL, "F1 of the probe above the best selection's", gap.value, gap.low, gap.high))
    rows += [*_splits(study), *_rates(effects), *_shares(effects)]
    table = pd.DataFrame(rows, columns=COLUMNS[1:])
    table.insert(0, "sae", study.sae.name)
    return table


def _scores(name: str, samples: MeanSamples) -> list[Row]:
    rows = []
    for metric in METRICS:
        low, high = interval(samples.samples[metric])
        rows.append((RECALL, f"{metric}, {name}", samples.values[metric], float(low), float(high)))
    return rows


def _splits(study: Study) -> list[Row]:
    splits, share = split_samples(study), letters_split_share(study)
    low, high = interval(splits.samples[SPLITS])
    return [
        (SPLITTING, "splits of a letter", splits.values[SPLITS], float(low), float(high)),
        (SPLITTING, "share of letters that split", share.value, share.low, share.high),
    ]


def _rates(effects: Effects) -> list[Row]:
    means = effects.rates[effects.rates["letter"] == MEAN]
    return [
        (ABSORPTION, f"rate, {row.definition}", float(row.rate), float(row.low), float(row.high))  # type: ignore[arg-type]
        for row in means.itertuples()
    ]


def _shares(effects: Effects) -> list[Row]:
    return [
        (MEDIATION, f"share of the effect, {row.part}", float(row.share), float(row.low), float(row.high))  # type: ignore[arg-type]
        for row in effects.shares.itertuples()
    ]

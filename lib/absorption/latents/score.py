"""Latents as first-letter classifiers: "the latent is on" means the letter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from absorption.base.statistics import Estimate, interval, resample_counts, score_samples
from absorption.latents.select import select_latents
from absorption.latents.sparse import ACTIVE, SparseActs
from absorption.probes.scores import N_RESAMPLES, letter_scores
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import BY_STEM, stems


def score_latents(
    sae: LoadedSae, probed: ProbedWords, latent_acts: SparseActs, *, seed: int = 0
) -> pd.DataFrame:
    """Each letter's latent as a classifier ("on" means the letter) on the test words, per selection.

    Returns:
        ``sae, selection, letter, latent, cosine, metric, value, low, high``; ``latent`` is -1 for the mean. Stems are
        resampled.
    """
    test, groups = torch.from_numpy(probed.test), _groups(probed, BY_STEM)
    cosines = probed.probes.directions @ sae.encoder_directions.float().cpu().T
    tables = []
    for selection, latents in select_latents(sae, probed, latent_acts).items():
        acts = latent_acts.dense(latents)[test]
        table = letter_scores(
            acts, probed.labels[test], predicted=acts > ACTIVE, seed=seed, groups=groups, names=probed.names
        )
        of_letter = dict(zip(probed.names, latents.tolist(), strict=True))
        table["latent"] = table["letter"].map(of_letter).fillna(-1).astype(int)
        best = {letter: float(cosines[i, latents[i]]) for i, letter in enumerate(probed.names)}
        table["cosine"] = table["letter"].map(best)
        tables.append(table.assign(selection=selection))
    return pd.concat(tables, ignore_index=True).assign(sae=sae.name)


@dataclass(frozen=True)
class MeanSamples:
    """Numbers of one SAE (precision, recall, F1, splits, rates: means over letters) in every resample of the words.

    Two of these from the same words and seed share their resamples, so differences are paired.
    """

    sae: str
    values: dict[str, float]
    samples: dict[str, np.ndarray]

    def minus(self, other: MeanSamples, metric: str) -> Estimate:
        """Paired difference of one metric."""
        low, high = interval(self.samples[metric] - other.samples[metric])
        return Estimate(self.values[metric] - other.values[metric], float(low), float(high))


def mean_samples(
    name: str, predicted: Tensor, truth: Tensor, *, groups: np.ndarray | None = None, seed: int = 0
) -> MeanSamples:
    """Bootstrap of the scores' means over letters.

    Args:
        name: what is scored.
        predicted: ``word letter``, bool.
        truth: likewise.
        groups: what is resampled instead of words, such as each word's stem.
        seed: of the resamples.
    """
    said, right = predicted.numpy(), truth.numpy()
    letters = right.any(axis=0)
    said, right = said[:, letters], right[:, letters]
    once = np.ones((1, len(right)), dtype=np.float32)
    counts = resample_counts(len(right), n_resamples=N_RESAMPLES, seed=seed, groups=groups)
    values = {m: float(v.mean()) for m, v in score_samples(said, right, once).items()}
    samples = {m: v.mean(axis=1) for m, v in score_samples(said, right, counts).items()}
    return MeanSamples(name, values, samples)


def probe_samples(probed: ProbedWords, *, resample: str = BY_STEM, seed: int = 0) -> MeanSamples:
    """The LR probe's scores, for paired differences with latents.

    Args:
        probed: words and probes.
        resample: what is drawn, ``stem`` (case and space variants of a word together) or ``word``; differences are
            paired only between samples drawn alike.
        seed: of the resamples.
    """
    test, groups = torch.from_numpy(probed.test), _groups(probed, resample)
    said = probed.probes.predict(probed.acts[test])
    return mean_samples("LR probe", said, probed.labels[test], groups=groups, seed=seed)


def latent_samples(
    sae: LoadedSae,
    probed: ProbedWords,
    latent_acts: SparseActs,
    *,
    resample: str = BY_STEM,
    seed: int = 0,
) -> dict[str, MeanSamples]:
    """The same for each selection of latents."""
    test, groups = torch.from_numpy(probed.test), _groups(probed, resample)
    return {
        selection: mean_samples(
            sae.name,
            latent_acts.dense(latents)[test] > ACTIVE,
            probed.labels[test],
            groups=groups,
            seed=seed,
        )
        for selection, latents in select_latents(sae, probed, latent_acts).items()
    }


def _groups(probed: ProbedWords, resample: str) -> np.ndarray | None:
    """What the bootstrap draws of the test words, in their order: stems, or (None) the words themselves."""
    return stems(probed.words).to_numpy()[probed.test] if resample == BY_STEM else None


def doubling_weights(at: ArrayLike) -> np.ndarray:
    """Weights whose sum over values at ``at`` is their least-squares change each time ``at`` doubles."""
    x = np.log2(np.asarray(at, dtype=np.float64))
    return (x - x.mean()) / ((x - x.mean()) ** 2).sum()


def slope_per_doubling(points: list[tuple[float, MeanSamples]], metric: str) -> Estimate:
    """Least-squares change of a metric each time L0 doubles, paired over SAEs; NaN for one SAE.

    Args:
        points: L0 and scores of each SAE.
        metric: ``precision``, ``recall`` or ``f1``.
    """
    if len(points) < 2:
        return Estimate(np.nan, np.nan, np.nan)
    x = doubling_weights([l0 for l0, _ in points])
    value = float(x @ [p.values[metric] for _, p in points])
    low, high = interval(x @ np.stack([p.samples[metric] for _, p in points]))
    return Estimate(value, float(low), float(high))

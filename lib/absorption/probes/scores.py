"""Precision, recall, F1 and AUROC by letter, on the test words, with bootstrap intervals over words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from absorption.base.statistics import confusion_scores, interval, resample_counts, score_samples
from absorption.models.language_model import LanguageModel
from absorption.probes.words import MEANS, PROBES, ProbedWords, probe_words
from absorption.spelling.vocab import LETTERS, SPLITS, stems, variant_share

METRICS = ("precision", "recall", "f1", "auroc")
N_RESAMPLES = 400


def letter_scores(
    scores: Float[Tensor, "word letter"],
    labels: Bool[Tensor, "word letter"],
    *,
    predicted: Bool[Tensor, "word letter"] | None = None,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    groups: np.ndarray | None = None,
    names: Sequence[str] = LETTERS,
) -> pd.DataFrame:
    """Scores of one classifier a letter.

    Args:
        scores: what AUROC ranks words by.
        labels: truth.
        predicted: what the classifier says; default ``scores > 0``.
        seed: of the bootstrap.
        n_resamples: bootstrap resamples of the words.
        groups: what is resampled instead of words, such as each word's stem.
        names: the letters, in the order of the columns.

    Returns:
        Rows ``letter, metric, value, low, high``; ``letter`` is ``mean`` for the mean over letters with words.
    """
    truth = labels.numpy()
    said = (scores > 0 if predicted is None else predicted).numpy()
    counts = resample_counts(len(truth), n_resamples=n_resamples, seed=seed, groups=groups)
    once = np.ones((1, len(truth)), dtype=np.float32)
    values = score_samples(said, truth, once) | {"auroc": auroc_samples(scores.numpy(), truth, once)}
    samples = score_samples(said, truth, counts) | {"auroc": auroc_samples(scores.numpy(), truth, counts)}
    present = np.asarray(truth.any(axis=0))
    tables = [_rows(metric, values[metric][0], samples[metric], present, names) for metric in METRICS]
    return pd.concat(tables, ignore_index=True)


def _rows(
    metric: str, value: np.ndarray, samples: np.ndarray, present: np.ndarray, names: Sequence[str]
) -> pd.DataFrame:
    low, high = interval(samples[:, present])
    mean_low, mean_high = interval(np.nanmean(samples[:, present], axis=1))
    letters = [letter for letter, here in zip(names, present, strict=True) if here]
    return pd.DataFrame(
        {
            "letter": [*letters, "mean"],
            "metric": metric,
            "value": [*value[present], np.nanmean(value[present])],
            "low": [*low, mean_low],
            "high": [*high, mean_high],
        }
    )


def auroc_samples(
    scores: Float[np.ndarray, "word letter"],
    truth: Bool[np.ndarray, "word letter"],
    counts: Float[np.ndarray, "resample word"],
) -> Float[np.ndarray, "resample letter"]:
    """Chance that a random word of the letter outscores a random other word (ties count half).

    Only the letter's own words are looked at one by one: others count by the gap between two of these that they
    fall into. Everything summed is a count or half of one, so the order of summing changes no digit.
    """
    drawn = np.ascontiguousarray(counts.T)
    columns = []
    for letter in range(truth.shape[1]):
        mine, values = truth[:, letter], scores[:, letter]
        levels, level = np.unique(values[mine], return_inverse=True)
        positive = _sum_by(drawn[mine], level, len(levels))
        # Gap 2i lies below level i, gap 2i + 1 is level i itself, the last lies above all levels.
        gap = np.searchsorted(levels, values[~mine]) + np.searchsorted(levels, values[~mine], side="right")
        negative = _sum_by(drawn[~mine], gap, 2 * len(levels) + 1)
        below = (negative.cumsum(axis=0) - negative / 2)[1::2]
        with np.errstate(invalid="ignore", divide="ignore"):
            columns.append((positive * below).sum(0) / (positive.sum(0) * negative.sum(0)))
    return np.stack(columns, axis=1)


def _sum_by(
    drawn: Float[np.ndarray, "word resample"], group: np.ndarray, n_groups: int
) -> Float[np.ndarray, "group resample"]:
    """Sums over the words of each group."""
    sums = np.zeros((n_groups, drawn.shape[1]))
    if len(group):
        order = np.argsort(group, kind="stable")
        present, starts = np.unique(group[order], return_index=True)
        sums[present] = np.add.reduceat(drawn[order], starts, axis=0)
    return sums


def mean_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Only the rows that average over letters."""
    return table[table["letter"] == "mean"].drop(columns="letter").reset_index(drop=True)


def score_probes(probed: ProbedWords, *, seed: int = 0) -> pd.DataFrame:
    """LR probe and difference in means on the test words: ``method, letter, metric, value, low, high``."""
    test = torch.from_numpy(probed.test)
    means = probed.under(MEANS).probes
    tables = [
        letter_scores(
            found.logits(probed.acts[test]), probed.labels[test], seed=seed, names=probed.names
        ).assign(method=name)
        for name, found in (("LR probe", probed.probes), (MEANS, means))
    ]
    return pd.concat(tables, ignore_index=True)


def score_layers(
    words: pd.DataFrame, acts: dict[str, Tensor], model: LanguageModel, *, seeds: list[int]
) -> pd.DataFrame:
    """Probe scores at several hooks; the seed changes the split of the words.

    Returns:
        ``hook, depth, seed, method, letter, metric, value, low, high``.
    """
    tables = []
    for hook, at_hook in acts.items():
        for seed in seeds:
            table = score_probes(probe_words(words, at_hook, seed=seed), seed=seed)
            tables.append(table.assign(hook=hook, depth=model.site(hook).depth, seed=seed))
    return pd.concat(tables, ignore_index=True)


def score_splits(words: pd.DataFrame, acts: Float[Tensor, "word d_model"], *, seed: int = 0) -> pd.DataFrame:
    """Mean F1 over letters of every kind of probe under both splits of the words.

    Returns:
        ``probe, split, variants`` (share of the test words with a case or space variant among the training words),
        ``value, low, high``; stems are resampled.
    """
    rows = []
    for split in SPLITS:
        probed = probe_words(words, acts, seed=seed, split=split)
        variants, test = variant_share(probed.words), torch.from_numpy(probed.test)
        groups = stems(words).to_numpy()[probed.test]
        for probe in PROBES:
            logits = probed.under(probe).probes.logits(acts[test])
            scores = letter_scores(logits, probed.labels[test], seed=seed, groups=groups)
            mean = mean_scores(scores).set_index("metric").loc["f1"]
            rows.append((probe, split, variants, mean["value"], mean["low"], mean["high"]))
    return pd.DataFrame(rows, columns=["probe", "split", "variants", "value", "low", "high"])


def prevalence_f1(labels: Bool[Tensor, "word letter"]) -> float:
    """Mean over letters of the F1 of always saying yes: the floor that any probe must beat."""
    positives = labels.sum(0).double().numpy()
    always = confusion_scores(positives, len(labels) - positives, np.zeros_like(positives))
    return float(always["f1"].mean())

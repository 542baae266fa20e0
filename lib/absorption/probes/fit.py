"""One probe per letter on the activations of the word's token, in the activations' own space."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from tqdm.auto import tqdm

from absorption import cache
from absorption.prompts import letter_index
from absorption.vocab import LETTERS, split_words

L2 = 1e-4
"""Penalty on the weights of standardised activations; the loss is a mean over words. The reference code's
weight decay, which it applies to raw activations."""
MAX_STEPS = 2000
VERSION = 2


@dataclass(frozen=True)
class ProbeSet:
    """26 linear probes in raw activation space: letter ``l`` is predicted where ``logits[:, l] > 0``."""

    weights: Float[Tensor, "letter d_model"]
    biases: Float[Tensor, " letter"]

    @cached_property
    def directions(self) -> Float[Tensor, "letter d_model"]:
        """Unit probe directions, for cosines and projections."""
        return self.weights / self.weights.norm(dim=-1, keepdim=True)

    def logits(self, acts: Float[Tensor, "word d_model"]) -> Float[Tensor, "word letter"]:
        """Signed scores; above 0 means the probe says the letter."""
        return acts @ self.weights.T + self.biases

    def predict(self, acts: Float[Tensor, "word d_model"]) -> Bool[Tensor, "word letter"]:
        """Which letters the probes say, each on its own (none, one or several)."""
        return self.logits(acts) > 0


def one_hot(words: pd.DataFrame) -> Bool[Tensor, "word letter"]:
    """Truth: the column of each word's first letter."""
    return torch.nn.functional.one_hot(letter_index(words), len(LETTERS)).bool()


def balanced_weights(labels: Bool[Tensor, "word letter"]) -> Float[Tensor, "word letter"]:
    """Half of the weight on each letter's words, half on the rest (the reference code's ``pos_weight``)."""
    positives = labels.sum(0)
    return torch.where(labels, 0.5 / positives.clamp_min(1), 0.5 / (len(labels) - positives).clamp_min(1))


def fit_probes(
    acts: Float[Tensor, "word d_model"], labels: Bool[Tensor, "word letter"], *, l2: float = L2
) -> ProbeSet:
    """Class-balanced logistic regression for each letter (paper, section 4.1), solved to the optimum.

    Args:
        acts: training words' activations.
        labels: their letters; a letter with no words gets a probe that never says it.
        l2: penalty on standardised weights, per mean loss.

    Raises:
        RuntimeError: scikit-learn did not converge; no half-fitted probe is returned.
    """
    mean, std = acts.mean(0), acts.std(0).clamp_min(1e-6)
    standard = ((acts - mean) / std).numpy()
    weights, biases = torch.zeros(labels.shape[1], acts.shape[1]), torch.full((labels.shape[1],), -1.0)
    for letter in tqdm(range(labels.shape[1]), desc="Probes", unit="letter", leave=False):
        if labels[:, letter].any():
            fitted = _fit_one(standard, labels[:, letter].numpy(), l2)
            weights[letter] = torch.from_numpy(np.asarray(fitted.coef_)[0]).float()
            biases[letter] = float(np.asarray(fitted.intercept_)[0])
    weights = weights / std
    return ProbeSet(weights=weights, biases=biases - weights @ mean)


def _fit_one(features: np.ndarray, truth: np.ndarray, l2: float) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return LogisticRegression(
                C=1 / (l2 * len(features)), class_weight="balanced", max_iter=MAX_STEPS, tol=1e-4
            ).fit(features, truth)
        except ConvergenceWarning as problem:
            raise RuntimeError(
                f"A probe did not converge in {MAX_STEPS} steps; raise l2 (now {l2:g})."
            ) from problem


def difference_in_means(acts: Float[Tensor, "word d_model"], labels: Bool[Tensor, "word letter"]) -> ProbeSet:
    """Baseline: the direction between two class means, cut where F1 on the training words is best."""
    share = labels.float()
    inside = share.T @ acts / share.sum(0)[:, None]
    outside = (1 - share).T @ acts / (1 - share).sum(0)[:, None]
    weights = inside - outside
    biases = -_best_f1_cut(acts @ weights.T, labels)
    return ProbeSet(weights=weights, biases=biases)


def _best_f1_cut(scores: Float[Tensor, "word letter"], labels: Tensor) -> Float[Tensor, " letter"]:
    ordered, order = scores.sort(dim=0, descending=True)
    hits = labels.gather(0, order).cumsum(0).double()
    said = torch.arange(1, len(scores) + 1, device=scores.device)[:, None]
    best = (2 * hits / (said + labels.sum(0))).argmax(dim=0)
    ordered = torch.cat([ordered, ordered[-1:] - 1])  # a cut below all: every word is said
    below = ordered.gather(0, best[None] + 1)[0]
    return (ordered.gather(0, best[None])[0] + below) / 2


@dataclass(frozen=True)
class ProbedWords:
    """Words with their activations at one hook, the split, and the probes fitted on the training words."""

    words: pd.DataFrame
    """The vocabulary table with a ``split`` column."""
    acts: Float[Tensor, "word d_model"]
    probes: ProbeSet

    @cached_property
    def test(self) -> np.ndarray:
        """Row numbers of the test words: everything is scored on them only."""
        return np.flatnonzero(self.words["split"].to_numpy() == "test")

    @cached_property
    def right(self) -> np.ndarray:
        """Whether the letter's own probe says yes, for every word (the denominator of absorption rates)."""
        said = self.probes.predict(self.acts)
        return (said & self.labels).any(dim=1).numpy()

    @cached_property
    def labels(self) -> Bool[Tensor, "word letter"]:
        """Truth of every word."""
        return one_hot(self.words)


def probe_words(
    words: pd.DataFrame, acts: Float[Tensor, "word d_model"], *, seed: int = 0, l2: float = L2
) -> ProbedWords:
    """Split the words 80/20 by letter, fit the probes on the training words, cached on disk."""
    split = split_words(words, seed)
    train = torch.from_numpy(np.flatnonzero(split.to_numpy() == "train"))
    labels = one_hot(words)
    inputs = {
        "acts": cache.array_hash(acts.numpy()), "labels": cache.array_hash(labels.numpy()),
        "seed": seed, "l2": l2, "version": VERSION,
    }  # fmt: skip

    def compute() -> dict[str, Tensor]:
        probes = fit_probes(acts[train], labels[train], l2=l2)
        return {"weights": probes.weights, "biases": probes.biases}

    found = cache.cached_tensors("probes", inputs, compute)
    return ProbedWords(words.assign(split=split), acts, ProbeSet(found["weights"], found["biases"]))

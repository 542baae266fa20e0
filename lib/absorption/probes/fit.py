"""One probe per letter on the activations of the word's token, and the converged logistic regression."""

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

from absorption.spelling.prompts import letter_index
from absorption.spelling.vocab import LETTERS

L2 = 1e-4
"""Penalty on the weights of standardised activations; the loss is a mean over words. The reference code's
weight decay, which it applies to raw activations."""
MAX_STEPS = 2000
TOLERANCE = 1e-4
"""Fitting ends where no component of the gradient of the mean loss is larger. The penalty is as small as that, so the
weights may still be far from those of the optimum along directions in which the loss is flat, and a few words at the
border may fall on its other side. Sums are in float32, and another number of threads adds in another order: the
path to this stop, and with it a word or two in ten thousand, depends on it. A stop at 1e-8 in float64 gives the same
words in any order of the sums, at about six times the time and with other numbers throughout."""


@dataclass(frozen=True)
class ProbeSet:
    """26 linear probes (or one a label) in raw activation space: a letter is said where ``logits[:, letter] > 0``."""

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


def one_hot(words: pd.DataFrame, names: tuple[str, ...] = LETTERS) -> Bool[Tensor, "word letter"]:
    """Truth: the column of each word's first letter, or of its label."""
    return torch.nn.functional.one_hot(letter_index(words, names), len(names)).bool()


def balanced_weights(labels: Bool[Tensor, "word letter"]) -> Float[Tensor, "word letter"]:
    """Half of the weight on each letter's words, half on the rest (the reference code's ``pos_weight``)."""
    positives = labels.sum(0)
    return torch.where(labels, 0.5 / positives.clamp_min(1), 0.5 / (len(labels) - positives).clamp_min(1))


def fit_probes(
    acts: Float[Tensor, "word d_model"], labels: Bool[Tensor, "word letter"], *, l2: float = L2
) -> ProbeSet:
    """Class-balanced logistic regression for each letter (paper, section 4.1), solved up to ``TOLERANCE``.

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
                C=1 / (l2 * len(features)), class_weight="balanced", max_iter=MAX_STEPS, tol=TOLERANCE
            ).fit(features, truth)
        except ConvergenceWarning as problem:
            raise RuntimeError(
                f"A probe did not converge in {MAX_STEPS} steps; raise l2 (now {l2:g})."
            ) from problem

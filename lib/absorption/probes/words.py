"""Words with a probe: the four kinds of probe, fitted on the training words and kept on disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from absorption.base import cache
from absorption.probes.fit import L2, ProbeSet, fit_probes, one_hot
from absorption.probes.means import difference_in_means, pattern
from absorption.probes.reference import fit_reference
from absorption.spelling.vocab import BY_WORD, LETTERS, TEST_SHARE, split_words

REFERENCE, CONVERGED, MEANS, PATTERN = "reference", "converged", "difference in means", "pattern"
PROBES = (REFERENCE, CONVERGED, MEANS, PATTERN)
"""``reference``: the published training. ``converged``: class-balanced logistic regression, solved up to
``fit.TOLERANCE``. ``difference in means``. ``pattern``: covariance of the activations times the converged
probe's weights.
The first two say a letter where their logit is above 0, the other two where F1 on the training words is best."""
VERSION = 3


def probes_of(
    probe: str, acts: Float[Tensor, "word d_model"], labels: Bool[Tensor, "word letter"], *, seed: int = 0
) -> ProbeSet:
    """One kind of probe on the words given (training words), from disk where it was fitted before.

    Args:
        probe: one of ``PROBES``.
        acts: training words' activations.
        labels: their letters.
        seed: of the reference probe's initial weights and batches; the others have nothing random.

    Raises:
        ValueError: there is no such probe.
    """
    if probe not in PROBES:
        raise ValueError(f"probe is {probe!r}; allowed: {', '.join(map(repr, PROBES))}.")
    inputs = {
        "probe": probe, "acts": cache.array_hash(acts.numpy()), "labels": cache.array_hash(labels.numpy()),
        "seed": seed if probe == REFERENCE else 0, "l2": L2, "version": VERSION,
    }  # fmt: skip

    def compute() -> dict[str, Tensor]:
        found = _fit(probe, acts, labels, seed)
        return {"weights": found.weights, "biases": found.biases}

    found = cache.cached_tensors("probes", inputs, compute)
    return ProbeSet(found["weights"], found["biases"])


def _fit(probe: str, acts: Tensor, labels: Tensor, seed: int) -> ProbeSet:
    if probe == REFERENCE:
        return fit_reference(acts, labels, seed=seed)
    if probe == MEANS:
        return difference_in_means(acts, labels)
    if probe == PATTERN:
        return pattern(acts, labels, probes_of(CONVERGED, acts, labels))
    return fit_probes(acts, labels)


@dataclass(frozen=True)
class ProbedWords:
    """Words with their activations at one hook, the split, and the probes fitted on the training words."""

    words: pd.DataFrame
    """The vocabulary table with a ``split`` column."""
    acts: Float[Tensor, "word d_model"]
    probes: ProbeSet
    probe: str = CONVERGED
    """Which kind of probe it is."""
    seed: int = 0
    """Of a probe that has something random."""
    names: tuple[str, ...] = LETTERS
    """The letters, or the labels of another task, in the order of the probes."""

    @cached_property
    def test(self) -> np.ndarray:
        """Row numbers of the test words: everything is scored on them only."""
        return np.flatnonzero(self.words["split"].to_numpy() == "test")

    @cached_property
    def train(self) -> np.ndarray:
        """Row numbers of the training words: everything is fitted on them only."""
        return np.flatnonzero(self.words["split"].to_numpy() == "train")

    @cached_property
    def right(self) -> np.ndarray:
        """Whether the letter's own probe says yes, for every word (the denominator of absorption rates)."""
        said = self.probes.predict(self.acts)
        return (said & self.labels).any(dim=1).numpy()

    @cached_property
    def labels(self) -> Bool[Tensor, "word letter"]:
        """Truth of every word."""
        return one_hot(self.words, self.names)

    def under(self, probe: str) -> ProbedWords:
        """The same words and split under another kind of probe; which words are right follows it.

        Raises:
            ValueError: there is no such probe.
        """
        if probe == self.probe:
            return self
        found = probes_of(probe, self.acts[self.train], self.labels[self.train], seed=self.seed)
        return replace(self, probes=found, probe=probe)


def probe_words(
    words: pd.DataFrame,
    acts: Float[Tensor, "word d_model"],
    *,
    seed: int = 0,
    probe: str = CONVERGED,
    split: str = BY_WORD,
    names: tuple[str, ...] = LETTERS,
    test_share: float = TEST_SHARE,
) -> ProbedWords:
    """Split the words by letter (80/20 by default), fit the probes on the training words, cached on disk.

    Args:
        words: the vocabulary table.
        acts: their activations at one hook.
        seed: of the split, and of the reference probe.
        probe: one of ``PROBES``.
        split: by ``word`` (the paper's) or by ``stem``, as in ``vocab.split_words``.
        names: the letters, or the labels of another task.
        test_share: share of the words that everything is scored on.
    """
    words = words.assign(split=split_words(words, seed, test_share, by=split))
    train = torch.from_numpy(np.flatnonzero(words["split"].to_numpy() == "train"))
    found = probes_of(probe, acts[train], one_hot(words, names)[train], seed=seed)
    return ProbedWords(words, acts, found, probe, seed, names)

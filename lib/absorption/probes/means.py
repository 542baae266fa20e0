"""Directions along which a letter is written: difference in means, and the pattern of a filter.

A logistic regression's weights are a *filter*: how the letter is best read out, with what disturbs the reading
subtracted. They need not point along what the letter adds to the activations. That is the filter's *pattern*.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from absorption.probes.fit import ProbeSet


def difference_in_means(acts: Float[Tensor, "word d_model"], labels: Bool[Tensor, "word letter"]) -> ProbeSet:
    """From the mean of all other words to the mean of the letter's, cut where F1 on these words is best.

    Args:
        acts: training words' activations.
        labels: their letters; a letter with no words, or with all of them, gets a probe that never says it.
    """
    share = labels.float()
    inside = share.T @ acts / share.sum(0)[:, None]
    outside = (1 - share).T @ acts / (1 - share).sum(0)[:, None]
    both = labels.any(0) & ~labels.all(0)
    return _cut_where_f1_is_best(torch.where(both[:, None], inside - outside, 0), acts, labels)


def pattern(
    acts: Float[Tensor, "word d_model"], labels: Bool[Tensor, "word letter"], filters: ProbeSet
) -> ProbeSet:
    """What the activations hold when the filter's output moves: their covariance times its weights.

    Haufe et al. 2014 (NeuroImage 87), equation 6 for one output at a time. The direction has unit norm, and the
    probe is cut where F1 on these words is best.

    Args:
        acts: training words' activations.
        labels: their letters.
        filters: probes fitted on the same words; a filter of zeros gets a probe that never says its letter.
    """
    centred = acts - acts.mean(0)
    covaried = (centred @ filters.weights.T).T @ centred / len(acts)
    return _cut_where_f1_is_best(torch.nn.functional.normalize(covaried, dim=1), acts, labels)


def _cut_where_f1_is_best(weights: Tensor, acts: Tensor, labels: Bool[Tensor, "word letter"]) -> ProbeSet:
    biases = -_best_f1_cut(acts @ weights.T, labels)
    silent = ~(labels.any(0) & weights.any(dim=1))
    return ProbeSet(weights=weights, biases=torch.where(silent, -1.0, biases))


def _best_f1_cut(scores: Float[Tensor, "word letter"], labels: Tensor) -> Float[Tensor, " letter"]:
    ordered, order = scores.sort(dim=0, descending=True)
    hits = labels.gather(0, order).cumsum(0).double()
    said = torch.arange(1, len(scores) + 1, device=scores.device)[:, None]
    best = (2 * hits / (said + labels.sum(0))).argmax(dim=0)
    ordered = torch.cat([ordered, ordered[-1:] - 1])  # a cut below all: every word is said
    below = ordered.gather(0, best[None] + 1)[0]
    return (ordered.gather(0, best[None])[0] + below) / 2

"""Which latent stands for a letter: four ways to choose it, all on the training words."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from absorption.base import cache
from absorption.latents.sparse import SparseActs, ones_like, take_rows, weighted_sums
from absorption.probes.fit import balanced_weights
from absorption.probes.l1 import fit_sparse_probe
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae

VERSION = 4
SINGLE_LATENT_SELECTIONS = ("encoder cosine", "k=1 probing", "lowest loss", "best F1")
"""Ways to choose the one latent that stands for a letter."""


def select_latents(
    sae: LoadedSae, probed: ProbedWords, latent_acts: SparseActs
) -> dict[str, Int[Tensor, " letter"]]:
    """The latent that stands for each letter, chosen on the training words in four ways.

    - ``encoder cosine``: highest cosine of encoder column and LR probe direction (paper, section 5.1).
    - ``k=1 probing``: the largest weight of the letter's L1 probe over all latents (paper, appendix A.7).
    - ``lowest loss``: the latent whose own class-balanced logistic regression has the lowest loss; a latent
      that speaks against the letter (negative weight) is not considered.
    - ``best F1``: highest F1 of "the latent is on".

    Raises:
        RuntimeError: the L1 probe of some letter did not converge.
    """
    cosines = probed.probes.directions @ sae.encoder_directions.float().cpu().T
    by_activations = _chosen_by_activations(sae, probed, latent_acts)
    first, *others = SINGLE_LATENT_SELECTIONS
    return {first: cosines.argmax(dim=1)} | {name: by_activations[name] for name in others}


def _chosen_by_activations(
    sae: LoadedSae, probed: ProbedWords, latent_acts: SparseActs
) -> dict[str, Int[Tensor, " letter"]]:
    """The choices in which no LR probe has a part; from disk where they were made before, under whatever probe."""
    train = torch.from_numpy(probed.train)
    labels = probed.labels[train]
    inputs = {
        "sae": sae.identity, "latent_acts": cache.csr_hash(latent_acts.csr),
        "labels": cache.array_hash(labels.numpy()), "train": cache.array_hash(train.numpy()), "version": VERSION,
    }  # fmt: skip

    def compute() -> dict[str, Tensor]:
        mine = take_rows(latent_acts.csr, train)
        return {
            "k=1 probing": _largest_weight(mine, labels),
            "lowest loss": _best_single_regression(mine, labels),
            "best F1": on_f1(mine, labels).argmax(dim=1),
        }

    return cache.cached_tensors("latent-selection", inputs, compute)


def _largest_weight(csr: Tensor, labels: Bool[Tensor, "word letter"]) -> Int[Tensor, " letter"]:
    """The latent that each letter's L1 probe weighs most.

    Where the penalty leaves no latent a positive weight, it is the one that would be the first to get one if the
    penalty fell: the largest difference of mean activation between the letter's words and the others.
    """
    weights = fit_sparse_probe(csr, labels).weights
    sums, inside = weighted_sums(csr, labels.float()), labels.sum(0)[:, None]
    all_sums = weighted_sums(csr, torch.ones(len(labels), 1))
    first = sums / inside.clamp_min(1) - (all_sums - sums) / (len(labels) - inside).clamp_min(1)
    weighed = (weights > 0).any(dim=1)
    return torch.where(weighed, weights.argmax(dim=1), first.argmax(dim=1))


def _on_balance(csr: Tensor, labels: Bool[Tensor, "word letter"]) -> Float[Tensor, "letter latent"]:
    """Share of the letter's words that the latent is on for, minus that of the others (Youden's J)."""
    hits = weighted_sums(ones_like(csr), labels.float())
    on = torch.bincount(csr.col_indices(), minlength=csr.shape[1])
    inside = labels.sum(0)[:, None]
    return hits / inside.clamp_min(1) - (on - hits) / (len(labels) - inside).clamp_min(1)


def on_f1(csr: Tensor, labels: Bool[Tensor, "word letter"]) -> Float[Tensor, "letter latent"]:
    """F1 of "the latent is on" for every letter and latent."""
    hits = weighted_sums(ones_like(csr), labels.float())
    on = torch.bincount(csr.col_indices(), minlength=csr.shape[1])
    return 2 * hits / (on + labels.sum(0)[:, None]).clamp_min(1)


def _best_single_regression(
    csr: Tensor, labels: Bool[Tensor, "word letter"], candidates: int = 20
) -> Int[Tensor, " letter"]:
    """Lowest class-balanced logistic loss of one latent, among the best 20 by how well being on separates.

    One weight and an intercept per pair, by Newton steps. The pre-selection, balanced as the loss is, keeps
    the work small.
    """
    shortlist = _on_balance(csr, labels).topk(min(candidates, csr.shape[1]), dim=1).indices
    chosen = []
    for letter in range(labels.shape[1]):
        x = SparseActs(csr).dense(shortlist[letter])
        x = x / x.pow(2).mean(0).sqrt().clamp_min(1e-8)
        y = labels[:, letter : letter + 1].expand(-1, x.shape[1])
        loss, slope = _newton(x, y, balanced_weights(labels)[:, letter : letter + 1])
        chosen.append(shortlist[letter, torch.where(slope > 0, loss, torch.inf).argmin()])
    return torch.stack(chosen)


def _newton(
    x: Float[Tensor, "word latent"], y: Tensor, weights: Float[Tensor, "word 1"], l2: float = 1e-4
) -> tuple[Tensor, Tensor]:
    """Loss and slope of one-feature logistic regressions, one a column, by 25 damped Newton steps."""
    a, b = x.new_zeros(x.shape[1]), x.new_zeros(x.shape[1])
    target = y.to(x.dtype)
    for _ in range(25):
        p = torch.sigmoid(a * x + b)
        r, h = weights * (p - target), weights * p * (1 - p)
        ga, gb = (r * x).sum(0) + l2 * a, r.sum(0)
        haa, hab, hbb = (h * x * x).sum(0) + l2, (h * x).sum(0), h.sum(0) + 1e-9
        det = (haa * hbb - hab**2).clamp_min(1e-12)
        a = a - ((hbb * ga - hab * gb) / det).clamp(-2, 2)
        b = b - ((haa * gb - hab * ga) / det).clamp(-2, 2)
    margins = torch.where(y, 1.0, -1.0) * (a * x + b)
    return (weights * torch.nn.functional.softplus(-margins)).sum(0), a

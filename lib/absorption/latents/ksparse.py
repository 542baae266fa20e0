"""k-sparse probing: how well the k best latents of a letter tell it, and how many of them are its main
latents.

Paper, sections 4.1 and 5.3: the L1 probe ranks the latents, the k with the largest positive weights are kept
and a class-balanced logistic regression is fitted on them alone. While F1 rises by more than .03 from k to k
+ 1, the further latent counts as a split of the letter's feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from scipy.special import expit
from threadpoolctl import threadpool_limits
from torch import Tensor

from absorption.base.statistics import interval, resample_counts, score_samples
from absorption.probes.l1 import SparseProbe, fit_sparse_probe, to_scipy
from absorption.spelling.vocab import LETTERS

MAX_K = 15
"""Latents tried at most (paper, appendix A.7)."""
F1_JUMP = 0.03
"""Rise of F1 by which a further latent counts as a split (paper, section 5.3)."""
N_RESAMPLES = 400
SCORES = ["letter", "k", "latent", "weight", "precision", "recall", "f1", "f1_low", "f1_high"]
NEWTON_STEPS = 50
DECREMENT = 1e-12
"""Newton's method ends where a step would lower the loss by less than this share of the words' weight."""


@dataclass(frozen=True)
class KSparse:
    """k-sparse probes of every letter: the ranking, and the scores on the test words."""

    ranking: dict[str, list[int]]
    """Latents of each letter, largest L1 weight first; only positive weights, at most ``MAX_K``."""
    scores: pd.DataFrame
    """``letter, k, latent, weight, precision, recall, f1, f1_low, f1_high``: ``latent`` is the one added at
    ``k``, ``weight`` its L1 weight; the interval is over test words."""
    f1_samples: dict[str, Float[np.ndarray, "resample k"]] = field(default_factory=dict, repr=False)
    """F1 of each letter and k in every bootstrap resample of the test words; probes of the same words and seed
    share their resamples."""

    def main_latents(self, f1_jump: float = F1_JUMP) -> dict[str, list[int]]:
        """Each letter's main (split) latents: the first, and each further one while F1 rises enough."""
        return {letter: kept_by_jump(table, f1_jump) for letter, table in self.scores.groupby("letter")}  # type: ignore[misc]

    def jumps(self) -> pd.DataFrame:
        """Rise of F1 from one latent to two: ``letter, jump, low, high``; 0 where there is no second latent."""
        rows = []
        for letter, samples in self.f1_samples.items():
            if samples.shape[1] < 2:
                rows.append((letter, 0.0, 0.0, 0.0))
                continue
            low, high = interval(samples[:, 1] - samples[:, 0])
            f1 = self.scores.loc[self.scores["letter"] == letter].sort_values("k")["f1"].to_numpy()
            rows.append((letter, float(f1[1] - f1[0]), float(low), float(high)))
        return pd.DataFrame(rows, columns=["letter", "jump", "low", "high"])

    def count_samples(self, f1_jump: float = F1_JUMP) -> Int[np.ndarray, "resample letter"]:
        """Number of main latents of each letter in every bootstrap resample of the test words."""
        return np.stack([_leading_jumps(f1, f1_jump) for f1 in self.f1_samples.values()], axis=1)


def kept_by_jump(table: pd.DataFrame, f1_jump: float) -> list[int]:
    """Latents of one letter's rows, in order of ``k``, up to the first that adds no more than ``f1_jump``."""
    ordered = table.sort_values("k")
    n = int(_leading_jumps(ordered["f1"].to_numpy()[None], f1_jump)[0])
    return ordered["latent"].tolist()[:n]


def _leading_jumps(f1: Float[np.ndarray, "sample k"], f1_jump: float) -> Int[np.ndarray, " sample"]:
    """One, plus the further latents up to the first that adds no more than ``f1_jump``."""
    jumps = f1[:, 1:] > f1[:, :-1] + f1_jump
    return 1 + np.cumprod(jumps, axis=1, dtype=np.int64).sum(axis=1)


def probe_k_sparse(
    csr: Tensor,
    labels: Bool[Tensor, "word letter"],
    train: Int[Tensor, " train"],
    test: Int[Tensor, " test"],
    *,
    max_k: int = MAX_K,
    probe: SparseProbe | None = None,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    names: Sequence[str] = LETTERS,
    allow_none: bool = False,
) -> KSparse:
    """Rank the latents on the training words, refit for k = 1 ... ``max_k``, score on the test words.

    Args:
        csr: sparse CSR matrix ``word latent`` of all words' activations.
        labels: their letters.
        train: rows of the training words.
        test: rows of the test words.
        max_k: latents tried at most.
        probe: the ranking probe; default the L1 probe, solved to its optimum on the training words.
        seed: of the bootstrap over test words.
        n_resamples: of that bootstrap.
        names: the letters, in the order of the labels.
        allow_none: leave out a letter for which no latent has a positive weight; else it is an error.

    Raises:
        RuntimeError: the ranking probe did not converge, or gives no latent of a letter a positive weight.
    """
    matrix = to_scipy(csr)
    mine, others = matrix[train.numpy()], matrix[test.numpy()]
    if probe is None:
        probe = fit_sparse_probe(_to_torch(mine), labels[train])
    counts = resample_counts(len(test), n_resamples=n_resamples, seed=seed)
    ranking = {letter: ranked(probe.weights[i], max_k) for i, letter in enumerate(names)}
    kept = [(i, letter) for i, letter in enumerate(names) if ranking[letter] or not allow_none]
    mine, others = mine.tocsc(), others.tocsc()  # columns are picked for every letter
    # Thousands of products of a few columns: threads only wait for each other.
    with threadpool_limits(1, "blas"):
        scored = [
            _score_letter(
                letter, ranking[letter], probe.weights[i].numpy(), mine, others,
                labels[train, i].numpy(), labels[test, i].numpy(), counts,
            )
            for i, letter in kept
        ]  # fmt: skip
    samples = {letter: f1 for (_, letter), (_, f1) in zip(kept, scored, strict=True)}
    tables = [table for table, _ in scored] or [pd.DataFrame(columns=SCORES)]
    return KSparse(ranking, pd.concat(tables, ignore_index=True), samples)


def ranked(weights: Float[Tensor, " latent"], max_k: int) -> list[int]:
    """Latents with positive weights, largest first: a latent that speaks against the letter is no main
    latent."""
    order = torch.argsort(weights, descending=True, stable=True)[:max_k]
    return [int(latent) for latent in order if weights[latent] > 0]


def _score_letter(
    letter: str, latents: list[int], weights: np.ndarray, train: Any, test: Any,
    train_truth: np.ndarray, test_truth: np.ndarray, counts: np.ndarray,
) -> tuple[pd.DataFrame, np.ndarray]:  # fmt: skip
    """All k of one letter: the scores, and F1 in every resample."""
    if not latents:
        raise RuntimeError(f"No latent has a positive L1 weight for the letter {letter!r}.")
    x_train, x_test = train[:, latents].tocsr(), test[:, latents].tocsr()
    said = np.empty((len(test_truth), len(latents)), dtype=bool)
    for k in range(1, len(latents) + 1):
        coefficients, intercept = fit_balanced(x_train[:, :k], train_truth)
        said[:, k - 1] = x_test[:, :k] @ coefficients + intercept > 0
    truth = np.broadcast_to(test_truth[:, None], said.shape)
    value = score_samples(said, truth, np.ones((1, len(said)), dtype=np.float32))
    samples = score_samples(said, truth, counts)["f1"]
    low, high = interval(samples)
    table = pd.DataFrame(
        {
            "letter": letter,
            "k": np.arange(1, len(latents) + 1),
            "latent": latents,
            "weight": weights[latents],
            **{name: value[name][0] for name in ("precision", "recall", "f1")},
            "f1_low": low,
            "f1_high": high,
        }
    )
    return table, samples


def fit_balanced(features: Any, truth: Bool[np.ndarray, " word"]) -> tuple[np.ndarray, float]:
    """Class-balanced logistic regression with scikit-learn's default penalty (C = 1), to the optimum.

    Words on which no latent is on are alike: all of them are two rows, one a class.

    Raises:
        RuntimeError: Newton's method did not converge.
    """
    balance = np.where(truth, len(truth) / (2 * truth.sum()), len(truth) / (2 * (~truth).sum()))
    on = np.diff(features.indptr) > 0
    empty = [balance[~on & truth].sum(), balance[~on & ~truth].sum()]
    x = np.vstack([features[on].toarray(), np.zeros((2, features.shape[1]))])
    x = np.column_stack([x, np.ones(len(x))])
    signs = np.concatenate([np.where(truth[on], 1.0, -1.0), [1.0, -1.0]])
    row_weights = np.concatenate([balance[on], empty])
    found = _newton(x, signs, row_weights, np.append(np.ones(features.shape[1]), 0.0))
    return found[:-1], float(found[-1])


def _newton(x: np.ndarray, signs: np.ndarray, row_weights: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Minimise ``sum row_weights * logloss + penalty @ w**2 / 2`` by damped Newton steps."""
    w = np.zeros(x.shape[1])
    margins, loss = _at(w, x, signs, row_weights, penalty)
    for _ in range(NEWTON_STEPS):
        chance = expit(margins)
        gradient = x.T @ (-row_weights * signs * (1 - chance)) + penalty * w
        hessian = (x.T * (row_weights * chance * (1 - chance))) @ x + np.diag(penalty + 1e-12)
        step, size, before = -np.linalg.solve(hessian, gradient), 1.0, loss
        promised = -(gradient @ step)
        if promised <= DECREMENT * row_weights.sum():  # less than the rounding of the loss: nothing to search
            return w + step
        margins, loss = _at(w + size * step, x, signs, row_weights, penalty)
        while loss > before - 1e-4 * size * promised and size > 1e-8:
            size /= 2
            margins, loss = _at(w + size * step, x, signs, row_weights, penalty)
        w = w + size * step
    raise RuntimeError(f"The logistic regression on {x.shape[1] - 1} latents did not converge.")


def _at(
    w: np.ndarray, x: np.ndarray, signs: np.ndarray, row_weights: np.ndarray, penalty: np.ndarray
) -> tuple[np.ndarray, float]:
    """Each row's margin, and the loss."""
    margins = signs * (x @ w)
    return margins, float(row_weights @ np.logaddexp(0, -margins) + penalty @ w**2 / 2)


def _to_torch(matrix: Any) -> Tensor:
    parts = [torch.from_numpy(np.asarray(p)) for p in (matrix.indptr, matrix.indices, matrix.data)]
    return torch.sparse_csr_tensor(parts[0].long(), parts[1].long(), parts[2], matrix.shape)

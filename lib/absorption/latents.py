"""Latents as first-letter classifiers: which latent stands for a letter, and which words it misses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from absorption import cache
from absorption.probes import ProbedWords
from absorption.probes.fit import balanced_weights
from absorption.probes.scores import letter_scores
from absorption.saes import LoadedSae
from absorption.vocab import LETTERS

ACTIVE = 1e-8
"""A latent is on above this activation (reference code)."""
SELECTIONS = ("encoder cosine", "k=1 probing", "best F1")


@dataclass(frozen=True)
class SparseActs:
    """Latent activations of many words, kept sparse: 30 to 90 of thousands of latents are on at a word."""

    csr: Tensor
    """Sparse CSR matrix, ``word latent``."""

    def dense(self, latents: Int[Tensor, " latent"]) -> Float[Tensor, "word latent"]:
        """Activations of a few latents, dense."""
        picker = torch.zeros(self.csr.shape[1], len(latents))
        picker[latents, torch.arange(len(latents))] = 1
        return self.csr @ picker

    @property
    def l0(self) -> Float[Tensor, " word"]:
        """Number of active latents of each word."""
        return self.csr.crow_indices().diff().float()


def encode_words(sae: LoadedSae, acts: Float[Tensor, "word d_model"], batch: int = 2048) -> SparseActs:
    """Latent activations of every word, in batches so that no dense ``word d_sae`` matrix is held; cached."""
    inputs = {"sae": sae.weights_hash, "acts": cache.array_hash(acts.numpy()), "version": 1}

    def compute() -> dict[str, Tensor]:
        parts = [sae.encode(part).to_sparse_csr() for part in acts.split(batch)]
        starts, offset = [torch.zeros(1, dtype=torch.long)], 0
        for part in parts:
            starts.append(part.crow_indices()[1:] + offset)
            offset += len(part.values())
        return {
            "starts": torch.cat(starts),
            "latents": torch.cat([part.col_indices() for part in parts]).int(),
            "values": torch.cat([part.values() for part in parts]),
        }

    found = cache.cached_tensors("latent-activations", inputs, compute)
    shape = (len(acts), sae.d_sae)
    csr = torch.sparse_csr_tensor(
        found["starts"], found["latents"].long(), found["values"], shape, check_invariants=False
    )
    return SparseActs(csr)


def select_latents(
    sae: LoadedSae, probed: ProbedWords, latent_acts: SparseActs
) -> dict[str, Int[Tensor, " letter"]]:
    """The latent that stands for each letter, chosen on the training words in three ways.

    - ``encoder cosine``: highest cosine of encoder column and LR probe direction (paper, section 5.1).
    - ``k=1 probing``: the latent whose own class-balanced logistic regression has the lowest loss; a latent
      that speaks against the letter (negative weight) is not considered.
    - ``best F1``: highest F1 of "the latent is on".
    """
    train = torch.from_numpy(np.flatnonzero(probed.words["split"].to_numpy() == "train"))
    mine = _rows(latent_acts.csr, train)
    labels = probed.labels[train]
    cosines = probed.probes.directions @ sae.encoder_directions.float().cpu().T
    return {
        "encoder cosine": cosines.argmax(dim=1),
        "k=1 probing": _best_single_regression(mine, labels),
        "best F1": _on_f1(mine, labels).argmax(dim=1),
    }


def _rows(csr: Tensor, rows: Int[Tensor, " row"]) -> Tensor:
    """Some rows of a CSR matrix (PyTorch cannot index it)."""
    starts, sizes = csr.crow_indices()[rows], csr.crow_indices().diff()[rows]
    new_starts = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)])
    take = torch.arange(int(new_starts[-1])) + (starts - new_starts[:-1]).repeat_interleave(sizes)
    return torch.sparse_csr_tensor(
        new_starts, csr.col_indices()[take], csr.values()[take], (len(rows), csr.shape[1]), check_invariants=False
    )


def _ones_like(csr: Tensor) -> Tensor:
    ones = torch.ones_like(csr.values())
    return torch.sparse_csr_tensor(
        csr.crow_indices(), csr.col_indices(), ones, csr.shape, check_invariants=False
    )


def _on_f1(csr: Tensor, labels: Bool[Tensor, "word letter"]) -> Float[Tensor, "letter latent"]:
    """F1 of "the latent is on" for every letter and latent."""
    hits = _times(_ones_like(csr), labels.float())
    on = torch.bincount(csr.col_indices(), minlength=csr.shape[1])
    return 2 * hits / (on + labels.sum(0)[:, None]).clamp_min(1)


def _times(csr: Tensor, right: Float[Tensor, "word column"]) -> Float[Tensor, "column latent"]:
    """``right.T @ csr``, computed as sums over the stored entries."""
    words = torch.arange(csr.shape[0]).repeat_interleave(csr.crow_indices().diff())
    out = torch.zeros(csr.shape[1], right.shape[1])
    out.index_add_(0, csr.col_indices(), csr.values()[:, None] * right[words])
    return out.T


def _best_single_regression(
    csr: Tensor, labels: Bool[Tensor, "word letter"], candidates: int = 20
) -> Int[Tensor, " letter"]:
    """Lowest class-balanced logistic loss of one latent, among the best 20 by F1 of being on.

    One weight and an intercept per pair, by Newton steps; the pre-selection keeps the work small, and a latent
    outside the best 20 by F1 has not been seen to win.
    """
    shortlist = _on_f1(csr, labels).topk(min(candidates, csr.shape[1]), dim=1).indices
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


def score_latents(
    sae: LoadedSae, probed: ProbedWords, latent_acts: SparseActs, *, seed: int = 0
) -> pd.DataFrame:
    """Each letter's latent as a classifier ("on" means the letter) on the test words, per selection.

    Returns:
        ``sae, selection, letter, latent, cosine, metric, value, low, high``; ``latent`` is -1 for the mean.
    """
    test = torch.from_numpy(probed.test)
    cosines = probed.probes.directions @ sae.encoder_directions.float().cpu().T
    tables = []
    for selection, latents in select_latents(sae, probed, latent_acts).items():
        acts = latent_acts.dense(latents)[test]
        table = letter_scores(acts, probed.labels[test], predicted=acts > ACTIVE, seed=seed)
        of_letter = dict(zip(LETTERS, latents.tolist(), strict=True))
        table["latent"] = table["letter"].map(of_letter).fillna(-1).astype(int)
        best = {letter: float(cosines[i, latents[i]]) for i, letter in enumerate(LETTERS)}
        table["cosine"] = table["letter"].map(best)
        tables.append(table.assign(selection=selection))
    return pd.concat(tables, ignore_index=True).assign(sae=sae.name)


def missed_words(
    sae: LoadedSae,
    probed: ProbedWords,
    latent_acts: SparseActs,
    *,
    selection: str = "encoder cosine",
    top: int = 3,
) -> pd.DataFrame:
    """Test words that the probe gets and the letter's latent misses, with what is on instead.

    Returns:
        ``word, letter, latent, probe_logit`` and ``instead``: the active latents whose contribution
        (activation times decoder row) is largest along the probe direction, as ``latent (share)``, where
        share is of the word's own projection on the probe direction.
    """
    latents = select_latents(sae, probed, latent_acts)[selection]
    letters = probed.labels.float().argmax(dim=1)
    logits = probed.probes.logits(probed.acts)
    right = logits.gather(1, letters[:, None])[:, 0] > 0
    mine = latent_acts.dense(latents).gather(1, letters[:, None])[:, 0]
    missed = (right & (mine <= ACTIVE)).numpy()
    rows = np.intersect1d(probed.test, np.flatnonzero(missed))
    table = probed.words.iloc[rows][["word", "letter"]].copy()
    table["latent"] = latents[letters[rows]].numpy()
    table["probe_logit"] = logits[rows, letters[rows]].numpy()
    table["instead"] = [
        _carriers(sae, probed, latent_acts, int(row), int(letters[row]), top) for row in rows
    ]
    return table.sort_values(["letter", "word"], ignore_index=True)


def _carriers(
    sae: LoadedSae, probed: ProbedWords, latent_acts: SparseActs, row: int, letter: int, top: int
) -> str:
    start, end = latent_acts.csr.crow_indices()[row : row + 2].tolist()
    active = latent_acts.csr.col_indices()[start:end]
    direction = probed.probes.directions[letter]
    along = latent_acts.csr.values()[start:end] * (sae.W_dec[active].float().cpu() @ direction)
    whole = (probed.acts[row] - probed.acts.mean(0)) @ direction
    order = along.argsort(descending=True)[:top]
    return ", ".join(f"{int(active[i])} ({float(along[i] / whole):.0%})" for i in order if along[i] > 0)


def top_words(
    latent_acts: SparseActs, words: pd.DataFrame, latents: list[int], n_words: int = 6
) -> dict[int, str]:
    """The words on which each latent is strongest: a name for it, read off its own activations."""
    if not latents:
        return {}
    acts = latent_acts.dense(torch.tensor(latents))
    names = {}
    for column, latent in enumerate(latents):
        best = acts[:, column].topk(min(n_words, len(acts)))
        kept = [words["word"].iloc[int(i)] for v, i in zip(*best, strict=True) if v > ACTIVE]
        names[latent] = ", ".join(dict.fromkeys(word.strip() for word in kept)) or "never on"
    return names

"""Main latents under each selection in use, and the reference code's ranking as it comes out unconverged."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from absorption.latents.ksparse import KSparse
from absorption.probes.l1 import L1, SparseProbe
from absorption.spelling.vocab import LETTERS

K_SPARSE = "L1 k-sparse"
"""The paper's selection: may keep several latents a letter."""
MAIN_SELECTIONS = (K_SPARSE, "encoder cosine", "best F1")
"""Ways to choose the main latents of a letter."""

REFERENCE_EPOCHS, REFERENCE_BATCH = 50, 4096
"""How the reference code trains its ranking probe: epochs, and words a step."""

MainLatents = dict[str, list[int]]
"""Main latents by letter, the most important first."""


def one_each(latents: Int[Tensor, " letter"], names: Sequence[str] = LETTERS) -> MainLatents:
    """Main latents where a selection names one latent a letter (encoder cosine, best F1)."""
    return {letter: [int(latent)] for letter, latent in zip(names, latents, strict=True)}


def split_counts(scores: pd.DataFrame, f1_jumps: list[float]) -> pd.DataFrame:
    """Number of main latents by letter and threshold: ``f1_jump, letter, n_main``.

    Args:
        scores: ``KSparse.scores``.
        f1_jumps: thresholds to try (the paper tries .01 to .05).
    """
    empty: dict[str, list[int]] = {}
    rows = [
        (jump, letter, len(latents))
        for jump in f1_jumps
        for letter, latents in KSparse(empty, scores).main_latents(jump).items()
    ]
    return pd.DataFrame(rows, columns=["f1_jump", "letter", "n_main"])


def count_table(counts: pd.DataFrame) -> pd.DataFrame:
    """One row a threshold of ``split_counts``: ``f1_jump, letters_split, mean_main``."""
    groups = counts.groupby("f1_jump")["n_main"]
    split = groups.apply(lambda n: int((n > 1).sum()))
    return pd.DataFrame({"letters_split": split, "mean_main": groups.mean()}).reset_index()


def split_letters(found: KSparse, f1_jump: float) -> list[str]:
    """Letters with more than one main latent, the largest rise of F1 at k = 2 first."""
    main = found.main_latents(f1_jump)
    order = found.jumps().sort_values("jump", ascending=False)["letter"]
    return [letter for letter in order if len(main[letter]) > 1]


def reference_steps(n_words: int) -> int:
    """Adam steps that the reference code's ranking probe makes on this many words."""
    return REFERENCE_EPOCHS * -(-n_words // REFERENCE_BATCH)


def unconverged_probe(
    csr: Tensor,
    labels: Bool[Tensor, "word letter"],
    *,
    steps: int,
    batch: int = REFERENCE_BATCH,
    l1: float = L1,
    seed: int = 0,
) -> SparseProbe:
    """The ranking probe as the reference code trains it, stopped after a number of Adam steps.

    Where there are fewer words than a batch, a step sees all of them and an epoch is one step. The learning rate falls
    from .01 to 1e-5, from random weights. For comparison only: nothing is checked, ``violation`` is not
    computed.
    """
    torch.manual_seed(seed)
    probe = torch.nn.Linear(csr.shape[1], labels.shape[1])
    positives = labels.sum(0)
    loss_of = torch.nn.BCEWithLogitsLoss(pos_weight=(len(labels) - positives) / positives.clamp_min(1))
    optimiser = torch.optim.Adam(probe.parameters(), lr=0.01, weight_decay=1e-6)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, gamma=(1e-5 / 0.01) ** (1 / steps))
    dense_rows = csr.to_sparse_coo().coalesce()
    for _ in range(steps):
        rows = torch.randperm(len(labels))[:batch].sort().values
        acts = dense_rows.index_select(0, rows).to_dense().float()
        loss = loss_of(probe(acts), labels[rows].float()) + l1 * probe.weight.abs().sum(dim=1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    weights, biases = probe.weight.detach().double(), probe.bias.detach().double()
    return SparseProbe(weights, biases, torch.full((len(biases),), torch.nan))

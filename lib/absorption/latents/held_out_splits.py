"""Does a letter split? Letters are picked on one half of the test words and judged on the other.

The largest rise of F1 over 26 letters is large by chance alone on the words that picked the letter. So the
letters that seem to split (F1 at k = 2 above F1 at k = 1 by more than a line), or not to (a change below
another), are picked on one half, and each is measured again on the other.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from absorption.base.statistics import LEVEL, Estimate, interval
from absorption.latents.ksparse import F1_JUMP, probe_k_sparse
from absorption.probes.l1 import SparseProbe

FLAT = 0.01
"""Change of F1 at k = 2 below which a letter does not split (the paper's N, section 5.3)."""
N_RESAMPLES = 2000
SPLITS, FLATS = "splits", "does not split"


def halves(
    words: pd.DataFrame, test: Int[np.ndarray, " test"], seed: int = 0
) -> tuple[Int[Tensor, " first"], Int[Tensor, " second"]]:
    """The test words in two halves, forms of one word (case, leading space) together, within each letter.

    Args:
        words: ``word, letter``, all words.
        test: rows of the test words.
        seed: of the halves.
    """
    table = words.iloc[test][["word", "letter"]].assign(row=test, form=words["word"].str.strip().str.lower())
    forms = table[["letter", "form"]].drop_duplicates().sample(frac=1, random_state=seed)
    forms["half"] = forms.groupby("letter").cumcount() % 2
    half = table.merge(forms, on=["letter", "form"], how="left").set_index("row")["half"]
    first, second = (half.index[half == number].to_numpy() for number in (0, 1))
    return torch.from_numpy(np.sort(first)), torch.from_numpy(np.sort(second))


def held_out_splits(
    csr: Tensor,
    labels: Bool[Tensor, "word letter"],
    train: Int[Tensor, " train"],
    test: tuple[Int[Tensor, " first"], Int[Tensor, " second"]],
    probe: SparseProbe,
    *,
    f1_jump: float = F1_JUMP,
    seed: int = 0,
) -> pd.DataFrame:
    """Letters picked on the first half of the test words, measured on the second.

    Args:
        csr: sparse CSR matrix ``word latent`` of all words' activations.
        labels: their letters.
        train: rows of the training words, on which latents are ranked and regressions fitted.
        test: rows of the two halves.
        probe: the ranking probe, of the training words.
        f1_jump: rise of F1 by which a letter is picked as one that splits.
        seed: of the bootstrap over words of the second half.

    Returns:
        ``letter, picked`` (``splits`` or ``does not split``), ``rise`` (of F1 at k = 2, first half), ``again``
        (second half), ``low, high`` (95% interval of that over all letters picked alike, by Bonferroni).
    """
    scored = [
        probe_k_sparse(csr, labels, train, half, max_k=2, probe=probe, seed=seed, n_resamples=N_RESAMPLES)
        for half in test
    ]
    first, second = (found.jumps().set_index("letter")["jump"] for found in scored)
    picked = {
        SPLITS: first.index[first > f1_jump].tolist(),
        FLATS: first.index[first.abs() < FLAT].tolist(),
    }
    rows = []
    for name, letters in picked.items():
        for letter in letters:
            samples = scored[1].f1_samples[letter]
            rise = samples[:, 1] - samples[:, 0] if samples.shape[1] > 1 else np.zeros(len(samples))
            low, high = interval(rise, 1 - (1 - LEVEL) / len(letters))
            rows.append((letter, name, first[letter], second[letter], float(low), float(high)))
    return pd.DataFrame(rows, columns=["letter", "picked", "rise", "again", "low", "high"])


def letters_that_pass(table: pd.DataFrame, f1_jump: float = F1_JUMP) -> dict[str, Estimate]:
    """Number of letters that split, and that do not, on the words that did not pick them.

    Args:
        table: from ``held_out_splits``.
        f1_jump: the rise that counts as a split.

    Returns:
        By ``splits`` and ``does not split``: letters whose value passes; the ends are the letters whose whole
        interval does, and those of which some part does.
    """
    up, flat = (table[table["picked"] == name] for name in (SPLITS, FLATS))
    inside = (flat["low"].abs() < FLAT) & (flat["high"].abs() < FLAT)
    near = (flat["low"] < FLAT) & (flat["high"] > -FLAT)
    return {
        SPLITS: _counted(up["again"] > f1_jump, up["low"] > f1_jump, up["high"] > f1_jump),
        FLATS: _counted(flat["again"].abs() < FLAT, inside, near),
    }


def _counted(value: pd.Series, surely: pd.Series, possibly: pd.Series) -> Estimate:
    return Estimate(float(value.sum()), float(surely.sum()), float(possibly.sum()))

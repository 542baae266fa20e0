"""Decoder rows whose parts are known."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from absorption.composition.weights import MetaSae


def sums_of_directions(
    n_rows: int = 400, n_parts: int = 12, d: int = 32, on: int = 2
) -> tuple[Tensor, Tensor]:
    """Unit rows, each the sum of a few of some random directions with unequal sizes; and the directions."""
    draw = np.random.default_rng(0)
    parts = torch.nn.functional.normalize(torch.from_numpy(draw.standard_normal((n_parts, d))), dim=1).float()
    held = np.stack([draw.permutation(n_parts)[:on] for _ in range(n_rows)])
    sizes = torch.from_numpy(0.5 + draw.random((n_rows, on))).float()
    rows = (sizes[..., None] * parts[torch.from_numpy(held)]).sum(1)
    return torch.nn.functional.normalize(rows, dim=1), parts


def meta_of(decoder: Tensor, weights: Tensor, bias: Tensor | None = None) -> MetaSae:
    """A meta-SAE set by hand."""
    return MetaSae(
        decoder, torch.zeros(decoder.shape[1]) if bias is None else bias, sp.csr_matrix(weights.numpy())
    )


def words_and_letters(n_words: int = 60, n_letters: int = 6, d: int = 96) -> tuple[Tensor, Tensor, Tensor]:
    """Decoder rows of absorbing latents: each a word's direction, which two rows share, plus a letter's.

    Returns:
        Unit rows, the number of each one's letter, and the letters' directions.
    """
    axes = torch.eye(d)
    word = torch.arange(2 * n_words) % n_words
    letter = torch.arange(2 * n_words) % n_letters
    rows = axes[n_letters + word % (d - n_letters)] + 0.8 * axes[letter]
    return torch.nn.functional.normalize(rows, dim=1), letter, axes[:n_letters]

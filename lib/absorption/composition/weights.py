"""A trained meta-SAE as rows of weights: how much of each meta-latent a decoder row holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.training.topk import largest


@dataclass(frozen=True)
class MetaSae:
    """Meta-latents and their weights on the decoder rows: row ~ bias + weights times directions."""

    decoder: Float[Tensor, "meta d_model"]
    """Unit directions."""
    bias: Float[Tensor, " d_model"]
    weights: Any
    """SciPy's ``csr_matrix``, ``row meta``, none negative; not on: not stored."""

    @classmethod
    def of(cls, stored: Mapping[str, Tensor], n_rows: int) -> MetaSae:
        """From tensors ``decoder, bias, starts, latents, values``."""
        parts = tuple(stored[name].numpy() for name in ("values", "latents", "starts"))
        weights = sp.csr_matrix(parts, shape=(n_rows, len(stored["decoder"])))
        return cls(stored["decoder"], stored["bias"], weights)

    @property
    def n_latents(self) -> int:
        """Number of meta-latents."""
        return len(self.decoder)

    @cached_property
    def used(self) -> Int[np.ndarray, " used"]:
        """Meta-latents that are on at some row."""
        return np.unique(self.weights.indices)

    @cached_property
    def columns(self) -> Any:
        """The weights by meta-latent."""
        return self.weights.tocsc()

    def written(self) -> Float[Tensor, "row d_model"]:
        """What the meta-SAE says the rows are."""
        return torch.from_numpy(self.weights @ self.decoder.numpy()) + self.bias

    def of_row(self, row: int) -> tuple[Int[np.ndarray, " on"], Float[np.ndarray, " on"]]:
        """The meta-latents that are on at a row, the largest weight first, and their weights."""
        span = slice(self.weights.indptr[row], self.weights.indptr[row + 1])
        latents, values = self.weights.indices[span], self.weights.data[span]
        order = np.argsort(-values, kind="stable")
        return latents[order], values[order]

    def rows_of(self, meta: int) -> Int[np.ndarray, " row"]:
        """The rows that a meta-latent is on at, the largest weight first."""
        span = slice(self.columns.indptr[meta], self.columns.indptr[meta + 1])
        return self.columns.indices[span][np.argsort(-self.columns.data[span], kind="stable")]


def chosen_weights(pre: Float[Tensor, "row meta"], k: int) -> Float[Tensor, "row meta"]:
    """The ``k`` times as many largest positive values as there are rows, all others 0 (BatchTopK)."""
    rows, columns, values = largest(pre, k * len(pre))
    out = torch.zeros_like(pre)
    out[rows, columns] = values
    return out


def share_seen(cosine: float, threshold: float) -> float:
    """Share of a decoder row's squared norm that is written by a meta-SAE which keeps weights above a threshold.

    The row is the sum of a word's meta-latent and, with the given cosine, of its letter's, two orthogonal directions.
    """
    row = torch.tensor([(1 - cosine**2) ** 0.5, cosine], dtype=torch.float64)
    written = row * (row > threshold)
    return float(1 - (row - written).pow(2).sum() / row.pow(2).sum())

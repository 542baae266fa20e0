"""An SAE's training step at the cost of one dense product: only the latents that are on are computed with.

SAELens multiplies dense ``batch d_sae`` activations although one in 128 is not zero. Here the encoder's
product alone is dense, to see which latents are on; the reconstruction and every gradient run over those
entries. The numbers are the same (the tests compare loss and gradients with SAELens' own classes).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Entries:
    """Places in a ``row latent`` matrix, in row-major order."""

    rows: Int[Tensor, " entry"]
    latents: Int[Tensor, " entry"]
    shape: tuple[int, int]

    @cached_property
    def by_latent(self) -> Int[Tensor, " entry"]:
        """Order of the entries by latent."""
        return _stable_order(self.latents)

    def matrix(self, values: Float[Tensor, " entry"]) -> Tensor:
        """Sparse ``row latent`` matrix of these values."""
        return _csr(self.rows, self.latents, values, self.shape)

    def transposed(self, values: Float[Tensor, " entry"]) -> Tensor:
        """Sparse ``latent row`` matrix of these values."""
        order = self.by_latent
        return _csr(self.latents[order], self.rows[order], values[order], (self.shape[1], self.shape[0]))

    def at(self, places: Int[Tensor, " part"]) -> Entries:
        """Some of the entries, in their order."""
        return Entries(self.rows[places], self.latents[places], self.shape)

    def within(self, start: int, end: int) -> tuple[Entries, Int[Tensor, " part"]]:
        """The entries of latents ``start`` to ``end - 1``, counted from ``start``, and where they were."""
        where = ((self.latents >= start) & (self.latents < end)).nonzero()[:, 0]
        part = Entries(self.rows[where], self.latents[where] - start, (self.shape[0], end - start))
        return part, where

    def coo(self, values: Float[Tensor, " entry"]) -> Tensor:
        """Sparse tensor in the form that SAELens' trainer counts firing latents from."""
        return torch.sparse_coo_tensor(
            torch.stack([self.rows, self.latents]), values, self.shape, is_coalesced=True
        )


def entries_where(mask: Tensor) -> Entries:
    """The places where a ``row latent`` mask is true."""
    rows, latents = mask.nonzero(as_tuple=True)
    return Entries(rows, latents, (mask.shape[0], mask.shape[1]))


PRODUCTS = {"float32": None, "bfloat16": torch.bfloat16}
"""Precisions of the dense product that chooses which latents are on; None: the weights' own, as their values are."""


def dense_pre(
    x: Float[Tensor, "row d_in"],
    W_enc: Float[Tensor, "d_in latent"],
    b_enc: Float[Tensor, " latent"],
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "row latent"]:
    """``x @ W_enc + b_enc`` in ``dtype`` (None: that of ``x``); in bfloat16 it takes a third of the time."""
    return torch.addmm(b_enc.to(dtype), x.to(dtype), W_enc.to(dtype))


def values_at(
    x: Float[Tensor, "row d_in"],
    W_enc: Float[Tensor, "d_in latent"],
    b_enc: Float[Tensor, " latent"],
    entries: Entries,
) -> Float[Tensor, " entry"]:
    """The entries of ``x @ W_enc + b_enc``, in the precision of ``x``."""
    pattern = entries.matrix(torch.zeros(len(entries.rows), dtype=x.dtype, device=x.device))
    return torch.sparse.sampled_addmm(pattern, x, W_enc).values() + b_enc[entries.latents]


def encode_at(
    values: Float[Tensor, " entry"],
    x: Float[Tensor, "row d_in"],
    W_enc: Float[Tensor, "d_in latent"],
    b_enc: Float[Tensor, " latent"],
    b_dec: Float[Tensor, " d_in"],
    entries: Entries,
) -> Float[Tensor, " entry"]:
    """``values``, the entries of ``(x - b_dec) @ W_enc + b_enc`` already known, with their gradients."""
    return _Encode.apply(values, x, W_enc, b_enc, b_dec, entries)  # type: ignore[return-value]


def decode(
    acts: Float[Tensor, " entry"], W_dec: Float[Tensor, "latent d_in"], entries: Entries
) -> Float[Tensor, "row d_in"]:
    """Sparse activations times the decoder, without its bias."""
    return _Decode.apply(acts, W_dec, entries)  # type: ignore[return-value]


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values, x, W_enc, b_enc, b_dec, entries):
        ctx.entries = entries
        ctx.save_for_backward(x, W_enc, b_dec)
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor):
        x, W_enc, b_dec = ctx.saved_tensors
        entries, grad = ctx.entries, grads[0]
        grad_enc = (entries.transposed(grad) @ (x - b_dec)).t().contiguous()
        grad_b_enc = torch.zeros_like(W_enc[0]).index_add_(0, entries.latents, grad)
        return None, None, grad_enc, grad_b_enc, (W_enc @ grad_b_enc).neg(), None


class _Decode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, acts, W_dec, entries):
        ctx.entries = entries
        ctx.save_for_backward(acts, W_dec)
        return entries.matrix(acts) @ W_dec

    @staticmethod
    def backward(ctx: Any, *grads: Tensor):
        acts, W_dec = ctx.saved_tensors
        entries, grad = ctx.entries, grads[0].contiguous()
        pattern = entries.matrix(torch.zeros_like(acts))
        grad_acts = torch.sparse.sampled_addmm(pattern, grad, W_dec.t()).values()
        return grad_acts, entries.transposed(acts) @ grad, None


def _stable_order(columns: Tensor) -> Tensor:
    """``columns.argsort(stable=True)``; NumPy sorts 16-bit integers by radix, 100 times faster than PyTorch."""
    if columns.is_cuda or len(columns) == 0 or int(columns.max()) >= 2**16:
        return columns.sort(stable=True).indices
    return torch.from_numpy(columns.numpy().astype(np.uint16).argsort(kind="stable"))


def _csr(rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Sparse matrix from entries that are sorted by row."""
    starts = torch.zeros(shape[0] + 1, dtype=torch.long, device=rows.device)
    starts[1:] = torch.bincount(rows, minlength=shape[0]).cumsum(0)
    return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)

"""Latent activations of the words, kept sparse."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.base import cache
from absorption.saes.loaded import LoadedSae

ACTIVE = 1e-8
"""A latent is on above this activation (reference code)."""


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


def encode_words(sae: LoadedSae, acts: Float[Tensor, "word d_model"], batch: int = 256) -> SparseActs:
    """Latent activations of every word, cached.

    Args:
        sae: what encodes.
        acts: of the words, at the SAE's hook.
        batch: words at once. Few, so that their dense ``word d_sae`` matrices stay in the processor's cache.
    """
    inputs = {"sae": sae.identity, "acts": cache.array_hash(acts.numpy()), "version": 1}

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


def take_rows(csr: Tensor, rows: Int[Tensor, " row"]) -> Tensor:
    """Some rows of a CSR matrix (PyTorch cannot index it)."""
    starts, sizes = csr.crow_indices()[rows], csr.crow_indices().diff()[rows]
    new_starts = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)])
    take = torch.arange(int(new_starts[-1])) + (starts - new_starts[:-1]).repeat_interleave(sizes)
    return torch.sparse_csr_tensor(
        new_starts,
        csr.col_indices()[take],
        csr.values()[take],
        (len(rows), csr.shape[1]),
        check_invariants=False,
    )


def ones_like(csr: Tensor) -> Tensor:
    ones = torch.ones_like(csr.values())
    return torch.sparse_csr_tensor(
        csr.crow_indices(), csr.col_indices(), ones, csr.shape, check_invariants=False
    )


def weighted_sums(csr: Tensor, right: Float[Tensor, "word column"]) -> Float[Tensor, "column latent"]:
    """``right.T @ csr``, computed as sums over the stored entries."""
    words = torch.arange(csr.shape[0]).repeat_interleave(csr.crow_indices().diff())
    out = torch.zeros(csr.shape[1], right.shape[1])
    out.index_add_(0, csr.col_indices(), csr.values()[:, None] * right[words])
    return out.T

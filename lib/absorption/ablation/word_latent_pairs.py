"""Active latents of some words, one row each: what effects are computed for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from absorption.latents.sparse import ACTIVE
from absorption.saes.loaded import LoadedSae


@dataclass(frozen=True)
class WordLatentPairs:
    """Pairs of a word and a latent that is on at it, sorted by word."""

    words: Int[Tensor, " row"]
    """Positions in the prompts' table."""
    latents: Int[Tensor, " row"]
    activations: Float[Tensor, " row"]

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, pick: Tensor | slice) -> WordLatentPairs:
        return WordLatentPairs(self.words[pick], self.latents[pick], self.activations[pick])

    def places_in(self, words: Int[Tensor, " word"]) -> Int[Tensor, " row"]:
        """Where each row's word stands in ``words``, which holds each of them once."""
        order = words.argsort()
        return order[torch.searchsorted(words[order], self.words)]

    def contributions(self, sae: LoadedSae) -> Float[Tensor, "row d_model"]:
        """What each latent adds to the residual stream: activation times decoder row, float32 on the
        CPU."""
        return self.activations[:, None] * sae.W_dec[self.latents.to(sae.W_dec.device)].float().cpu()


def active_pairs(csr: Tensor, words: Int[Tensor, " word"]) -> WordLatentPairs:
    """Rows of every latent that is on at the given words.

    Args:
        csr: sparse CSR matrix ``word latent`` of activations, a row for each prompt.
        words: positions in the prompts' table, each once.

    Raises:
        ValueError: a word is given twice.
    """
    if len(words.unique()) != len(words):
        raise ValueError("words must be given once each.")
    starts, sizes = csr.crow_indices()[words], csr.crow_indices().diff()[words]
    offsets = sizes.cumsum(0) - sizes
    take = torch.arange(int(sizes.sum())) + (starts - offsets).repeat_interleave(sizes)
    rows = WordLatentPairs(
        words.repeat_interleave(sizes), csr.col_indices()[take].long(), csr.values()[take].float()
    )
    on: Bool[Tensor, " row"] = rows.activations > ACTIVE
    return rows[on]

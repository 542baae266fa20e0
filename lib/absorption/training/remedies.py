"""Remedies against absorption that change the loss or weights of TopK and BatchTopK.

Similar decoder rows cost, or one matrix both reads and writes. (Matryoshka's levels are in ``topk.py``.) The
coefficients are those of the sources, whose inputs have a mean squared norm of 1; here it is ``d_in``, so that squared
errors are ``d_in`` times and activations the root of it times as large, and the penalties are scaled alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from sae_lens.saes.sae import TrainStepInput, TrainStepOutput
from torch import Tensor

from absorption.training.sparse import Entries
from absorption.training.topk import SparseBatchTopKTrainingSAE, SparseTopKTrainingSAE


@dataclass(frozen=True)
class SimilarRows:
    """What a latent pays for the decoder row that is most similar to its own.

    Orthogonality is OrtSAE's (arXiv 2509.22033): the mean over latents of the square of the largest cosine, not below
    0, to another row. Consistency is C2R's (arXiv 2606.30609): the same square times how much the two latents fire in
    the batch, the sum of the norms of their activations over it.
    """

    orthogonality: float = 0.0
    consistency: float = 0.0
    stride: int = 5
    """The penalty is taken at every n-th step, n-fold, which saves most of its time."""
    chunk: int = 8192
    """Rows that are compared with each other; more latents than that are split at random at each step."""

    def loss(
        self,
        rows: Float[Tensor, "latent d_in"],
        acts: Float[Tensor, " entry"],
        latents: Int[Tensor, " entry"],
    ) -> Tensor:
        """The penalty of one step.

        Args:
            rows: decoder rows, of any norm.
            acts: active latents' activations times the norm of their decoder row.
            latents: of each of ``acts``.
        """
        unit = torch.nn.functional.normalize(rows, dim=1)
        other = nearest_rows(unit.detach(), self.chunk)
        squares = (unit * unit.index_select(0, other)).sum(dim=1).clamp_min(0).pow(2)
        d_in = rows.shape[1]
        loss = self.orthogonality * d_in * squares.mean()
        if self.consistency:
            sizes = batch_norms(acts, latents, len(rows))
            loss = (
                loss
                + self.consistency * d_in**0.5 * (squares * (sizes + sizes.index_select(0, other))).mean()
            )
        return self.stride * loss


@torch.no_grad()
def nearest_rows(unit: Float[Tensor, "latent d_in"], chunk: int) -> Int[Tensor, " latent"]:
    """For each unit row, the other one of its chunk with the largest cosine; one chunk: of all."""
    n = len(unit)
    order = torch.randperm(n, device=unit.device) if n > chunk else torch.arange(n, device=unit.device)
    nearest = torch.empty_like(order)
    for part in order.split(chunk):
        cosines = unit[part] @ unit[part].T
        nearest[part] = part[cosines.fill_diagonal_(-2.0).argmax(dim=1)]
    return nearest


def batch_norms(
    acts: Float[Tensor, " entry"], latents: Int[Tensor, " entry"], n_latents: int
) -> Float[Tensor, " latent"]:
    """Root of the sum of squares of each latent's activations; 0, and no gradient, where it did not fire."""
    squares = torch.zeros(n_latents, dtype=acts.dtype, device=acts.device).index_add(0, latents, acts.pow(2))
    fired = squares > 0
    return torch.where(fired, torch.where(fired, squares, 1.0).sqrt(), 0.0)


class SimilarRowsTopKTrainingSAE(SparseTopKTrainingSAE):
    """TopK that pays for similar decoder rows.

    An absorbing latent's decoder row is child plus parent, so it is similar to the parent latent's row.
    """

    _asked = False

    def __init__(self, cfg: Any, use_error_term: bool = False, *, similar_rows: SimilarRows, **settings: Any):
        """``settings``: as in ``SparseTopKTrainingSAE``."""
        super().__init__(cfg, use_error_term, **settings)
        self.similar_rows = similar_rows

    def training_forward_pass(self, step_input: TrainStepInput) -> TrainStepOutput:
        """The architecture's loss, and the penalty at the steps that are its own."""
        self._asked = step_input.n_training_steps % self.similar_rows.stride == 0
        return super().training_forward_pass(step_input)

    def _reconstruction_losses(
        self, acts: Tensor, entries: Entries, x: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        losses, sae_out = super()._reconstruction_losses(acts, entries, x)
        if self._asked:
            sizes = acts * self.W_dec.norm(dim=-1).index_select(0, entries.latents)
            losses["similar_rows_loss"] = self.similar_rows.loss(self.W_dec, sizes, entries.latents)
        return losses, sae_out


class SimilarRowsBatchTopKTrainingSAE(SimilarRowsTopKTrainingSAE, SparseBatchTopKTrainingSAE):
    """The same of BatchTopK."""


class TiedTopKTrainingSAE(SparseTopKTrainingSAE):
    """TopK with one matrix that reads and writes; only the biases are free besides.

    An absorbing latent needs an encoder unlike its decoder (it reads the child and writes child plus parent), so tying
    takes that solution away. There is no parameter ``W_enc`` while training: it is the decoder's transpose.
    """

    _tied = False

    def __init__(self, cfg: Any, use_error_term: bool = False, **settings: Any):
        """``settings``: as in ``SparseTopKTrainingSAE``."""
        super().__init__(cfg, use_error_term, **settings)
        del self._parameters["W_enc"]
        self._tied = True

    def __getattr__(self, name: str) -> Any:
        """The encoder, while it is no parameter of its own."""
        if name == "W_enc" and self._tied:
            return self.W_dec.t()
        return super().__getattr__(name)

    def fold_activation_norm_scaling_factor(self, scaling_factor: float) -> None:
        """The encoder becomes a matrix of its own first: folding multiplies one and divides the other."""
        self._tied = False
        self.W_enc = torch.nn.Parameter(self.W_dec.detach().t().contiguous())
        super().fold_activation_norm_scaling_factor(scaling_factor)


class TiedBatchTopKTrainingSAE(TiedTopKTrainingSAE, SparseBatchTopKTrainingSAE):
    """The same of BatchTopK."""

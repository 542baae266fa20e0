"""BatchTopK training at a third of the cost: SAELens' BatchTopK SAE with a sparse decoder and backward pass.

SAELens multiplies dense ``batch d_sae`` activations although one in 128 is not zero, and finds the
``k * batch`` largest of all pre-activations by a full selection. Here only the encoder's product is dense;
the loss and its gradients are the same numbers (the tests compare them with SAELens' own class).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.sae import TrainStepInput, TrainStepOutput
from torch import Tensor


class SparseBatchTopKTrainingSAE(BatchTopKTrainingSAE):
    """``BatchTopKTrainingSAE`` whose training step costs one dense product.

    Needs ``rescale_acts_by_decoder_norm`` and ``apply_b_dec_to_input``, SAELens' defaults.
    """

    def __init__(self, cfg: BatchTopKTrainingSAEConfig, use_error_term: bool = False, *, aux_stride: int = 1):
        """``aux_stride``: the dead latents' loss is taken over every n-th row only (the batch is shuffled, so
        its mean is the same in expectation); at width 16,384 most of an early step would go into it."""
        if not (cfg.rescale_acts_by_decoder_norm and cfg.apply_b_dec_to_input):
            raise ValueError(
                "SparseBatchTopKTrainingSAE needs rescale_acts_by_decoder_norm=True "
                "and apply_b_dec_to_input=True."
            )
        super().__init__(cfg, use_error_term)
        # Lower bound for the search of the k * batch largest: it saves time and never changes the result.
        self._search_above = 0.0
        self.aux_stride = aux_stride

    def training_forward_pass(self, step_input: TrainStepInput) -> TrainStepOutput:
        """The loss of one batch (same value and gradients as SAELens' class)."""
        x = step_input.sae_in
        mse, sae_out, rows, columns, scaled = _SparseStep.apply(  # type: ignore[misc]
            x, self.W_enc, self.b_enc, self.W_dec, self.b_dec, int(self.cfg.k * len(x)), self._search_above
        )
        acts = torch.sparse_coo_tensor(
            torch.stack([rows, columns]), scaled, (len(x), self.cfg.d_sae), is_coalesced=True
        )
        self._follow(scaled)
        aux = self._dead_latents_loss(x, sae_out, step_input.dead_neuron_mask)
        return TrainStepOutput(
            sae_in=x,
            sae_out=sae_out,
            feature_acts=acts,
            hidden_pre=scaled,
            loss=mse + aux,
            losses={"mse_loss": mse, "auxiliary_reconstruction_loss": aux},
        )

    @torch.no_grad()
    def _follow(self, scaled: Float[Tensor, " nnz"]) -> None:
        """Move the threshold towards the smallest active entry; it stays where no latent is on."""
        self._search_above = 0.0
        if len(scaled):
            smallest, rate = scaled.min().double(), self.cfg.topk_threshold_lr
            self.topk_threshold = (1 - rate) * self.topk_threshold + rate * smallest
            self._search_above = 0.8 * float(smallest)

    def _dead_latents_loss(self, x: Tensor, sae_out: Tensor, dead_mask: Tensor | None) -> Tensor:
        """AuxK: dead latents reconstruct the residual (Gao et al. 2024, A.2), over the dead columns only."""
        dead = dead_mask.nonzero()[:, 0] if dead_mask is not None else None
        if dead is None or len(dead) == 0:
            return x.new_tensor(0.0)
        x, sae_out = x[:: self.aux_stride], sae_out[:: self.aux_stride]
        half_width = x.shape[-1] // 2
        # index_select, not [dead]: the gradient of fancy indexing sorts and takes most of the step
        pre = (x - self.b_dec) @ self.W_enc.index_select(1, dead) + self.b_enc.index_select(0, dead)
        decoder = self.W_dec.index_select(0, dead)
        with torch.no_grad():
            chosen = (pre * decoder.norm(dim=-1)).topk(min(half_width, len(dead)), sorted=False).indices
        acts = torch.zeros_like(pre).scatter(-1, chosen, pre.gather(-1, chosen))
        error = acts @ decoder - (x - sae_out).detach()
        scale = min(len(dead) / half_width, 1.0)
        return self.cfg.aux_loss_coefficient * scale * error.pow(2).sum(dim=-1).mean()


def largest(
    values: Float[Tensor, "row column"], count: int, search_above: float = 0.0
) -> tuple[Int[Tensor, " nnz"], Int[Tensor, " nnz"], Float[Tensor, " nnz"]]:
    """Rows, columns and values of the ``count`` largest positive entries, in row-major order.

    ``search_above`` narrows the search; if fewer than ``count`` entries exceed it, all positive ones are tried.
    """
    flat = values.flatten()
    where = (flat > search_above).nonzero()[:, 0]
    if len(where) < count and search_above > 0:
        where = (flat > 0).nonzero()[:, 0]
    found = flat[where]
    if len(where) > count:
        keep = found.topk(count, sorted=False).indices.sort().values
        where, found = where[keep], found[keep]
    return where // values.shape[1], where % values.shape[1], found


class _SparseStep(torch.autograd.Function):
    """Squared error of one BatchTopK reconstruction, with gradients through the active latents only."""

    @staticmethod
    def forward(ctx: Any, x, W_enc, b_enc, W_dec, b_dec, count, search_above):
        centred = x - b_dec
        scaled_pre = torch.addmm(b_enc, centred, W_enc).mul_(norms := W_dec.norm(dim=-1))
        rows, columns, scaled = largest(scaled_pre, count, search_above)
        acts = scaled / norms[columns]
        sae_out = _csr(rows, columns, acts, (len(x), len(W_dec))) @ W_dec + b_dec
        error = sae_out - x
        ctx.save_for_backward(centred, W_enc, W_dec, rows, columns, acts, error)
        ctx.mark_non_differentiable(sae_out, rows, columns, scaled)
        return error.pow(2).sum(-1).mean(), sae_out, rows, columns, scaled

    @staticmethod
    def backward(ctx: Any, *grads: Tensor):
        centred, W_enc, W_dec, rows, columns, acts, error = ctx.saved_tensors
        grad_out = error * (2 * grads[0] / len(error))
        pattern = _csr(rows, columns, torch.zeros_like(acts), (len(error), len(W_dec)))
        grad_acts = torch.sparse.sampled_addmm(pattern, grad_out, W_dec.t()).values()
        by_column = _stable_order(columns)
        shape = (len(W_dec), len(error))
        latent, token = columns[by_column], rows[by_column]
        grad_dec = _csr(latent, token, acts[by_column], shape) @ grad_out
        grad_enc = (_csr(latent, token, grad_acts[by_column], shape) @ centred).t().contiguous()
        grad_b_enc = torch.zeros_like(W_dec[:, 0]).index_add_(0, columns, grad_acts)
        grad_b_dec = grad_out.sum(0) - W_enc @ grad_b_enc
        return None, grad_enc, grad_b_enc, grad_dec, grad_b_dec, None, None


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

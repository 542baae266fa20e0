"""TopK, BatchTopK and Matryoshka SAEs, trained by the sparse step of ``sparse.py``."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE
from sae_lens.saes.matryoshka_batchtopk_sae import MatryoshkaBatchTopKTrainingSAE
from sae_lens.saes.sae import TrainStepInput, TrainStepOutput
from sae_lens.saes.topk_sae import TopKTrainingSAE
from torch import Tensor

from absorption.training.sparse import Entries, decode, dense_pre, encode_at, values_at


class SparseTopKTrainingSAE(TopKTrainingSAE):
    """``TopKTrainingSAE`` whose training step costs one dense product.

    Needs ``rescale_acts_by_decoder_norm`` and ``apply_b_dec_to_input``, SAELens' defaults.
    """

    def __init__(
        self,
        cfg: Any,
        use_error_term: bool = False,
        *,
        aux_stride: int = 1,
        products: torch.dtype | None = None,
    ):
        """``aux_stride``: the dead latents' loss is taken over every n-th row only (the batch is shuffled, so
        its mean is the same in expectation); at width 16,384 most of an early step would go into it.
        ``products``: precision in which the latents that are on are chosen (``sparse.dense_pre``)."""
        if not (cfg.rescale_acts_by_decoder_norm and cfg.apply_b_dec_to_input):
            raise ValueError(
                f"{type(self).__name__} needs rescale_acts_by_decoder_norm=True and apply_b_dec_to_input=True."
            )
        super().__init__(cfg, use_error_term)
        self.aux_stride = aux_stride
        self.products = products

    def training_forward_pass(self, step_input: TrainStepInput) -> TrainStepOutput:
        """The loss of one batch (same value and gradients as SAELens' class)."""
        x = step_input.sae_in
        with torch.no_grad():
            norms = self.W_dec.norm(dim=-1)
            entries, values = self._on(x - self.b_dec, norms)
            scaled = values * norms[entries.latents]
        acts = encode_at(values, x, self.W_enc, self.b_enc, self.b_dec, entries)
        losses, sae_out = self._reconstruction_losses(acts, entries, x)
        aux = self._dead_latents_loss(x, sae_out, step_input.dead_neuron_mask)
        losses["auxiliary_reconstruction_loss"] = aux
        return TrainStepOutput(
            sae_in=x,
            sae_out=sae_out,
            feature_acts=self._fired(entries, scaled),
            hidden_pre=scaled,
            loss=torch.stack(list(losses.values())).sum(),
            losses=losses,
        )

    @property
    def _n_chosen(self) -> int:
        return self.cfg.k

    def _fired(self, entries: Entries, scaled: Float[Tensor, " entry"]) -> Tensor:
        """The activations from which the trainer counts which latents fire."""
        return entries.coo(scaled)

    def _on(self, centred: Tensor, norms: Tensor) -> tuple[Entries, Float[Tensor, " entry"]]:
        """The latents that are on, and their activations."""
        if self.products is None:
            entries, scaled = self._chosen(dense_pre(centred, self.W_enc, self.b_enc).mul_(norms))
            return entries, scaled / norms[entries.latents]
        rough = dense_pre(centred, self.W_enc * norms, self.b_enc * norms, self.products)
        entries, _ = self._chosen(rough)
        values = values_at(centred, self.W_enc, self.b_enc, entries)
        on = (values > 0).nonzero()[:, 0]  # rounding alone can lift a latent above 0
        return entries.at(on), values[on]

    def _chosen(self, scaled_pre: Float[Tensor, "row latent"]) -> tuple[Entries, Float[Tensor, " entry"]]:
        """The latents that are on, and their activations times the decoder norms."""
        top = scaled_pre.topk(self._n_chosen, dim=-1, sorted=False)
        order = top.indices.sort(dim=-1)
        latents, scaled = order.values.flatten(), top.values.gather(-1, order.indices).flatten()
        rows = torch.arange(len(scaled_pre), device=latents.device).repeat_interleave(self._n_chosen)
        on = scaled > 0
        return Entries(rows[on], latents[on], (len(scaled_pre), self.cfg.d_sae)), scaled[on]

    def _reconstruction_losses(
        self, acts: Tensor, entries: Entries, x: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Squared error by the trainer's name for it, and the reconstruction."""
        sae_out = decode(acts, self.W_dec, entries) + self.b_dec
        return {"mse_loss": _squared_error(sae_out, x)}, sae_out

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


class SparseMultiTopKTrainingSAE(SparseTopKTrainingSAE):
    """TopK with the loss at a second, larger number of latents: ``L(k) + L(also_k) * also_weight``.

    A latent fires, and dies, by the first number: that is how the SAE is used.
    """

    def __init__(
        self,
        cfg: Any,
        use_error_term: bool = False,
        *,
        also_k: int,
        also_weight: float = 1 / 8,
        **settings: Any,
    ):
        """``settings``: as in ``SparseTopKTrainingSAE``.

        Raises:
            ValueError: a second number of latents that is not above the first, or above the number there are.
        """
        if not cfg.k < also_k <= cfg.d_sae:
            raise ValueError(f"also_k={also_k}; allowed: above k={cfg.k}, at most d_sae={cfg.d_sae}.")
        super().__init__(cfg, use_error_term, **settings)
        self.also_k = also_k
        self.also_weight = also_weight

    @property
    def _n_chosen(self) -> int:
        return self.also_k

    def _fired(self, entries: Entries, scaled: Tensor) -> Tensor:
        first, where = self._first(entries, scaled)
        return first.coo(scaled[where])

    def _first(self, entries: Entries, scaled: Tensor) -> tuple[Entries, Int[Tensor, " part"]]:
        """The ``k`` largest entries of each row, and where they are among all."""
        by_value = scaled.argsort(descending=True, stable=True)
        order = by_value[entries.rows[by_value].argsort(stable=True)]
        starts = torch.bincount(entries.rows, minlength=entries.shape[0]).cumsum(0).roll(1)
        starts[0] = 0
        rank = torch.arange(len(order), device=order.device) - starts[entries.rows[order]]
        where = order[rank < self.cfg.k].sort().values
        return Entries(entries.rows[where], entries.latents[where], entries.shape), where

    def _reconstruction_losses(
        self, acts: Tensor, entries: Entries, x: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        scaled = acts.detach() * self.W_dec.detach().norm(dim=-1)[entries.latents]
        first, where = self._first(entries, scaled)
        losses, sae_out = super()._reconstruction_losses(acts.index_select(0, where), first, x)
        all_out = decode(acts, self.W_dec, entries) + self.b_dec
        losses[f"mse_loss_{self.also_k}"] = self.also_weight * _squared_error(all_out, x)
        return losses, sae_out


class SparseBatchTopKTrainingSAE(SparseTopKTrainingSAE, BatchTopKTrainingSAE):
    """``BatchTopKTrainingSAE`` with the sparse step."""

    # Lower bound for the search of the k * batch largest: it saves time and never changes the result.
    _search_above = 0.0

    def _chosen(self, scaled_pre: Float[Tensor, "row latent"]) -> tuple[Entries, Float[Tensor, " entry"]]:
        count = int(self.cfg.k * len(scaled_pre))
        rows, latents, scaled = largest(scaled_pre, count, self._search_above)
        self._follow(scaled)
        return Entries(rows, latents, (len(scaled_pre), self.cfg.d_sae)), scaled

    def _follow(self, scaled: Float[Tensor, " entry"]) -> None:
        """Move the threshold towards the smallest active entry; it stays where no latent is on."""
        self._search_above = 0.0
        if len(scaled):
            smallest, rate = scaled.min().double(), self.cfg.topk_threshold_lr
            self.topk_threshold = (1 - rate) * self.topk_threshold + rate * smallest
            self._search_above = 0.8 * float(smallest)


class SparseMatryoshkaTrainingSAE(SparseBatchTopKTrainingSAE, MatryoshkaBatchTopKTrainingSAE):
    """``MatryoshkaBatchTopKTrainingSAE`` with the sparse step: every prefix of the latents reconstructs too.

    The dead latents' loss is the one of the whole SAE (``use_matryoshka_aux_loss=False``, SAELens' default).
    """

    def __init__(self, cfg: Any, use_error_term: bool = False, *, level_weight: float = 1.0, **settings: Any):
        """``level_weight``: weight of a level's loss over that of the next wider one, the whole SAE's being 1
        ("balanced", arXiv 2505.11756). ``settings``: as in ``SparseTopKTrainingSAE``."""
        if cfg.use_matryoshka_aux_loss:
            raise ValueError("SparseMatryoshkaTrainingSAE needs use_matryoshka_aux_loss=False.")
        super().__init__(cfg, use_error_term, **settings)
        self.level_weight = level_weight

    def _reconstruction_losses(
        self, acts: Tensor, entries: Entries, x: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        widths = self.cfg.matryoshka_widths
        losses, sae_out = {}, self.b_dec
        for wider, (start, end) in enumerate(zip([0, *widths[:-1]], widths, strict=True), 1 - len(widths)):
            part, where = entries.within(start, end)
            sae_out = sae_out + decode(acts.index_select(0, where), self.W_dec[start:end], part)
            name = "mse_loss" if end == widths[-1] else f"inner_mse_loss_{end}"
            losses[name] = self.level_weight**-wider * _squared_error(sae_out, x)
        return losses, sae_out


def _squared_error(sae_out: Tensor, x: Tensor) -> Tensor:
    return (sae_out - x).pow(2).sum(-1).mean()


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

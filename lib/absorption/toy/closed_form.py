"""Toy SAEs' gradients in closed form: a step without autograd takes about half of its time.

With :math:`a` the activations, :math:`D` and :math:`c` the decoder and its bias, :math:`x` the batch and
:math:`e = a D + c - x`, every architecture's loss is :math:`mean(|e|^2)` plus penalties of its own, as SAELens has it,
and every encoder but the tied one reads :math:`(x - c) W + b`. A test compares each gradient with autograd's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from absorption.toy.trainer import ToyTrainer


class ClosedForm(ToyTrainer, ABC):
    """A trainer whose step writes its gradients down."""

    @torch.no_grad()
    def step(self, batch: Float[Tensor, "sample d_in"]) -> None:  # type: ignore[override]
        """One step on one batch."""
        self._set_gradients(batch)
        self._follow_gradients()

    @abstractmethod
    def _set_gradients(self, batch: Tensor) -> None:
        """Give every parameter its gradient."""

    def _read(self, batch: Tensor) -> Tensor:
        """What the encoder reads, before any activation function; shape ``sample d_sae``."""
        return torch.addmm(self.sae.b_enc - self.sae.b_dec @ self.sae.W_enc, batch, self.sae.W_enc)

    def _error(self, acts: Tensor, batch: Tensor) -> Tensor:
        """The squared error's gradient at what the SAE writes; shape ``sample d_in``."""
        written = torch.addmm(batch, acts, self.sae.W_dec, beta=-1)
        return written.add_(self.sae.b_dec).mul_(2 / len(batch))

    def _set_reading(self, batch: Tensor, wanted: Tensor, error_sum: Tensor) -> None:
        """Gradients of the encoder, and of the decoder's bias that it subtracts.

        Args:
            batch: what is read.
            wanted: the loss's gradient at what the encoder reads, shape ``sample d_sae``.
            error_sum: the decoder bias's gradient from what is written, shape ``d_in``.
        """
        sae, total = self.sae, wanted.sum(dim=0)
        sae.W_enc.grad = torch.addr(batch.T @ wanted, sae.b_dec, total, alpha=-1)
        sae.b_enc.grad = total
        sae.b_dec.grad = error_sum - sae.W_enc @ total


class Standard(ClosedForm):
    """ReLU and an L1 penalty: :math:`\\lambda\\, mean(a |D|)`."""

    def _set_gradients(self, batch: Tensor) -> None:
        acts = self._read(batch).relu_()
        error, wanted = self._penalised(acts, batch)
        self._set_reading(batch, wanted, error.sum(dim=0))

    def _penalised(self, acts: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Sets the decoder's gradient; returns those at what is written and at what is read."""
        l1 = self.get_coefficients()["l1"] / len(batch)
        error, lengths = self._error(acts, batch), self.sae.W_dec.norm(dim=1)
        wanted = torch.addmm(l1 * lengths, error, self.sae.W_dec.T).mul_(acts > 0)
        penalty = (l1 * acts.sum(dim=0) / lengths)[:, None] * self.sae.W_dec
        self.sae.W_dec.grad = torch.addmm(penalty, acts.T, error)
        return error, wanted


class Tied(Standard):
    """The same with the decoder's transpose as encoder."""

    def _set_gradients(self, batch: Tensor) -> None:
        sae = self.sae
        acts = torch.addmm(sae.b_enc - sae.W_dec @ sae.b_dec, batch, sae.W_dec.T).relu_()
        error, wanted = self._penalised(acts, batch)
        total = wanted.sum(dim=0)
        sae.W_dec.grad = torch.addmm(sae.W_dec.grad, wanted.T, batch).sub_(torch.outer(total, sae.b_dec))
        sae.b_enc.grad = total
        sae.b_dec.grad = error.sum(dim=0) - total @ sae.W_dec


class Gated(ClosedForm):
    """A gate that decides, a magnitude that writes, and a second reconstruction from the gate alone."""

    def _set_gradients(self, batch: Tensor) -> None:
        sae, l1 = self.sae, self.get_coefficients()["l1"] / len(batch)
        raw = torch.addmm(-(sae.b_dec @ sae.W_enc), batch, sae.W_enc)
        growth, lengths = sae.r_mag.exp(), sae.W_dec.norm(dim=1)
        gate = (raw + sae.b_gate).relu_()
        acts = torch.addcmul(sae.b_mag, raw, growth).relu_().mul_(gate > 0)
        error, gate_error = self._error(acts, batch), self._error(gate, batch)
        to_acts = (error @ sae.W_dec.T).mul_(acts > 0)
        to_gate = torch.addmm(l1 * lengths, gate_error, sae.W_dec.T).mul_(gate > 0)
        penalty = (l1 * gate.sum(dim=0) / lengths)[:, None] * sae.W_dec
        sae.W_dec.grad = torch.addmm(torch.addmm(penalty, gate.T, gate_error), acts.T, error)
        wanted = torch.addcmul(to_gate, to_acts, growth)
        total = wanted.sum(dim=0)
        sae.W_enc.grad = torch.addr(batch.T @ wanted, sae.b_dec, total, alpha=-1)
        sae.b_gate.grad, sae.b_mag.grad = to_gate.sum(dim=0), to_acts.sum(dim=0)
        sae.r_mag.grad = growth * (to_acts * raw).sum(dim=0)
        sae.b_dec.grad = error.sum(dim=0) + gate_error.sum(dim=0) - sae.W_enc @ total


class JumpReLU(ClosedForm):
    """A threshold a latent, an L0 penalty, and straight-through gradients in a window around the threshold."""

    def _set_gradients(self, batch: Tensor) -> None:
        sae, l0 = self.sae, self.get_coefficients()["l0"] / len(batch)
        threshold = sae.threshold.clamp_(min=0)  # as SAELens' own step begins
        read = self._read(batch)
        on = read > threshold
        acts = read * on
        error = self._error(acts, batch)
        wanted = error @ sae.W_dec.T
        near = ((read - threshold).abs_() < sae.bandwidth / 2).to(read)
        felt = near.mul(wanted).sum(dim=0).mul_(threshold).add_(near.sum(dim=0), alpha=l0)
        sae.threshold.grad = felt.div_(-sae.bandwidth)
        sae.W_dec.grad = acts.T @ error
        self._set_reading(batch, wanted.mul_(on), error.sum(dim=0))


class TopK(ClosedForm):
    """The strongest latents of a sample, each weighed by its decoder row's norm.

    The norm cancels where the latent writes, so only the choice feels it.
    """

    @torch.no_grad()
    def step(self, batch: Float[Tensor, "sample d_in"]) -> None:  # type: ignore[override]
        """One step on one batch; SAELens' own while a latent is dead, whose loss is not in closed form here."""
        if bool(self.dead_neurons.any()):
            with torch.enable_grad():
                ToyTrainer.step(self, batch)
        else:
            super().step(batch)

    def _set_gradients(self, batch: Tensor) -> None:
        read = self._read(batch)
        on = self._choose(read * self.sae.W_dec.norm(dim=1))
        acts = read.mul_(on)
        self.n_forward_passes_since_fired.add_(1).mul_(~on.any(dim=0))
        self._set_reading(batch, *self._set_writing(acts, batch, on))

    def _choose(self, weighed: Tensor) -> Tensor:
        """Which latents are on; shape as given."""
        chosen = torch.topk(weighed, self.sae.cfg.k, sorted=False).indices
        return torch.zeros_like(weighed, dtype=torch.bool).scatter_(1, chosen, True).logical_and_(weighed > 0)

    def _set_writing(self, acts: Tensor, batch: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
        """Sets the decoder's gradient; returns that at what is read, and the decoder bias's own."""
        error = self._error(acts, batch)
        self.sae.W_dec.grad = acts.T @ error
        return (error @ self.sae.W_dec.T).mul_(on), error.sum(dim=0)


class BatchTopK(TopK):
    """The strongest latents of a batch; their least activation moves the threshold used after training."""

    def _choose(self, weighed: Tensor) -> Tensor:
        flat = weighed.relu().flatten()
        strongest = torch.topk(flat, int(self.sae.cfg.k * len(weighed)), sorted=False)
        kept = strongest.values > 0
        if bool(kept.any()):
            least = strongest.values[kept].min().double()
            self.sae.topk_threshold.lerp_(least, self.sae.cfg.topk_threshold_lr)
        on = torch.zeros_like(flat, dtype=torch.bool)
        on[strongest.indices] = kept
        return on.view_as(weighed)


class Orthogonal(BatchTopK):
    """BatchTopK with the penalty on similar decoder rows, which autograd differentiates: it sees no sample."""

    def _set_writing(self, acts: Tensor, batch: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
        passed = super()._set_writing(acts, batch, on)
        with torch.enable_grad():
            rows = self.sae.W_dec.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.sae.penalty_of(rows), rows)
        self.sae.W_dec.grad.add_(gradient)
        return passed


class Matryoshka(BatchTopK):
    """BatchTopK whose first latents reconstruct alone too: the error of every nested width counts."""

    def _set_writing(self, acts: Tensor, batch: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
        sae = self.sae
        edges = (0, *sae.cfg.matryoshka_widths)
        parts = [slice(*edge) for edge in pairwise(edges)]
        errors, written = [], sae.b_dec - batch
        for part in parts:
            written = torch.addmm(written, acts[:, part], sae.W_dec[part])
            errors.append(written)
        wanted, decoder = torch.empty_like(acts), torch.empty_like(sae.W_dec)
        felt = torch.zeros_like(batch)
        for part, error in zip(reversed(parts), reversed(errors), strict=True):
            felt.add_(error, alpha=2 / len(batch))  # a latent is in its own width and in every wider one
            torch.mm(felt, sae.W_dec[part].T, out=wanted[:, part])
            torch.mm(acts[:, part].T, felt, out=decoder[part])
        sae.W_dec.grad = decoder
        return wanted.mul_(on), felt.sum(dim=0)


CLOSED_FORMS: dict[str, type[ClosedForm]] = {
    "standard": Standard, "tied": Tied, "gated": Gated, "jumprelu": JumpReLU, "topk": TopK,
    "batchtopk": BatchTopK, "orthogonal": Orthogonal, "matryoshka": Matryoshka,
}  # fmt: skip
"""By architecture of ``absorption.toy.recipes``."""

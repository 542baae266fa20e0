"""Standard (L1) and JumpReLU SAEs, trained by the sparse step and steered to a mean L0.

Their sparsity follows from the coefficient of a penalty in a way that nobody can compute beforehand, so papers
train several and keep the one that comes out near the L0 they want. Here a controller moves the coefficient
while training: up where more latents are on than asked for, down where fewer are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from sae_lens.saes.jumprelu_sae import JumpReLU, JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig, Step
from sae_lens.saes.sae import TrainingSAE, TrainStepInput, TrainStepOutput
from sae_lens.saes.standard_sae import StandardTrainingSAE, StandardTrainingSAEConfig
from torch import Tensor

from absorption.training.sparse import Entries, decode, dense_pre, encode_at, entries_where, values_at

DENSE_ABOVE = 0.05
"""Share of entries that are on above which SAELens' own dense step is faster (the first steps of a run)."""


@dataclass(frozen=True)
class Steering:
    """How the penalty's coefficient follows the L0: a proportional and an integral part of log(L0 / target).

    The logarithm is bounded to [-1, 1]: thousands of latents are on at first, and a penalty that answered to that
    would kill half of them for good.
    """

    target_l0: float
    proportional: float = 1.0
    integral: float = 0.003
    smoothing: float = 0.9
    """Share of the old value in the running mean of log(L0 / target)."""


class _Penalised(TrainingSAE[Any]):
    """The sparse step of an SAE whose sparsity comes from a penalty; a subclass says which entries count."""

    b_enc: torch.nn.Parameter
    steering: Steering | None
    products: torch.dtype | None
    lead: Tensor
    offset: Tensor

    def _prepare(self, steering: Steering | None, products: torch.dtype | None) -> None:
        if not self.cfg.apply_b_dec_to_input:
            raise ValueError(f"{type(self).__name__} needs apply_b_dec_to_input=True.")
        self.steering = steering
        self.products = products
        # Buffers, so that a checkpoint holds them and a resumed run steers on as if it had not stopped.
        for name in ("lead", "offset"):
            self.register_buffer(name, torch.tensor(0.0, dtype=torch.double, device=self.device))

    @property
    def coefficient_factor(self) -> float:
        """What the controller multiplies the penalty's coefficient by."""
        if self.steering is None:
            return 1.0
        return math.exp(self.steering.proportional * float(self.lead) + float(self.offset))

    def training_forward_pass(self, step_input: TrainStepInput) -> TrainStepOutput:
        """The loss of one batch (same value and gradients as SAELens' class at the same coefficient)."""
        factor = self.coefficient_factor
        steered = replace(
            step_input, coefficients={name: value * factor for name, value in step_input.coefficients.items()}
        )
        output = self._step(steered)
        self._steer(output.feature_acts)
        return output

    def _step(self, step_input: TrainStepInput) -> TrainStepOutput:
        x = step_input.sae_in
        with torch.no_grad():
            pre = dense_pre(x - self.b_dec, self.W_enc, self.b_enc, self.products)
            mask = self._counted(pre)
        if float(mask.sum()) > DENSE_ABOVE * mask.numel():
            return super().training_forward_pass(step_input)
        entries = entries_where(mask)
        values = self._values(pre, x, entries)
        pre_there = encode_at(values, x, self.W_enc, self.b_enc, self.b_dec, entries)
        acts, penalty = self._acts_and_penalty(pre_there, entries, step_input.coefficients)
        sae_out = decode(acts, self.W_dec, entries) + self.b_dec
        losses = {"mse_loss": (sae_out - x).pow(2).sum(-1).mean(), **penalty}
        return TrainStepOutput(
            sae_in=x,
            sae_out=sae_out,
            feature_acts=entries.coo(acts.detach()),
            hidden_pre=values,
            loss=torch.stack(list(losses.values())).sum(),
            losses=losses,
        )

    @torch.no_grad()
    def _values(self, pre: Tensor, x: Tensor, entries: Entries) -> Tensor:
        if self.products is None:
            return pre[entries.rows, entries.latents]
        return values_at(x - self.b_dec, self.W_enc, self.b_enc, entries)

    @torch.no_grad()
    def _steer(self, acts: Tensor) -> None:
        if self.steering is None:
            return
        on = acts.values() if acts.is_sparse else acts
        l0 = max(float((on > 0).sum()), 1.0) / len(acts)
        error = min(max(math.log(l0 / self.steering.target_l0), -1.0), 1.0)
        self.lead.mul_(self.steering.smoothing).add_((1 - self.steering.smoothing) * error)
        self.offset.add_(self.steering.integral * error)

    def process_state_dict_for_saving_inference(self, state_dict: dict[str, Any]) -> None:
        """The controller is no part of the SAE."""
        super().process_state_dict_for_saving_inference(state_dict)
        for name in ("lead", "offset"):
            state_dict.pop(name)

    def _counted(self, pre: Tensor) -> Tensor:
        """Mask of the entries that have an activation or a gradient."""
        raise NotImplementedError

    def _acts_and_penalty(
        self, pre: Tensor, entries: Entries, coefficients: dict[str, float]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        raise NotImplementedError


class SparseStandardTrainingSAE(_Penalised, StandardTrainingSAE):
    """``StandardTrainingSAE`` (ReLU and L1) with the sparse step. Needs ``lp_norm=1``."""

    def __init__(
        self,
        cfg: StandardTrainingSAEConfig,
        steering: Steering | None = None,
        products: torch.dtype | None = None,
    ) -> None:
        if cfg.lp_norm != 1:
            raise ValueError(
                f"SparseStandardTrainingSAE needs lp_norm=1; the configuration has {cfg.lp_norm}."
            )
        super().__init__(cfg)
        self._prepare(steering, products)

    def _counted(self, pre: Tensor) -> Tensor:
        return pre > 0

    def _acts_and_penalty(
        self, pre: Tensor, entries: Entries, coefficients: dict[str, float]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        pre = pre.relu()  # chosen in lower precision, an entry can be below 0 in its own
        weighted = pre * self.W_dec.norm(dim=1).index_select(0, entries.latents)
        return pre, {"l1_loss": coefficients["l1"] * weighted.sum() / entries.shape[0]}


class SparseJumpReLUTrainingSAE(_Penalised, JumpReLUTrainingSAE):
    """``JumpReLUTrainingSAE`` with DeepMind's L0 penalty and the sparse step.

    Needs ``jumprelu_sparsity_loss_mode="step"``, no pre-activation loss and the gradient to the threshold only.
    """

    def __init__(
        self,
        cfg: JumpReLUTrainingSAEConfig,
        steering: Steering | None = None,
        products: torch.dtype | None = None,
    ) -> None:
        plain = cfg.jumprelu_sparsity_loss_mode == "step" and not cfg.jumprelu_ste_to_input
        if not plain or cfg.pre_act_loss_coefficient is not None:
            raise ValueError(
                "SparseJumpReLUTrainingSAE needs jumprelu_sparsity_loss_mode='step', "
                "jumprelu_ste_to_input=False and pre_act_loss_coefficient=None."
            )
        super().__init__(cfg)
        self._prepare(steering, products)

    def training_forward_pass(self, step_input: TrainStepInput) -> TrainStepOutput:
        """As SAELens: thresholds below zero are set to zero before the step."""
        with torch.no_grad():
            self.threshold.data.clamp_(min=0.0)
        return super().training_forward_pass(step_input)

    def _counted(self, pre: Tensor) -> Tensor:
        # Below the threshold, within half a bandwidth, a latent is off but pulls at its threshold.
        return pre > self.threshold - 0.5 * self.bandwidth

    def _acts_and_penalty(
        self, pre: Tensor, entries: Entries, coefficients: dict[str, float]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        # One row: the estimators sum a threshold's gradient over rows, and here every entry has its own.
        threshold, row = self.threshold.index_select(0, entries.latents), pre[None]
        acts = JumpReLU.apply(row, threshold, self.bandwidth, False)
        on = Step.apply(row, threshold, self.bandwidth, False)
        return acts[0], {"l0_loss": coefficients["l0"] * on.sum() / entries.shape[0]}  # type: ignore[index,union-attr]

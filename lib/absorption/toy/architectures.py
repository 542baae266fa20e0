"""The two training architectures that SAELens lacks: tied weights, and a penalty on similar decoder rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from sae_lens import (
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    SAEConfig,
    StandardSAEConfig,
    StandardTrainingSAE,
    StandardTrainingSAEConfig,
    register_sae_training_class,
)
from sae_lens.saes.sae import TrainStepInput
from torch import Tensor


@dataclass
class TiedTrainingSAEConfig(StandardTrainingSAEConfig):
    """A standard L1 SAE whose encoder is the decoder's transpose."""

    @classmethod
    def architecture(cls) -> str:
        """Name in SAELens' registry."""
        return "tied"

    def get_inference_config_class(self) -> type[SAEConfig]:
        """After training it is an ordinary SAE that happens to have equal weights."""
        return StandardSAEConfig


class TiedTrainingSAE(StandardTrainingSAE):
    """One matrix reads and writes; only the biases are free besides.

    An absorbing latent needs an encoder unlike its decoder (it reads the child and writes child plus
    parent), so tying takes that solution away. From the authors' post on toy models.
    """

    def encode_with_hidden_pre(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Activations and pre-activations, shape ``batch d_sae``, read with the decoder."""
        hidden_pre = self.hook_sae_acts_pre(self.process_sae_in(x) @ self.W_dec.T + self.b_enc)
        return self.hook_sae_acts_post(self.activation_fn(hidden_pre)), hidden_pre

    def process_state_dict_for_saving_inference(self, state_dict: dict[str, Any]) -> None:
        """``W_enc`` took no part in training: write the matrix that did."""
        super().process_state_dict_for_saving_inference(state_dict)
        state_dict["W_enc"] = state_dict["W_dec"].T.contiguous()


@dataclass
class OrthogonalTrainingSAEConfig(BatchTopKTrainingSAEConfig):
    """BatchTopK with a penalty on each latent's most similar other decoder row."""

    orthogonality: float = 0.0
    """Weight of the mean over latents of the squared largest cosine to another latent's decoder row."""

    @classmethod
    def architecture(cls) -> str:
        """Name in SAELens' registry."""
        return "orthogonal"


class OrthogonalTrainingSAE(BatchTopKTrainingSAE):
    """BatchTopK that pays for similar decoder rows, after OrtSAE.

    An absorbing latent's decoder row is child plus parent, so it is similar to the parent latent's row.
    """

    cfg: OrthogonalTrainingSAEConfig  # type: ignore[assignment]

    def calculate_aux_loss(
        self, step_input: TrainStepInput, feature_acts: Tensor, hidden_pre: Tensor, sae_out: Tensor
    ) -> Any:
        """BatchTopK's loss for dead latents, and the penalty."""
        losses = super().calculate_aux_loss(step_input, feature_acts, hidden_pre, sae_out)
        return {**losses, "orthogonality_loss": self.penalty_of(self.W_dec)}

    def penalty_of(self, rows: Tensor) -> Tensor:
        """What decoder rows cost, shape ``latent d_in``."""
        return self.cfg.orthogonality * largest_cosines(rows).pow(2).mean()


def largest_cosines(rows: Tensor) -> Tensor:
    """Each row's largest cosine to another row, not below 0; shape ``row``."""
    unit = torch.nn.functional.normalize(rows, dim=-1)
    cosines = unit @ unit.T
    own = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    return cosines.masked_fill(own, 0.0).amax(dim=-1)


register_sae_training_class("tied", TiedTrainingSAE, TiedTrainingSAEConfig)
register_sae_training_class("orthogonal", OrthogonalTrainingSAE, OrthogonalTrainingSAEConfig)

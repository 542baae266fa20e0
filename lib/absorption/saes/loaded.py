"""An SAE at its place on a model's residual stream: what it reads and writes there, and what it is known by."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from sae_lens import SAE
from torch import Tensor

from absorption.base import cache
from absorption.models.hooks import Site
from absorption.saes.identity import configuration, is_centred


@dataclass(frozen=True)
class LoadedSae:
    """An SAE at its place on a model's residual stream."""

    name: str
    sae: SAE[Any]
    site: Site
    card: dict[str, Any] = field(default_factory=dict)
    """Training facts of a shipped SAE; empty for others."""
    revision: str = ""
    """Commit of the hub's repository that it came from; empty where that is not known."""

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return self.sae.cfg.d_sae

    @property
    def hook_name(self) -> str:
        """Residual-stream hook that the SAE reads."""
        return self.site.name

    @property
    def l0_text(self) -> float:
        """Mean active latents on held-out text, from the card; NaN without one."""
        return float(self.card.get("measured", {}).get("held_out_text", {}).get("l0", float("nan")))

    @property
    def W_enc(self) -> Float[Tensor, "d_model d_sae"]:
        """Encoder weights, one column a latent."""
        return self.sae.W_enc.detach()

    @property
    def W_dec(self) -> Float[Tensor, "d_sae d_model"]:
        """Decoder weights, one row a latent, as the SAE uses them (not normalised)."""
        return self.sae.W_dec.detach()

    @cached_property
    def decoder_directions(self) -> Float[Tensor, "d_sae d_model"]:
        """Decoder rows of unit norm (zero rows stay zero)."""
        return self.W_dec / self.W_dec.norm(dim=-1, keepdim=True).clamp_min(1e-12)

    @cached_property
    def encoder_directions(self) -> Float[Tensor, "d_sae d_model"]:
        """Encoder columns of unit norm, one row a latent."""
        columns = self.W_enc.T
        return columns / columns.norm(dim=-1, keepdim=True).clamp_min(1e-12)

    @cached_property
    def weights_hash(self) -> str:
        """16 hex digits over all weights, as a card holds them."""
        return cache.tensors_hash(self.sae.state_dict())

    @property
    def configuration_hash(self) -> str:
        """16 hex digits over all that decides the outputs besides the weights, see ``sae_identity``."""
        return cache.json_hash(configuration(self.sae))

    @property
    def identity(self) -> str:
        """16 hex digits over weights and configuration: what a cache key holds of the SAE."""
        return cache.json_hash([self.weights_hash, self.configuration_hash])

    @property
    def centred(self) -> bool:
        """Whether the residual stream's mean over dimensions is taken off what the SAE reads, and put back after it.

        The bridge leaves a model as it is, so this is done here for SAEs that were made without that mean.
        """
        return is_centred(self.sae)

    @torch.inference_mode()
    def encode(self, acts: Float[Tensor, "row d_model"], batch: int = 4096) -> Float[Tensor, "row d_sae"]:
        """Latent activations of each row, on the CPU in float32.

        In the units of the residual stream: an SAE that rescales each input has its activations scaled back,
        so that activation times decoder row is what a latent writes.
        """
        return torch.cat([self._encode(part)[0].float().cpu() for part in acts.split(batch)])

    @torch.inference_mode()
    def reconstruct(self, acts: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row d_model"]:
        """The SAE's output for each row, in the input's type and place."""
        given = acts.to(self.sae.device, self.sae.dtype)
        mean = given.mean(dim=-1, keepdim=True) if self.centred else 0
        out = self.sae.decode(self.sae.encode(given - mean)) + mean
        return out.to(acts.device, acts.dtype)

    def _encode(self, part: Tensor) -> tuple[Tensor, Tensor | float]:
        """Activations in the residual stream's units, and the scale that was put back."""
        given = part.to(self.sae.device, torch.float32)
        if self.centred:
            given = given - given.mean(dim=-1, keepdim=True)
        sae: Any = self.sae
        acts = sae.encode(given.to(self.sae.dtype))
        how = self.sae.cfg.normalize_activations
        scale: Tensor | float = 1.0
        if how == "layer_norm":
            scale = sae.ln_std
        elif how == "constant_norm_rescale":
            scale = 1 / sae.x_norm_coeff
        return acts * scale, scale

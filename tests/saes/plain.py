"""What each kind of SAE computes, written out by hand, and small random weights for it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Weights = dict[str, Tensor]
D_IN, D_SAE, K = 32, 48, 6


def weights(seed: int = 0, *, unit_norm: bool = False) -> Weights:
    """Random weights with every bias away from zero, so that a forgotten one is seen."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    made = {
        "W_enc": draw(D_IN, D_SAE) * 0.4, "W_dec": draw(D_SAE, D_IN), "b_enc": draw(D_SAE), "b_dec": draw(D_IN),
        "b_gate": draw(D_SAE), "b_mag": draw(D_SAE), "r_mag": draw(D_SAE) * 0.3,
        "threshold": draw(D_SAE).abs() + 0.5,
    }  # fmt: skip
    if unit_norm:
        made["W_dec"] = made["W_dec"] / made["W_dec"].norm(dim=1, keepdim=True)
    return made


def standard(x: Tensor, w: Weights, centred: bool = True) -> Tensor:
    return torch.relu((x - w["b_dec"] * centred) @ w["W_enc"] + w["b_enc"])


def topk(x: Tensor, w: Weights, centred: bool = True) -> Tensor:
    before = (x - w["b_dec"] * centred) @ w["W_enc"] + w["b_enc"]
    kept = torch.zeros_like(before, dtype=torch.bool).scatter_(1, before.topk(K, dim=1).indices, True)
    return torch.where(kept, before.relu(), 0)


def jumprelu(x: Tensor, w: Weights, centred: bool = True) -> Tensor:
    """Off at the threshold and below, and above it the whole of what came in, not what exceeds it."""
    before = (x - w["b_dec"] * centred) @ w["W_enc"] + w["b_enc"]
    return torch.where(before > w["threshold"], before.relu(), 0)


def gated(x: Tensor, w: Weights, centred: bool = True) -> Tensor:
    enc = (x - w["b_dec"] * centred) @ w["W_enc"]
    return (enc + w["b_gate"] > 0) * torch.relu(enc * w["r_mag"].exp() + w["b_mag"])


PLAIN: dict[str, Callable[..., Tensor]] = {
    "standard": standard,
    "topk": topk,
    "jumprelu": jumprelu,
    "gated": gated,
}
NAMES = {
    "standard": ("W_enc", "W_dec", "b_enc", "b_dec"),
    "topk": ("W_enc", "W_dec", "b_enc", "b_dec"),
    "jumprelu": ("W_enc", "W_dec", "b_enc", "b_dec", "threshold"),
    "gated": ("W_enc", "W_dec", "b_dec", "b_gate", "b_mag", "r_mag"),
}


def decode(latents: Tensor, w: Weights) -> Tensor:
    return latents @ w["W_dec"] + w["b_dec"]


def inputs(n: int = 24, seed: int = 7) -> Tensor:
    return 2 * torch.randn(n, D_IN, generator=torch.Generator().manual_seed(seed)) + 0.5

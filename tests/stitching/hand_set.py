"""SAEs whose novel and reconstruction latents are known, set by hand, and random ones."""

from __future__ import annotations

import torch
from sae_lens import StandardSAE, StandardSAEConfig
from torch import Tensor

from absorption.models.hooks import resolve_site
from absorption.saes.loaded import LoadedSae

D_MODEL = 8
HOOK = "blocks.0.hook_resid_post"
UNIT = torch.eye(D_MODEL)


def make_sae(
    name: str, encoder: Tensor, decoder: Tensor, *, b_enc: Tensor | None = None, b_dec: Tensor | None = None,
    hook: str = HOOK, model: str = "a",
) -> LoadedSae:  # fmt: skip
    """A ReLU SAE with a latent a row of ``encoder`` and ``decoder``."""
    sae = StandardSAE(
        StandardSAEConfig(d_in=encoder.shape[1], d_sae=len(encoder), dtype="float32", device="cpu")
    )
    with torch.no_grad():
        sae.W_enc.copy_(encoder.T)
        sae.W_dec.copy_(decoder)
        sae.b_enc.copy_(torch.zeros(len(encoder)) if b_enc is None else b_enc)
        sae.b_dec.copy_(torch.zeros(encoder.shape[1]) if b_dec is None else b_dec)
    return LoadedSae(name, sae.requires_grad_(False), resolve_site(hook, 4), {"model_weights_hash": model})


def random_sae(name: str, width: int, seed: int, d_model: int = D_MODEL) -> LoadedSae:
    """Random weights, every bias away from zero, about half of the latents on."""
    draw = torch.Generator().manual_seed(seed)
    encoder, decoder = (torch.randn(width, d_model, generator=draw) for _ in range(2))
    b_enc, b_dec = torch.randn(width, generator=draw) - 0.5, torch.randn(d_model, generator=draw)
    return make_sae(name, encoder, decoder, b_enc=b_enc, b_dec=b_dec)


def inputs(n: int = 60, seed: int = 3, d_model: int = D_MODEL) -> Tensor:
    return torch.randn(n, d_model, generator=torch.Generator().manual_seed(seed)) * 2


def known_pair() -> tuple[LoadedSae, LoadedSae, Tensor]:
    """A smaller SAE of features 0 and 1, a larger one, and rows with features 0 to 2, so that all is known.

    The larger's latents: 0 is the smaller's 0 again; 1 leans from feature 1 to a direction that the rows never have
    (cosine .8); 2 is feature 2, which the smaller misses; 3 fires on feature 0 and writes what is not there; 4 is
    never on. So 0 and 1 are reconstruction latents, 2 to 4 are novel; 2 lowers the error, 3 does not.
    """
    smaller = make_sae("small", UNIT[[0, 1]], UNIT[[0, 1]])
    decoder = torch.stack([UNIT[0], 0.8 * UNIT[1] + 0.6 * UNIT[4], UNIT[2], UNIT[5], UNIT[3]])
    larger = make_sae("large", UNIT[[0, 1, 2, 0, 3]], decoder)
    rows = torch.zeros(4, D_MODEL)
    rows[0, 0], rows[1, 1], rows[2, 2], rows[3, [0, 1, 2]] = 1.0, 2.0, 3.0, torch.tensor([1.0, 1.0, 1.0])
    return smaller, larger, rows

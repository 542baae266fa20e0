"""Directions of latents against the letters' probes: encoder columns and decoder rows, all of them or a few."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import LETTERS

OTHER = "other"


def all_cosines(
    sae: LoadedSae, direction: Float[Tensor, " d_model"], roles: Mapping[int, str]
) -> pd.DataFrame:
    """Cosines of every latent with one probe direction, marked ones last (paper, Figure 6b).

    Args:
        sae: the SAE.
        direction: the letter's unit probe direction.
        roles: what some latents are (``main``, ``absorbing``); all others are ``other``.

    Returns:
        ``latent, encoder_cosine, decoder_cosine, role``.
    """
    table = pd.DataFrame(
        {
            "latent": range(sae.d_sae),
            "encoder_cosine": (sae.encoder_directions.float().cpu() @ direction.float()).numpy(),
            "decoder_cosine": (sae.decoder_directions.float().cpu() @ direction.float()).numpy(),
        }
    )
    table["role"] = table["latent"].map(roles).fillna(OTHER)
    marked = table["role"] != OTHER
    return pd.concat([table[~marked], table[marked]], ignore_index=True)


def decoder_cosines(
    sae: LoadedSae, directions: Float[Tensor, "letter d_model"], latents: Mapping[str, int]
) -> pd.DataFrame:
    """Decoder cosine of a few latents with every letter's probe, not in the paper: do they lean to one letter?

    Args:
        sae: the SAE.
        directions: unit probe directions, one a letter.
        latents: latent by role, in the order of the rows.

    Returns:
        ``role, latent, letter, cosine``.
    """
    rows = sae.decoder_directions[torch.tensor(list(latents.values()))].float().cpu()
    cosines = (rows @ directions.float().T).tolist()
    return pd.DataFrame(
        [
            (role, latent, letter, value)
            for (role, latent), values in zip(latents.items(), cosines, strict=True)
            for letter, value in zip(LETTERS, values, strict=True)
        ],
        columns=["role", "latent", "letter", "cosine"],
    )


def cosines_by_letter(
    sae: LoadedSae, directions: Float[Tensor, "letter d_model"], n_latents: int = 20
) -> pd.DataFrame:
    """Each letter's largest decoder cosines (paper, Figure 18, which draws those of all latents).

    Args:
        sae: the SAE.
        directions: unit probe directions, one a letter.
        n_latents: latents kept of a letter.

    Returns:
        ``letter, rank`` (1: largest), ``latent, cosine``.
    """
    cosines = directions.float() @ sae.decoder_directions.float().cpu().T
    best = cosines.topk(min(n_latents, sae.d_sae), dim=1)
    return pd.DataFrame(
        [
            (letter, rank, latent, value)
            for letter, latents, values in zip(
                LETTERS, best.indices.tolist(), best.values.tolist(), strict=True
            )
            for rank, (latent, value) in enumerate(zip(latents, values, strict=True), start=1)
        ],
        columns=["letter", "rank", "latent", "cosine"],
    )

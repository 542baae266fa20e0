"""Is the L0 too low? The nth decoder projection of "Sparse but wrong" (arXiv 2508.16560).

An SAE with fewer active latents than the inputs have features mixes features into its decoder rows. Then many rows
project on an input that have no business there. So the size of the projections beyond the active ones tells: of SAEs
that differ in L0 alone, those at a better L0 have the smaller nth projection.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.saes.loaded import LoadedSae

RANKS = (48, 96, 192, 384)
"""n: 4 to 32 times the active latents of the SAEs here."""


@torch.inference_mode()
def nth_projections(
    sae: LoadedSae, rows: Float[Tensor, "row d_model"], ranks: Sequence[int] = RANKS
) -> dict[int, float]:
    """The n-th largest projection a row, counted over all rows together, by n.

    Args:
        sae: whose unit decoder rows are projected on.
        rows: activations; projections are of what is left without the decoder's bias, and in units of the root mean
            square distance of the rows from their mean.
        ranks: each n.

    Raises:
        ValueError: an n that no row has.
    """
    if wrong := [n for n in ranks if not 1 <= n <= sae.d_sae]:
        raise ValueError(f"n={wrong[0]}; allowed: 1 to d_sae={sae.d_sae}.")
    unit = torch.nn.functional.normalize(sae.W_dec.float().cpu(), dim=1)
    centred = rows.float() - sae.sae.b_dec.detach().float().cpu()
    flat = (centred @ unit.T).flatten().numpy()
    places = {n: len(flat) - n * len(rows) for n in ranks}
    ordered = np.partition(flat, sorted(set(places.values())))
    scale = float((rows - rows.mean(0)).pow(2).sum(1).mean().sqrt())
    return {n: float(ordered[place]) / scale for n, place in places.items()}

"""A pair of SAEs at one hook, and how much each latent of the larger resembles one of the smaller."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from absorption.saes.loaded import LoadedSae

THRESHOLD = 0.7
"""A latent whose largest decoder cosine with the smaller SAE is below this is novel (Leask et al. 2025)."""
ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class Pair:
    """A smaller and a larger SAE, checked: latents of the larger are inserted into the smaller."""

    smaller: LoadedSae
    larger: LoadedSae

    def __post_init__(self) -> None:
        check_pair(self.smaller, self.larger)

    @property
    def control(self) -> bool:
        """Whether the two have the same width: two seeds, the control."""
        return self.smaller.d_sae == self.larger.d_sae

    @property
    def name(self) -> str:
        """What tables and figures call it."""
        if self.control:
            return f"two seeds of {self.smaller.d_sae:,}"
        return f"{self.smaller.d_sae:,} to {self.larger.d_sae:,}"

    @cached_property
    def nearest(self) -> tuple[Float[Tensor, " latent"], Int[Tensor, " latent"]]:
        """Each latent of the larger: its largest decoder cosine with the smaller's latents, and with which."""
        theirs = directions(self.smaller)
        best = [(part @ theirs.T).max(dim=1) for part in directions(self.larger).split(ROWS_AT_ONCE)]
        return torch.cat([found.values for found in best]), torch.cat([found.indices for found in best])

    @property
    def cosines(self) -> Float[np.ndarray, " latent"]:
        """The largest cosines as an array."""
        return self.nearest[0].double().numpy()

    def groups(self, threshold: float) -> Groups:
        """Latents of the two that belong together: linked by cosines of at least ``threshold``, or by a chain."""
        links = [
            ((part @ directions(self.smaller).T) >= threshold).nonzero() + torch.tensor([start, 0])
            for start, part in zip(
                range(0, self.larger.d_sae, ROWS_AT_ONCE), directions(self.larger).split(ROWS_AT_ONCE), strict=True
            )
        ]  # fmt: skip
        larger, smaller = torch.cat(links).T.numpy()
        n, m = self.larger.d_sae, self.smaller.d_sae
        graph = coo_matrix((np.ones(len(larger)), (larger, smaller + n)), shape=(n + m, n + m))
        _, label = connected_components(graph, directed=False)
        linked = np.zeros(n + m, dtype=bool)
        linked[larger], linked[smaller + n] = True, True
        names, place = np.unique(label[linked], return_inverse=True)
        group = np.full(n + m, -1)
        group[linked] = place
        return Groups(larger=group[:n], smaller=group[n:], n=len(names))


@dataclass(frozen=True)
class Groups:
    """Reconstruction groups: latents of the larger with those of the smaller that they resemble."""

    larger: Int[np.ndarray, " larger"]
    """Group of each latent of the larger; -1: novel, in none."""
    smaller: Int[np.ndarray, " smaller"]
    """Group of each latent of the smaller; -1: resembled by none of the larger."""
    n: int


def check_pair(smaller: LoadedSae, larger: LoadedSae) -> None:
    """Raise ValueError, one line with both values, for two SAEs that cannot be stitched."""
    names = f"SAEs {smaller.name!r} and {larger.name!r}"
    if smaller.site != larger.site:
        raise ValueError(f"{names} read {smaller.hook_name} and {larger.hook_name}; allowed: one hook.")
    models = [sae.card.get("model_weights_hash", "") for sae in (smaller, larger)]
    if models[0] != models[1]:
        raise ValueError(
            f"{names} read models with weights {models[0]!r} and {models[1]!r}; allowed: one model."
        )
    if smaller.d_sae > larger.d_sae:
        raise ValueError(
            f"{names} have {smaller.d_sae:,} and {larger.d_sae:,} latents; allowed: the smaller one first."
        )
    for sae in (smaller, larger):
        if (how := sae.sae.cfg.normalize_activations) != "none":
            raise ValueError(
                f"SAE {sae.name!r} scales its inputs ({how}); allowed: normalize_activations 'none'."
            )


def directions(sae: LoadedSae) -> Float[Tensor, "latent d_model"]:
    """Decoder rows of unit norm, on the CPU.

    Raises:
        ValueError: a row of zero norm, which has no direction.
    """
    rows = sae.W_dec.float().cpu()
    norms = rows.norm(dim=1)
    if bad := int((norms == 0).sum()):
        first = int((norms == 0).nonzero()[0])
        raise ValueError(
            f"SAE {sae.name!r} has {bad:,} of {sae.d_sae:,} decoder rows of norm 0, the first that of latent {first}; "
            "allowed: rows with a direction."
        )
    return rows / norms[:, None]

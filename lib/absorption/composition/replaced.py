"""The words when absorbing latents give way to what a set of directions says they are made of.

An absorbing latent with activation a and decoder row a*d leaves; in its place come the directions of its row, each
with a times its weight. A direction that several latents hold gets their sum. What the directions leave over of the
row goes to the SAE's error, which is no latent and stays in the residual stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.definitions.evidence import Evidence
from absorption.probes.l1 import to_scipy


@dataclass(frozen=True)
class Parts:
    """What decoder rows are said to be made of."""

    weights: Any
    """SciPy's sparse ``latent direction``, of unit decoder rows; none negative."""
    directions: Float[Tensor, "direction d_model"]
    """Unit vectors."""


def replaceable(latents: Sequence[int], main: Mapping[str, Sequence[int]]) -> list[int]:
    """The latents, each once, without those that are main for some letter."""
    kept = {int(latent) for latent in latents} - {latent for mine in main.values() for latent in mine}
    return sorted(kept)


def replace_latents(evidence: Evidence, latents: Sequence[int], parts: Parts) -> Evidence:
    """The same words with some latents replaced by their parts.

    The directions are numbered behind the latents; the latents that left are never on. Main latents stay as they are.

    Args:
        evidence: words and latents.
        latents: those that leave.
        parts: what their decoder rows are made of.
    """
    acts = to_scipy(evidence.csr).tocsr()
    leaves = np.zeros(acts.shape[1], dtype=bool)
    leaves[list(latents)] = True
    norms = evidence.decoder.norm(dim=1).double().numpy()
    gone = acts @ sp.diags(leaves * norms)
    stays = acts @ sp.diags((~leaves).astype(np.float64))
    both = sp.hstack([stays, gone @ parts.weights]).tocsr()
    both.eliminate_zeros()
    both.sort_indices()
    decoder = torch.cat([evidence.decoder.float(), parts.directions.float()])
    return replace(evidence, csr=_torch(both), decoder=decoder)


def _torch(matrix: Any) -> Tensor:
    starts, columns = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    values = torch.from_numpy(matrix.data.astype(np.float32))
    return torch.sparse_csr_tensor(starts, columns, values, matrix.shape, check_invariants=False)

"""Latents that some view names: the words on which each is strongest, and its nearest decoder rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from absorption.latents.sparse import ACTIVE
from absorption.probes.l1 import to_scipy
from absorption.saes.loaded import LoadedSae

N_WORDS, N_NEIGHBOURS = 6, 5


def names_table(csr: Tensor, texts: Sequence[str], latents: Sequence[int]) -> pd.DataFrame:
    """``latent, n_on, strongest_on``: on how many words it is on, and those on which it is strongest, one of a stem.

    Args:
        csr: sparse CSR matrix ``word latent`` of all words' activations.
        texts: of the words.
        latents: which latents.
    """
    columns = to_scipy(csr).tocsc()
    rows = []
    for latent in latents:
        span = slice(columns.indptr[latent], columns.indptr[latent + 1])
        words, acts = columns.indices[span], columns.data[span]
        words, acts = words[acts > ACTIVE], acts[acts > ACTIVE]
        best = words[np.lexsort((words, -acts))[:N_WORDS]]
        names = dict.fromkeys(texts[int(word)].strip() for word in best)
        rows.append((int(latent), len(words), ", ".join(names) or "never on"))
    return pd.DataFrame(rows, columns=["latent", "n_on", "strongest_on"])


def neighbours_table(sae: LoadedSae, latents: Sequence[int]) -> pd.DataFrame:
    """``latent, rank, neighbour, cosine``: the other latents whose decoder rows point most nearly the same way."""
    rows = sae.decoder_directions.float().cpu()
    mine = torch.tensor(list(latents), dtype=torch.long)
    cosines = rows[mine] @ rows.T
    cosines[torch.arange(len(mine)), mine] = -torch.inf
    best = cosines.topk(min(N_NEIGHBOURS, sae.d_sae - 1), dim=1)
    n, k = best.indices.shape
    return pd.DataFrame(
        {
            "latent": np.repeat(mine.numpy(), k),
            "rank": np.tile(np.arange(1, k + 1), n),
            "neighbour": best.indices.numpy().ravel(),
            "cosine": best.values.numpy().ravel(),
        }
    )

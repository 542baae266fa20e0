"""An SAE set by hand on words set by hand: latent 3 is "starts with a", latent 7 absorbs one word.

Ten words a letter. A word's activation is its letter's dimension and, for two words of the letter a, a
dimension of their own: `` absorbed``, on which latent 3 is off, and `` kept``, on which it stays on. Latent 5
is on at every word that does not start with a.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from sae_lens import StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata

from absorption.latents.sparse import SparseActs
from absorption.models.hooks import Site
from absorption.probes.fit import ProbeSet
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import LETTERS

N_EACH, D, D_SAE = 10, 32, 40
MAIN_A, ABSORBER, NOT_A, KEEPER = 3, 7, 5, 9
OWN, KEPT, CONSTANT = 26, 27, 28
"""Dimensions of the two words of their own, and one that is 1 at every word."""
OTHERS = [i for i in range(D_SAE) if i not in (MAIN_A, ABSORBER, NOT_A, KEEPER)][:25]
"""The latents of b to z."""


def words() -> pd.DataFrame:
    """The first eight words of a letter are for training, but `` absorbed`` and `` kept`` are tested."""
    rows = [(f" {a}{n}", a, "train" if n < 8 else "test") for a in LETTERS for n in range(N_EACH)]
    table = pd.DataFrame(rows, columns=["word", "letter", "split"])
    table.loc[[8, 9], "word"] = [" absorbed", " kept"]
    return table


def probed() -> ProbedWords:
    """Activations, and the probes that read each letter's own dimension."""
    acts = torch.zeros(26 * N_EACH, D)
    acts[torch.arange(len(acts)), torch.arange(len(acts)) // N_EACH] = 1.0
    acts[8, OWN] = acts[9, KEPT] = 1.0
    acts[:, CONSTANT] = 1.0
    weights = torch.nn.functional.pad(4 * torch.eye(26), (0, D - 26))
    return ProbedWords(words(), acts, ProbeSet(weights, torch.full((26,), -2.0)))


def sae() -> LoadedSae:
    """ReLU latents without bias; the rest of the 40 are never on."""
    W_enc, W_dec = torch.zeros(D, D_SAE), torch.zeros(D_SAE, D)
    for letter, latent in enumerate([MAIN_A, *OTHERS]):
        W_enc[letter, latent] = W_dec[latent, letter] = 1.0
    W_enc[OWN, MAIN_A] = -2.0
    W_enc[OWN, ABSORBER] = W_dec[ABSORBER, OWN] = W_dec[ABSORBER, 0] = 1.0
    W_enc[KEPT, KEEPER] = W_dec[KEEPER, KEPT] = 1.0
    W_enc[CONSTANT, NOT_A], W_enc[0, NOT_A] = 1.0, -1.0
    config = StandardSAEConfig(
        d_in=D, d_sae=D_SAE, dtype="float32", metadata=SAEMetadata(hook_name="blocks.0.hook_resid_post")
    )
    made = StandardSAE(config)
    with torch.no_grad():
        made.W_enc.copy_(W_enc)
        made.W_dec.copy_(W_dec)
    return LoadedSae("hand-made", made.requires_grad_(False), Site(1))


def sparse(dense: torch.Tensor | np.ndarray) -> SparseActs:
    """Latent activations from a dense matrix."""
    return SparseActs(torch.as_tensor(dense, dtype=torch.float32).to_sparse_csr())


def encoded() -> SparseActs:
    """The words' latent activations, worked out without the cache."""
    return sparse(sae().encode(probed().acts))

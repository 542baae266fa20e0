"""Rules of silence for one SAE, fitted on the training words."""

from __future__ import annotations

import torch

from absorption.definitions.evidence import Evidence
from absorption.definitions.silence import CALIBRATED, PUBLISHED, Silence, share_silence
from absorption.latents.levels import best_f1_levels
from absorption.latents.sparse import SparseActs, take_rows

SHARES = (0.1, 0.3)
"""Values of the paper's ``tau_m`` that are shown: one close to its 0, and one close to the share that an absorber must
carry, from which on main latent and absorber could carry as much. Chosen before any rate was seen under them."""


def calibrated_silence(evidence: Evidence) -> Silence:
    """Each main latent is silent up to the level that makes it the best classifier of its letter (training words).

    Several main latents of a letter get one level each, each as if it were alone.
    """
    latents = sorted({latent for mine in evidence.main.values() for latent in mine})
    acts = SparseActs(take_rows(evidence.csr, evidence.train)).dense(torch.tensor(latents, dtype=torch.long))
    letters, levels = evidence.letters[evidence.train], {}
    for number, name in enumerate(evidence.names):
        mine = list(evidence.main.get(name, ()))
        columns = acts[:, [latents.index(latent) for latent in mine]]
        truth = (letters == number)[:, None].expand(-1, len(mine))
        levels[name] = dict(zip(mine, best_f1_levels(columns, truth).tolist(), strict=True))
    return Silence(CALIBRATED, levels)


def silences(evidence: Evidence) -> list[Silence]:
    """The published rule, the calibrated one, and the paper's appendix A.13 at ``SHARES``."""
    return [PUBLISHED, calibrated_silence(evidence), *map(share_silence, SHARES)]

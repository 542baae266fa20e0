"""The absorption fraction as SAEBench defined it before its thresholds, so that rates of either version can be read.

SAEBench 0.3.2: the share of what all latents together put along the probe direction that is not the main latents', cut
to between 0 and 1; 0 where the main latents carry the word's whole projection, or where all latents together carry
nothing. There is no least cosine, no least share and no limit on the number of absorbers; and all letters count,
however well they are probed. SAEBench 0.6.0 is ``rules.fraction_rule``. The two differ tenfold on one SAE.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.definitions.evidence import Evidence
from absorption.definitions.nulls import Null, null_directions
from absorption.definitions.rules import DEFINITIONS

FRACTION_UNTHRESHOLDED = "absorption fraction, no thresholds"
SOURCES = dict(
    zip(
        (*DEFINITIONS, FRACTION_UNTHRESHOLDED),
        (
            "paper, section 5.3",
            "paper, section 5.3, with the lead on the model's own scale",
            "SAEBench 0.3.2 and 0.6.0",
            "SAEBench 0.6.0",
            "SAEBench 0.3.2",
        ),
        strict=True,
    )
)
"""Where each definition is from, with the version of those that changed."""


def unthresholded_fraction(
    evidence: Evidence, directions: Float[Tensor, "draw letter d_model"]
) -> Float[np.ndarray, "draw right"]:
    """The fraction of every judged word under some directions in place of the letters' probes.

    Args:
        evidence: words and latents.
        directions: unit directions of each letter; ``evidence.directions[None]`` for the letters' own.
    """
    letters, decoder = evidence.letters[evidence.words], evidence.decoder.double()
    zeros = torch.zeros(len(evidence.words), decoder.shape[1], dtype=torch.float64)
    main, whole = zeros, zeros.clone()
    for row, word in enumerate(evidence.active_latents):
        written = torch.from_numpy(word.activations)[:, None] * decoder[torch.from_numpy(word.latents)]
        whole[row] = written.sum(0)
        main[row] = written[torch.from_numpy(word.is_main)].sum(0)
    acts = evidence.acts[evidence.words] - (evidence.acts[evidence.train].mean(0) if evidence.centred else 0)
    return np.stack([_share(main, whole, acts.double(), chosen[letters].double()) for chosen in directions])


def apply_unthresholded(evidence: Evidence) -> pd.DataFrame:
    """The fraction of every judged word; columns as in ``apply_definitions``, those that have no meaning here empty."""
    value = unthresholded_fraction(evidence, evidence.directions[None])[0]
    return evidence.frame().assign(
        definition=FRACTION_UNTHRESHOLDED, judged=True, absorbed=value > 0, value=value,
        reason="", latent=-1, cosine=np.nan, strength=np.nan, lead=np.nan,
    )  # fmt: skip


def null_unthresholded(evidence: Evidence, *, seed: int = 0) -> Null:
    """The same under wrong letters' and random directions, those of ``nulls.null_by_projection``."""
    drawn = null_directions(evidence.directions, seed=seed)
    values = {kind: unthresholded_fraction(evidence, directions) for kind, directions in drawn.items()}
    everyone = np.ones(len(evidence.words), dtype=bool)
    return Null({FRACTION_UNTHRESHOLDED: values}, {FRACTION_UNTHRESHOLDED: everyone})


def _share(main: Tensor, whole: Tensor, acts: Tensor, along: Tensor) -> Float[np.ndarray, " right"]:
    carried, total, own = ((part * along).sum(dim=1) for part in (main, whole, acts))
    share = ((total - carried) / torch.where(total > 0, total, 1.0)).clamp(0, 1)
    return torch.where((carried >= own) | (total <= 0), 0.0, share).numpy()

"""Integrated gradients: the reference method's estimate of the effects that the engine computes exactly."""

from __future__ import annotations

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.ablation.effects import effect_table
from absorption.ablation.engine import AblationEngine, StateEngine
from absorption.ablation.word_latent_pairs import active_pairs

STEPS = 6
"""Interpolation steps of the reference code."""


def integrated_gradients(
    engine: AblationEngine,
    csr: Tensor,
    words: Int[Tensor, " word"],
    *,
    steps: int = STEPS,
    scale_error: bool = True,
) -> pd.DataFrame:
    """Estimated effect of removing each active latent: minus activation times decoder row times mean
    gradient.

    The gradient of the metric is averaged over ``steps`` states on the straight line from no latents (left
    out) to the word's own state (taken in), as in the reference code.

    Args:
        engine: the ablation engine.
        csr: sparse CSR matrix ``word latent`` of activations, a row for each prompt.
        words: positions in the prompts' table, each once.
        steps: states on the line.
        scale_error: shrink the SAE's error along with the latents, as the reference code does; else keep
            it.

    Returns:
        ``word, letter, latent, activation, metric, effect``, as ``all_effects``; ``metric`` is not
        computed.
    """
    rows = active_pairs(csr, words)
    where = rows.places_in(words)
    written = torch.zeros(len(words), engine.model.d_model)
    contributions = rows.contributions(engine.sae)
    written.index_add_(0, where, contributions)
    states = engine.states(words)
    if scale_error:
        written = states - engine.sae.sae.b_dec.detach().float().cpu()
    gradient = mean_gradient(engine, words, states, written, steps)
    estimates = -(contributions * gradient[where]).sum(dim=1)
    return effect_table(engine, rows, torch.full_like(estimates, torch.nan), estimates)


def mean_gradient(
    engine: StateEngine,
    words: Int[Tensor, " word"],
    states: Float[Tensor, "word d_model"],
    written: Float[Tensor, "word d_model"],
    steps: int,
) -> Float[Tensor, "word d_model"]:
    """Mean gradient of the metric over ``states - (1 - k / steps) * written`` for ``k`` from 1 to
    ``steps``."""
    missing = 1 - torch.arange(1, steps + 1) / steps
    line = states[:, None] - missing[None, :, None] * written[:, None]
    repeated = words.repeat_interleave(steps)
    return engine.gradients(repeated, line.flatten(0, 1)).view(len(words), steps, -1).mean(dim=1)

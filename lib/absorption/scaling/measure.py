"""What is measured of one SAE of the grid on held-out text, as one tidy table.

Columns ``sae, quantity, at, batch, value``: ``at`` is the number of latents kept where that is varied, else 0;
``batch`` numbers batches of text, for losses windows. Everything is a sum over the batch (a mean, for losses), so
that intervals can be drawn over batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool
from torch import Tensor

from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.scaling.kept import errors_by_kept
from absorption.scaling.refine import refine
from absorption.scaling.text import N_LOSS_WINDOWS, Text, plain_losses
from absorption.stitching.insertion import decode_sparse, encode_sparse
from absorption.stitching.splicing import losses_with

COLUMNS = ["sae", "quantity", "at", "batch", "value"]
TEXT = "held-out text"
"""Stands for an SAE in the rows that are about the text alone."""
TOKENS, VARIANCE, SQUARES, CLEAN, MEAN = "tokens", "variance", "squares", "loss alone", "loss with the mean"
ERROR, ACTIVE, LOSS, KEPT_ERROR = "error", "active", "loss", "error by latents kept"
ORIGINAL, REFINED = "original activations", "refined activations"
ORIGINAL_ERROR, REFINED_ERROR = "original error", "refined error"
KEPT = (3, 6, 12, 24, 48, 96)
"""Numbers of latents kept at test time."""
N_KEPT_BATCHES = 12
"""First batches that are read with other numbers of latents."""
N_REFINED_BATCHES, N_REFINED_ROWS = 12, 40
"""First batches of which activations are refined, and rows of each."""


def text_table(model: LanguageModel, text: Text) -> pd.DataFrame:
    """The rows about the text alone."""
    losses = plain_losses(model, text)
    return table(
        TEXT,
        {
            TOKENS: text.tokens, VARIANCE: text.variance, SQUARES: text.squares,
            CLEAN: losses["clean"], MEAN: losses["mean"],
        },
    )  # fmt: skip


def measure_sae(model: LanguageModel, sae: LoadedSae, text: Text) -> tuple[pd.DataFrame, int]:
    """Everything of one SAE, and how many of its latents are on at no token of the text."""
    errors, fired = read_batches(sae, text.batches)
    parts = [errors, _losses(model, sae, text), refined_table(sae, text.batches)]
    if sae.sae.cfg.architecture() == "topk":
        parts.append(kept_table(sae, text.batches[:N_KEPT_BATCHES]))
    return pd.concat(parts, ignore_index=True), int((~fired).sum())


@torch.inference_mode()
def read_batches(sae: LoadedSae, batches: Sequence[Tensor]) -> tuple[pd.DataFrame, Bool[Tensor, " latent"]]:
    """Squared error and active latents of each batch, and which latents are on at any token."""
    error, active, fired = [], [], torch.zeros(sae.d_sae, dtype=torch.bool)
    for rows in batches:
        acts = encode_sparse(sae, rows)
        active.append(float((acts.values() > 0).sum()))
        error.append(float((rows - decode_sparse(sae, acts, rows)).double().pow(2).sum()))
        fired[acts.col_indices().unique()] = True
    return table(sae.name, {ERROR: error, ACTIVE: active}), fired


def kept_table(sae: LoadedSae, batches: Sequence[Tensor]) -> pd.DataFrame:
    """Squared error of each batch by number of latents kept."""
    kept = [k for k in KEPT if k <= sae.d_sae]
    errors = torch.stack([errors_by_kept(sae, rows, kept) for rows in batches]).numpy()
    parts = [table(sae.name, {KEPT_ERROR: errors[:, place]}, at=k) for place, k in enumerate(kept)]
    return pd.concat(parts, ignore_index=True)


def refined_table(sae: LoadedSae, batches: Sequence[Tensor]) -> pd.DataFrame:
    """Activations and errors as encoded and refined, summed over some rows of each of the first batches."""
    found = [refine(sae, rows[:N_REFINED_ROWS]) for rows in batches[:N_REFINED_BATCHES]]
    return table(
        sae.name,
        {
            ORIGINAL: [one.original.sum() for one in found], REFINED: [one.refined.sum() for one in found],
            ORIGINAL_ERROR: [one.original_error.sum() for one in found],
            REFINED_ERROR: [one.refined_error.sum() for one in found],
        },
    )  # fmt: skip


@torch.inference_mode()
def _losses(model: LanguageModel, sae: LoadedSae, text: Text) -> pd.DataFrame:
    windows = text.windows[:N_LOSS_WINDOWS]
    acts = model.residual_stream(windows, text.hook_name)
    spliced = torch.cat([acts[:, :1], sae.reconstruct(acts[:, 1:])], dim=1)
    return table(sae.name, {LOSS: losses_with(model, sae.site.depth, spliced, windows)})


def table(sae: str, values: Mapping[str, np.ndarray | list[float]], at: int = 0) -> pd.DataFrame:
    """Rows of one SAE: each quantity's values in the order of the batches."""
    parts = [
        pd.DataFrame({"sae": sae, "quantity": name, "at": at, "batch": np.arange(len(of)), "value": of})
        for name, of in values.items()
    ]
    return pd.concat(parts, ignore_index=True)[COLUMNS]

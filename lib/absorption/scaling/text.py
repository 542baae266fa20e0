"""Held-out text as the grid's SAEs read it: activations in batches, and what an SAE's error is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.base import cache
from absorption.models.language_model import LanguageModel
from absorption.stitching.measure import text_rows
from absorption.stitching.splicing import losses_with

N_TOKENS = 40_000
"""Tokens of held-out text that every SAE of the grid reads. They are the same for all, so that what is left to chance
is much less than the distance of an SAE from the law."""
N_LOSS_WINDOWS = 32
"""Windows on which next-token loss is measured."""


@dataclass(frozen=True)
class Text:
    """Activations of held-out text at one hook."""

    hook_name: str
    windows: Int[Tensor, "window position"]
    batches: Sequence[Tensor]
    """Each ``row d_model``, of a few windows, without BOS and outliers; not all have the same number of rows."""

    @property
    def tokens(self) -> Float[np.ndarray, " batch"]:
        """Rows of each batch."""
        return np.array([len(rows) for rows in self.batches], dtype=np.float64)

    @cached_property
    def mean(self) -> Float[Tensor, " d_model"]:
        """Mean over all rows."""
        total = torch.stack([rows.double().sum(0) for rows in self.batches]).sum(0)
        return (total / self.tokens.sum()).float()

    @property
    def variance(self) -> Float[np.ndarray, " batch"]:
        """Squared distance from the mean, summed over each batch: what an SAE of no latents leaves."""
        return np.array([float((rows - self.mean).double().pow(2).sum()) for rows in self.batches])

    @property
    def squares(self) -> Float[np.ndarray, " batch"]:
        """Squared norms, summed over each batch; unlike the variance they need no other batch."""
        return np.array([float(rows.double().pow(2).sum()) for rows in self.batches])

    @property
    def key(self) -> str:
        """16 hex digits of the tokens."""
        return cache.array_hash(self.windows.int().numpy())


@torch.inference_mode()
def read_text(model: LanguageModel, hook_name: str, windows: Int[Tensor, "window position"]) -> Text:
    """Activations of all windows, held in memory."""
    return Text(hook_name, windows, tuple(text_rows(model, hook_name, windows)))


@torch.inference_mode()
def plain_losses(model: LanguageModel, text: Text) -> dict[str, Float[np.ndarray, " window"]]:
    """Next-token loss of the first windows, in nats: of the model alone, and with the mean in the stream's place."""
    windows = text.windows[:N_LOSS_WINDOWS]
    depth = model.site(text.hook_name).depth
    acts = model.residual_stream(windows, text.hook_name)
    flat = torch.cat([acts[:, :1], text.mean.to(acts).expand_as(acts[:, 1:])], dim=1)
    return {
        "clean": losses_with(model, depth, acts, windows),
        "mean": losses_with(model, depth, flat, windows),
    }

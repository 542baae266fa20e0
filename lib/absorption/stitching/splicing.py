"""Next-token loss with a stitched SAE's output in the residual stream's place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.stitching.above import Above
from absorption.stitching.insertion import decode_sparse, decoder, encode_sparse, latents_of
from absorption.stitching.pairs import THRESHOLD, Pair

CLEAN = "model alone"


@torch.inference_mode()
def insert(pair: Pair, rows: Float[Tensor, "row d_model"], latents: Tensor) -> Float[Tensor, "row d_model"]:
    """Output of the smaller SAE with latents of the larger one inserted.

    Args:
        pair: the two.
        rows: activations.
        latents: True for each latent of the larger that is inserted.
    """
    added = latents_of(encode_sparse(pair.larger, rows), latents) @ decoder(pair.larger)
    return _output(pair.smaller, rows) + added


def _output(sae: LoadedSae, rows: Tensor) -> Tensor:
    return decode_sparse(sae, encode_sparse(sae, rows), rows)


def outputs(pairs: tuple[Pair, ...], rows: Float[Tensor, "row d_model"]) -> dict[tuple[str, str], Tensor]:
    """What is spliced in, by pair and variant: the smaller SAE, it with novel or with similar latents, the larger."""
    found = {}
    for pair in pairs:
        novel = torch.from_numpy(pair.cosines < THRESHOLD)
        found[pair.name, "smaller"] = _output(pair.smaller, rows)
        found[pair.name, "smaller with novel"] = insert(pair, rows, novel)
        found[pair.name, "smaller with similar"] = insert(pair, rows, ~novel)
        found[pair.name, "larger"] = _output(pair.larger, rows)
    return found


@torch.inference_mode()
def spliced_losses(
    model: LanguageModel, pairs: tuple[Pair, ...], windows: Int[Tensor, "window position"]
) -> dict[tuple[str, str], Float[np.ndarray, " window"]]:
    """Mean next-token loss of each window, in nats, by pair and variant; the model alone under ``("", CLEAN)``.

    All positions but BOS are replaced.
    """
    site = pairs[0].smaller.site
    acts = model.residual_stream(windows, site.name)
    shape = acts[:, 1:].shape
    rows = acts[:, 1:].flatten(0, 1).float().cpu()
    above = Above(model, site.depth)

    def losses(given: Tensor) -> np.ndarray:
        return above.losses(windows, given).mean(dim=1).double().numpy()

    found = {("", CLEAN): losses(acts)}
    same: dict[bytes, Any] = {}  # an SAE is the larger of one pair and the smaller of the next
    for name, output in outputs(pairs, rows).items():
        key = output.numpy().tobytes()
        if key not in same:
            replaced = torch.cat([acts[:, :1], output.view(shape).to(acts)], dim=1)
            same[key] = losses(replaced)
        found[name] = same[key]
    return found


def losses_with(
    model: LanguageModel, depth: int, acts: Float[Tensor, "window position d_model"], windows: Tensor
) -> Float[np.ndarray, " window"]:
    """Mean next-token loss of each window, in nats, with given activations behind a block.

    Raises:
        ValueError: activations in front of the first block.
    """
    return Above(model, depth).losses(windows, acts).mean(dim=1).double().numpy()


def as_changes(losses: Mapping[tuple[str, str], np.ndarray], pair: Pair) -> dict[str, np.ndarray]:
    """One pair's variants by window, each minus the smaller SAE alone."""
    base = losses[pair.name, "smaller"]
    variants = ("smaller with novel", "smaller with similar", "larger")
    return {variant: losses[pair.name, variant] - base for variant in variants}

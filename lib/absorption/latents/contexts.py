"""What a latent's page shows: the strongest contexts in a text, and the tokens that its decoder row favours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import cache
from absorption.latents.sparse import ACTIVE
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae

VERSION = 1
BATCH = 16
"""Windows at once."""
MARKS = ("⟦", "⟧")
"""Around the token on which the latent fires."""


@dataclass(frozen=True)
class TextActivations:
    """Some latents over a text."""

    windows: Int[Tensor, "window position"]
    latents: list[int]
    acts: Float[Tensor, "window position latent"]

    def share_on(self) -> dict[int, float]:
        """Share of the tokens (the first of each window, BOS, left out) on which each latent fires; of no text,
        nothing is said."""
        if not len(self.windows):
            return {}
        on = (self.acts[:, 1:] > ACTIVE).float().mean(dim=(0, 1))
        return dict(zip(self.latents, on.tolist(), strict=True))


def text_activations(
    model: LanguageModel, sae: LoadedSae, windows: Int[Tensor, "window position"], latents: list[int]
) -> TextActivations:
    """Activations of a few latents at every token of a text, cached.

    Args:
        model: a loaded model.
        sae: the SAE.
        windows: token ids, BOS first; there may be none.
        latents: which latents.
    """
    inputs = {
        "model": model.identity, "dtype": str(model.dtype), "sae": sae.identity, "hook": sae.hook_name,
        "windows": cache.array_hash(windows.numpy()), "latents": latents, "version": VERSION,
    }  # fmt: skip

    def compute() -> dict[str, Tensor]:
        parts = [torch.zeros(0, windows.shape[1], len(latents))]
        for part in tqdm(windows.split(BATCH) if len(windows) else [], desc="Text"):
            stream = model.residual_stream(part, sae.hook_name).flatten(0, 1)
            parts.append(sae.encode(stream)[:, latents].unflatten(0, part.shape))
        return {"acts": torch.cat(parts)}

    return TextActivations(windows, latents, cache.cached_tensors("text-latents", inputs, compute)["acts"])


def strongest_contexts(
    text: TextActivations, tokenizer: Any, n_contexts: int = 8, around: int = 8
) -> pd.DataFrame:
    """The tokens on which each latent is strongest, in their contexts; one context a window.

    Args:
        text: from ``text_activations``.
        tokenizer: the model's.
        n_contexts: contexts of a latent, fewer where it fires in fewer windows.
        around: tokens shown before and behind; BOS is not shown.

    Returns:
        ``latent, rank`` (1: strongest), ``activation, token, context`` with the token between ``MARKS``.
    """
    rows = []
    for number, latent in enumerate(text.latents):
        acts = text.acts[:, 1:, number]  # BOS, an attention sink, tells nothing
        best = acts.max(dim=1)
        for rank, window in enumerate(
            best.values.argsort(descending=True, stable=True)[:n_contexts].tolist()
        ):
            value, place = float(best.values[window]), int(best.indices[window])
            if value > ACTIVE:
                token, context = _context(tokenizer, text.windows[window, 1:], place, around)
                rows.append((latent, rank + 1, value, token, context))
    return pd.DataFrame(rows, columns=["latent", "rank", "activation", "token", "context"])


def _context(tokenizer: Any, ids: Int[Tensor, " position"], place: int, around: int) -> tuple[str, str]:
    """The token and its context as text, line breaks shown."""
    start = max(0, place - around)
    parts = (ids[start:place], ids[place : place + 1], ids[place + 1 : place + 1 + around])
    before, token, behind = (tokenizer.decode(part.tolist()).replace("\n", "↵") for part in parts)
    return token, f"{before}{MARKS[0]}{token}{MARKS[1]}{behind}"


@torch.inference_mode()
def favoured_tokens(
    model: LanguageModel, sae: LoadedSae, latents: Mapping[str, int], n_tokens: int = 8
) -> pd.DataFrame:
    """Tokens whose logits each latent's decoder row raises and lowers most, read directly by the unembedding.

    The row passes through the model's final norm alone, so the logits are up to one positive factor a latent; what
    later layers make of the latent is not in them.

    Returns:
        ``role, latent, raises, lowers``: tokens in order, most changed first.
    """
    norm: Any = model.bridge.ln_final
    head: Any = model.hf.get_output_embeddings()
    rows = []
    for role, latent in latents.items():
        row = sae.decoder_directions[latent].to(model.device, model.dtype)[None]
        change = (head(norm(row)) - head(norm(torch.zeros_like(row))))[0].float().cpu()
        lists = [
            " ".join(repr(str(model.tokenizer.decode([token]))) for token in order.tolist())
            for order in (change.topk(n_tokens).indices, (-change).topk(n_tokens).indices)
        ]
        rows.append((role, latent, *lists))
    return pd.DataFrame(rows, columns=["role", "latent", "raises", "lowers"])

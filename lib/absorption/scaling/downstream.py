"""How many of the model's next-token logits the ablation of one latent moves (Gao et al. 2024, section 4).

A latent that is on at a token is removed there, and nothing else: its activation times its decoder row is taken off
the residual stream, the SAE's error stays. What that changes in the logits at this token and the next ones is one
vector, each token's median taken off, which no probability depends on. Its (L1 / L2)^2 over its length is the share of
logits that it moves: 1 if all of them alike, one over the length if one alone; 2 / pi for Gaussian noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.models.language_model import LanguageModel
from absorption.models.prefix import Prefix
from absorption.saes.loaded import LoadedSae

N_FUTURE = 16
"""Tokens whose logits are read: that at which the latent is removed, and those after it."""
PLACE = 32
"""Position of that token in its window."""
N_CONTEXTS = 16
"""Windows, one token of each."""
N_ABLATED = 6
"""Latents removed at a token, drawn from those that are on there, each with the same chance."""


@dataclass(frozen=True)
class Context:
    """One token of a text, what comes before it, and what comes after."""

    prefix: Prefix
    tokens: Int[Tensor, " future"]
    """From the token on."""
    state: Float[Tensor, " d_model"]
    """Residual stream at the token, at the hook."""


@torch.inference_mode()
def read_contexts(
    model: LanguageModel, hook_name: str, windows: Int[Tensor, "window position"]
) -> list[Context]:
    """One token of each of the first windows.

    Args:
        model: a loaded model.
        hook_name: where latents are removed; behind a block.
        windows: token ids, BOS first.

    Raises:
        ValueError: windows too short, or a hook in front of the first block.
    """
    if model.site(hook_name).depth == 0:
        raise ValueError(
            f"hook {hook_name!r} reads the embedding; allowed: hooks behind a block, as those of SAEs of the grid."
        )
    if windows.shape[1] < PLACE + N_FUTURE:
        raise ValueError(
            f"windows of {windows.shape[1]} tokens are too short; needed: {PLACE + N_FUTURE}, "
            f"{PLACE} before the token and {N_FUTURE} from it on."
        )
    found = []
    for window in windows[:N_CONTEXTS]:
        state = model.residual_stream(window[None, : PLACE + 1], hook_name)[0, -1]
        tokens = window[PLACE : PLACE + N_FUTURE]
        found.append(Context(Prefix(model, window[:PLACE]), tokens, state.float().cpu()))
    return found


@torch.inference_mode()
def logit_changes(
    model: LanguageModel, depth: int, context: Context, changes: Float[Tensor, "row d_model"]
) -> Float[Tensor, "row future vocab"]:
    """What adding each row to the residual stream at the context's token changes in the logits from there on."""
    rows = torch.cat([torch.zeros_like(changes[:1]), changes])

    def hook(_module: Any, _args: Any, output: Any) -> Any:
        stream = output[0] if isinstance(output, tuple) else output
        stream = torch.cat([stream[:, :1] + rows[:, None].to(stream), stream[:, 1:]], dim=1)
        return (stream, *output[1:]) if isinstance(output, tuple) else stream

    handle = model.blocks[depth - 1].register_forward_hook(hook)
    try:
        tokens = context.tokens.to(model.device).expand(len(rows), -1)
        cache = context.prefix.expand(len(rows))
        logits = model.hf(tokens, past_key_values=cache, use_cache=True).logits.float().cpu()
    finally:
        handle.remove()
    return logits[1:] - logits[:1]


def share_moved(changes: Float[Tensor, "row future vocab"]) -> Float[Tensor, " row"]:
    """Share of the logits that each row moves: (L1 / L2)^2 over their number, medians over the vocabulary taken off;
    0 where nothing is moved."""
    centred = changes - changes.median(dim=-1, keepdim=True).values
    flat = centred.flatten(1).double()
    return flat.abs().sum(1).square() / flat.square().sum(1).clamp_min(1e-300) / flat.shape[1]


@torch.inference_mode()
def effects_of_latents(
    model: LanguageModel, sae: LoadedSae, contexts: Sequence[Context], seed: int = 0
) -> tuple[list[float], list[float]]:
    """For each context the shares summed over the latents that were removed there, and how many these were."""
    draw = torch.Generator().manual_seed(seed)
    sums, counts = [], []
    for context in contexts:
        acts = sae.encode(context.state[None])[0]
        on = acts.nonzero()[:, 0]
        on = on[torch.randperm(len(on), generator=draw)[:N_ABLATED]]
        changes = -acts[on, None] * sae.W_dec[on.to(sae.W_dec.device)].float().cpu()
        shares = share_moved(logit_changes(model, sae.site.depth, context, changes)) if len(on) else on
        sums.append(float(shares.sum()))
        counts.append(float(len(on)))
    return sums, counts


@torch.inference_mode()
def effects_of_channels(
    model: LanguageModel, depth: int, contexts: Sequence[Context], seed: int = 0
) -> tuple[list[float], list[float]]:
    """The same for dimensions of the residual stream, set to 0: what sparsity is compared with."""
    draw = torch.Generator().manual_seed(seed)
    sums = []
    for context in contexts:
        which = torch.randperm(len(context.state), generator=draw)[:N_ABLATED]
        changes = torch.zeros(N_ABLATED, len(context.state))
        changes[torch.arange(N_ABLATED), which] = -context.state[which]
        sums.append(float(share_moved(logit_changes(model, depth, context, changes)).sum()))
    return sums, [float(N_ABLATED)] * len(sums)

"""Residual-stream activations at the word's own token, inside the spelling prompt, cached on disk.

All words of an example set share their prefix, whose keys and values are computed once; a word then costs
one token through the lower blocks instead of a whole prompt through the model.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import batches, cache, timing
from absorption.models.continuations import continuing
from absorption.models.language_model import LanguageModel
from absorption.spelling.prompts import SpellingPrompts

VERSION = 2


def word_activations(
    model: LanguageModel, prompts: SpellingPrompts, hook_names: list[str], *, batch: int | None = None
) -> dict[str, Float[Tensor, "word d_model"]]:
    """Activations of every word at each hook, float32 on the CPU, in the order of the prompts.

    Args:
        model: a loaded model.
        prompts: from ``prompts.make_prompts``.
        hook_names: residual-stream hooks; unknown ones raise ValueError.
        batch: words at once; default as ``batches`` says (lower it when memory runs out).
    """
    depths = {name: model.site(name).depth for name in hook_names}
    found = depth_activations(model, prompts, sorted(set(depths.values())), batch=batch)
    return {name: found[depth] for name, depth in depths.items()}


def depth_activations(
    model: LanguageModel, prompts: SpellingPrompts, depths: list[int], *, batch: int | None = None
) -> dict[int, Float[Tensor, "word d_model"]]:
    """The same, by depth: 0 is the embedding, ``n_layers`` the input of the final norm."""
    inputs = {
        "model": model.identity,
        "dtype": str(model.dtype),
        "prefixes": cache.array_hash(prompts.prefixes.numpy()),
        "words": cache.array_hash(torch.stack([prompts.word_ids, prompts.example_set]).numpy()),
        "version": VERSION,
    }
    missing = [d for d in depths if not cache.has_tensors("activations", {**inputs, "depth": d})]
    fresh: dict[int, Tensor] = {}
    if missing:
        with timing.stage("activations"):  # all depths in one pass, before they are stored one by one
            fresh = _compute(model, prompts, missing, batch)

    def one(depth: int) -> dict[str, Tensor]:
        if depth not in fresh:  # the entry was there but damaged
            fresh.update(_compute(model, prompts, [depth], batch))
        return {"acts": fresh[depth]}

    return {
        depth: cache.cached_tensors(
            "activations", {**inputs, "depth": depth}, lambda depth=depth: one(depth)
        )["acts"]
        for depth in depths
    }


def _compute(
    model: LanguageModel, prompts: SpellingPrompts, depths: list[int], batch: int | None
) -> dict[int, Float[Tensor, "word d_model"]]:
    n_words = len(prompts.word_ids)
    out = {depth: torch.empty(n_words, model.d_model) for depth in depths}
    with tqdm(total=n_words, desc="Word activations", unit="word") as bar:
        for number, tokens in enumerate(prompts.prefixes):
            members = (prompts.example_set == number).nonzero()[:, 0]
            if not len(members):
                continue
            way = continuing(model, tokens, prompts.word_ids[members[:2], None], max(depths))
            for index in members.split(batch or batches.size(way.batch)):
                seen = way.residual_streams(tokens, prompts.word_ids[index, None], depths)
                for depth in depths:
                    out[depth][index] = seen[depth][:, -1].float().cpu()
                bar.update(len(index))
    return out

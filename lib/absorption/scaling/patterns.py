"""Patterns of tokens that predict where a latent is on, in the way of N2G, which Gao et al. 2024 use.

The smallest version of the idea. From some tokens on which a latent is on: the shortest end of the text up to there
that alone, behind BOS, leaves at least half of the activation; of its tokens those stay that matter, the others become
wildcards, which stand for any one token. A pattern predicts that the latent is on at the last token of each match.
Left out of what is published: patterns that ask for a place in the text, and predicted strengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.stitching.insertion import encode_sparse

N_WINDOWS = 192
"""Windows of text; patterns are made from the first half and scored on the second."""
N_LATENTS = 24
"""Latents of an SAE, drawn from those that are on often enough."""
LEAST_ON = 4
"""Tokens of either half on which a latent must be on."""
N_EXAMPLES = 6
"""Tokens that a latent's patterns are made from, drawn from those of the first half."""
LONGEST = 8
"""Tokens of a pattern. An activation that needs more context keeps so many, which will hardly match elsewhere."""
SHARE_KEPT = 0.5
"""Of an activation that must be left when tokens are cut away or replaced."""
N_REPLACEMENTS = 2
"""Random tokens in a token's place, each of which must leave so much, for it to become a wildcard."""
WILDCARD = -1

Pattern = tuple[int, ...]
"""Token ids, ``WILDCARD`` for any."""


@dataclass(frozen=True)
class Passages:
    """Text with its activations at a hook."""

    windows: Int[Tensor, "window position"]
    acts: Float[Tensor, "window position d_model"]

    @property
    def first(self) -> int:
        """Windows that patterns are made from."""
        return len(self.windows) // 2


@dataclass(frozen=True)
class Example:
    """A token on which a latent is on."""

    latent: int
    before: tuple[int, ...]
    """The last tokens up to it, itself included, BOS left out."""
    activation: float


@torch.inference_mode()
def read_passages(model: LanguageModel, hook_name: str, windows: Int[Tensor, "window position"]) -> Passages:
    """Activations of the first windows, in memory."""
    windows = windows[:N_WINDOWS]
    acts = [model.residual_stream(part, hook_name).float().cpu() for part in windows.split(8)]
    return Passages(windows, torch.cat(acts))


@torch.inference_mode()
def on_table(sae: LoadedSae, passages: Passages) -> np.ndarray:
    """``window, position, latent, activation`` of every activation, BOS left out; shape ``on 4``."""
    length, parts = passages.windows.shape[1], []
    for start in range(0, len(passages.acts), 8):
        coo = encode_sparse(sae, passages.acts[start : start + 8].flatten(0, 1)).to_sparse_coo()
        rows, latents = coo.indices().double()
        where = [start + rows // length, rows % length, latents, coo.values().double()]
        table = torch.stack(where, dim=1).numpy()
        parts.append(table[(table[:, 1] > 0) & (table[:, 3] > 0)])
    return np.concatenate(parts)


def choose_latents(on: np.ndarray, first: int, d_sae: int, draw: np.random.Generator) -> list[int]:
    """Latents drawn from those that are on at enough tokens of either half."""
    counts = [
        np.bincount(on[part, 2].astype(int), minlength=d_sae)
        for part in (on[:, 0] < first, on[:, 0] >= first)
    ]
    often = np.flatnonzero(np.minimum(*counts) >= LEAST_ON)
    return sorted(draw.permutation(often)[:N_LATENTS].tolist())


def draw_examples(
    on: np.ndarray, passages: Passages, latents: Sequence[int], draw: np.random.Generator
) -> list[Example]:
    """Some activations of each latent in the first half of the text."""
    found = []
    made_from = on[on[:, 0] < passages.first]
    for latent in latents:
        mine = made_from[made_from[:, 2] == latent]
        for window, position, _, activation in draw.permutation(mine)[:N_EXAMPLES]:
            tokens = passages.windows[int(window), max(1, int(position) + 1 - LONGEST) : int(position) + 1]
            found.append(Example(latent, tuple(tokens.tolist()), float(activation)))
    return found


@torch.inference_mode()
def activations_at_end(
    model: LanguageModel, sae: LoadedSae, texts: Sequence[tuple[int, ...]], latents: Sequence[int]
) -> Float[np.ndarray, " text"]:
    """Activation of a latent at the last token of each text, which stands alone behind BOS."""
    found = np.zeros(len(texts))
    for length in sorted({len(text) for text in texts}):
        places = [place for place, text in enumerate(texts) if len(text) == length]
        for start in range(0, len(places), 64):
            part = places[start : start + 64]
            tokens = torch.tensor([[model.bos_token_id, *texts[place]] for place in part])
            ends = model.residual_stream(tokens, sae.hook_name)[:, -1].float().cpu()
            acts = sae.encode(ends)
            found[part] = acts[
                torch.arange(len(part)), torch.tensor([latents[place] for place in part])
            ].numpy()
    return found


def shorten(model: LanguageModel, sae: LoadedSae, examples: Sequence[Example]) -> list[tuple[int, ...]]:
    """The shortest end of each example that leaves enough of the activation; all of it if none does."""
    ends = [example.before for example in examples]
    left = list(range(len(examples)))
    for length in range(1, LONGEST):
        left = [place for place in left if len(examples[place].before) > length]
        tried = [examples[place].before[-length:] for place in left]
        acts = activations_at_end(model, sae, tried, [examples[place].latent for place in left])
        for place, text, act in zip(list(left), tried, acts, strict=True):
            if act >= SHARE_KEPT * examples[place].activation:
                ends[place] = text
                left.remove(place)
    return ends


def make_patterns(
    model: LanguageModel, sae: LoadedSae, examples: Sequence[Example], draw: np.random.Generator
) -> list[Pattern]:
    """One pattern an example: its shortest end, tokens that do not matter made wildcards."""
    ends = shorten(model, sae, examples)
    ordinary = np.array(sorted({token for example in examples for token in example.before}))
    tried, of = [], []
    for place, end in enumerate(ends):
        for at in range(len(end)):
            for token in draw.choice(ordinary, size=N_REPLACEMENTS):
                tried.append((*end[:at], int(token), *end[at + 1 :]))
                of.append((place, at))
    acts = activations_at_end(model, sae, tried, [examples[place].latent for place, _ in of])
    matters = {
        where for where, act in zip(of, acts, strict=True) if act < SHARE_KEPT * examples[where[0]].activation
    }
    return [
        tuple(token if (place, at) in matters else WILDCARD for at, token in enumerate(end))
        for place, end in enumerate(ends)
    ]


def matches(pattern: Pattern, windows: Int[np.ndarray, "window position"]) -> np.ndarray:
    """Whether a match of the pattern ends at each token; none reaches over BOS."""
    length = len(pattern)
    found = np.zeros(windows.shape, dtype=bool)
    inside = np.ones((len(windows), windows.shape[1] - length), dtype=bool)
    for at, token in enumerate(pattern):
        if token != WILDCARD:
            inside &= windows[:, 1 + at : windows.shape[1] - length + 1 + at] == token
    found[:, length:] = inside
    return found


def score_patterns(
    model: LanguageModel, sae: LoadedSae, passages: Passages, seed: int = 0
) -> Float[np.ndarray, "latent 3"]:
    """For each of some latents, tokens of the second half that a pattern matches, of these those on which it is on,
    and all on which it is on."""
    draw = np.random.default_rng(seed)
    on = on_table(sae, passages)
    latents = choose_latents(on, passages.first, sae.d_sae, draw)
    examples = draw_examples(on, passages, latents, draw)
    patterns = make_patterns(model, sae, examples, draw) if examples else []
    windows = passages.windows[passages.first :].numpy()
    scores = []
    for latent in latents:
        mine = {
            pattern for example, pattern in zip(examples, patterns, strict=True) if example.latent == latent
        }
        predicted = np.any([matches(pattern, windows) for pattern in sorted(mine)], axis=0)
        rows = on[(on[:, 2] == latent) & (on[:, 0] >= passages.first)].astype(int)
        truth = np.zeros(windows.shape, dtype=bool)
        truth[rows[:, 0] - passages.first, rows[:, 1]] = True
        scores.append((predicted.sum(), (predicted & truth).sum(), truth.sum()))
    return np.array(scores, dtype=np.float64).reshape(-1, 3)

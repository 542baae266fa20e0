"""Editing the first letter as published: the own letter's latent set to 0, another letter's set to its mean.

Paper, Figures 14 and 15: one latent a letter, by encoder cosine; what the SAE does not reconstruct stays as it
is; what counts is the change of the probabilities of the own and of the new letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.ablation.engine import AblationEngine
from absorption.base.statistics import confusion_scores
from absorption.latents.sparse import ACTIVE, SparseActs
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import LETTERS

STRENGTHS = (1.0, 3.0)


@dataclass(frozen=True)
class LetterLatents:
    """The latent that stands for each letter, and its activations on all words."""

    latents: Int[Tensor, " letter"]
    acts: Float[Tensor, "word letter"]
    """Activation of each letter's latent at each word."""
    levels: Float[Tensor, " letter"]
    """Its mean activation over the letter's training words that it is on for: what it is set to."""
    f1: Float[Tensor, " letter"]
    """Of "the latent is on" on the test words."""
    decoder: Float[Tensor, "letter d_model"]
    """Its decoder row."""


def letter_latents(sae: LoadedSae, probed: ProbedWords, latent_acts: SparseActs) -> LetterLatents:
    """The latents of highest encoder cosine with the letters' probes, measured on the words."""
    cosines = probed.probes.directions @ sae.encoder_directions.float().cpu().T
    latents = cosines.argmax(dim=1)
    acts = latent_acts.dense(latents)
    on = (acts[probed.train] > ACTIVE) & probed.labels[probed.train]
    levels = (acts[probed.train] * on).sum(dim=0) / on.sum(dim=0).clamp_min(1)
    said, truth = (acts[probed.test] > ACTIVE).numpy(), probed.labels[probed.test].numpy()
    counts = [(said & truth).sum(0), (said & ~truth).sum(0), (~said & truth).sum(0)]
    f1 = torch.from_numpy(confusion_scores(*counts)["f1"])
    rows = sae.W_dec[latents.to(sae.W_dec.device)].detach().float().cpu()
    return LetterLatents(latents, acts, levels, f1, rows)


def words_a_letter(
    words: Int[Tensor, " word"], letters: Int[Tensor, " all"], per_letter: int, seed: int
) -> Int[Tensor, " some"]:
    """At most ``per_letter`` of the words of each letter, at random; all words draw from one seed, so that a
    larger number keeps the words of a smaller one."""
    draw = np.random.default_rng(seed).random(len(letters))[words.numpy()]
    rank = pd.Series(draw).groupby(letters[words].numpy()).rank(method="first")
    return words[torch.from_numpy((rank <= per_letter).to_numpy())]


def new_letters(own: Int[Tensor, " word"], n_letters: int, seed: int) -> Int[Tensor, " word"]:
    """A random other letter for each word, as evenly spread over all letters as the words allow.

    Raises:
        ValueError: fewer than two letters.
    """
    if n_letters < 2:
        raise ValueError(f"{n_letters} letters are given; two are needed to put one in another's place.")
    generator = np.random.default_rng(seed)
    wanted = np.zeros(len(own), dtype=np.int64)
    for letter in own.unique().tolist():
        mine = np.flatnonzero(own.numpy() == letter)
        others = np.delete(np.arange(n_letters), letter)
        turns = [generator.permutation(others) for _ in range(-(-len(mine) // len(others)))]
        wanted[mine] = np.concatenate(turns)[: len(mine)]
    return torch.from_numpy(wanted)


def set_states(
    states: Float[Tensor, "word d_model"],
    found: LetterLatents,
    words: Int[Tensor, " word"],
    own: Int[Tensor, " word"],
    new: Int[Tensor, " word"],
    strength: float,
) -> Float[Tensor, "word d_model"]:
    """The states with the own letter's latent at 0 and the new letter's at ``strength`` times its level.

    Where one latent stands for both letters it is the new letter's that is set.
    """
    row = torch.arange(len(words))
    acts = found.acts[words]
    same = found.latents[own] == found.latents[new]
    away = torch.where(same, 0, acts[row, own])
    towards = strength * found.levels[new] - acts[row, new]
    return states - away[:, None] * found.decoder[own] + towards[:, None] * found.decoder[new]


def set_letters(
    engine: AblationEngine,
    found: LetterLatents,
    words: Int[Tensor, " word"],
    *,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
) -> pd.DataFrame:
    """Try to turn each word's first letter into another one by setting two latents.

    Args:
        engine: the ablation engine of the latents' SAE.
        found: from ``letter_latents``.
        words: positions in the prompts' table.
        strengths: multiples of the new letter's level (the paper: 1).
        seed: of the new letters.

    Returns:
        One row a word and strength: ``word, letter, new, strength, p_own, p_new`` (rise of the letter's
        probability among the 26), ``edited`` (the new letter is the answer), ``kept`` (the own letter is),
        ``was_right`` (the own letter was the answer before), ``f1_own, f1_new`` (of the two latents).
    """
    own = engine.prompts.letters[words]
    new = new_letters(own, len(LETTERS), seed)
    states = engine.states(words)
    before = engine.logits(words, states)
    names = np.array(LETTERS)
    about = {
        "word": words.numpy(), "letter": names[own], "new": names[new],
        "was_right": (before.argmax(dim=1) == own).numpy(),
        "f1_own": found.f1[own].numpy(), "f1_new": found.f1[new].numpy(),
    }  # fmt: skip
    tables = []
    for strength in strengths:
        after = engine.logits(words, set_states(states, found, words, own, new, strength))
        answer = after.argmax(dim=1)
        measured = {
            "strength": float(strength),
            "p_own": probability_change(before, after, own),
            "p_new": probability_change(before, after, new),
            "edited": (answer == new).numpy(),
            "kept": (answer == own).numpy(),
        }
        tables.append(pd.DataFrame(about | measured))
    return pd.concat(tables, ignore_index=True)


def probability_change(
    before: Float[Tensor, "word 26"], after: Float[Tensor, "word 26"], letters: Int[Tensor, " word"]
) -> Float[np.ndarray, " word"]:
    """Rise of each word's letter's probability among the 26 answers."""
    change = after.softmax(dim=1) - before.softmax(dim=1)
    return change.gather(1, letters[:, None])[:, 0].numpy()

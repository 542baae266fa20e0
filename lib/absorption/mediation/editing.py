"""Editing the first letter by other means than the published one (``mediation.setting``): main latents swapped,
absorbing latents too, or the letters' levels along a direction exchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.ablation.engine import AblationEngine
from absorption.definitions.evidence import Evidence
from absorption.definitions.thresholds import Thresholds
from absorption.mediation.removed_parts import ABSORBING, MAIN, PartSets, part_sets

NOTHING, SWAP_MAIN, SWAP_ALL = "nothing", "main latents swapped", "main and absorbing latents swapped"
SWAP_PATTERN, SWAP_MEANS = "patterns swapped", "differences in means swapped"
SWAP_FILTER = "filters (probe weights) swapped"
OTHER_STATE = "state of a word of the other letter"
METHODS = (NOTHING, SWAP_FILTER, SWAP_PATTERN, SWAP_MEANS, SWAP_MAIN, SWAP_ALL, OTHER_STATE)
"""``nothing`` is the floor and the other word's state the ceiling."""


@dataclass(frozen=True)
class Axis:
    """A unit direction for each letter, and how far along it words lie."""

    directions: Float[Tensor, "letter d_model"]
    present: Float[Tensor, " letter"]
    """Mean projection of the letter's words."""
    absent: Float[Tensor, " letter"]
    """Mean projection of all other words."""

    def swap(
        self, states: Float[Tensor, "word d_model"], own: Tensor, target: Tensor, strength: float
    ) -> Float[Tensor, "word d_model"]:
        """The states with the own letter's level set to absent and the target's to present."""
        u, v = self.directions[own], self.directions[target]
        away = (states * u).sum(dim=1) - self.absent[own]
        wanted = self.absent[target] + strength * (self.present - self.absent)[target]
        towards = wanted - (states * v).sum(dim=1)
        return states - away[:, None] * u + towards[:, None] * v


@dataclass(frozen=True)
class Levels:
    """How strong a letter is where it is present, measured on given words."""

    latent: Float[Tensor, " letter"]
    """Mean activation of each letter's first main latent on the letter's words where it is on."""
    filters: Axis
    """Along the probes' weights."""
    patterns: Axis
    """Along their patterns."""
    means: Axis
    """Along the differences in means."""


def letter_levels(evidence: Evidence, words: Int[Tensor, " word"]) -> Levels:
    """Levels on some words (training words: no edited word tells how to edit it)."""
    lines = (evidence.directions, evidence.patterns, evidence.mean_directions)
    axes = [_axis(evidence, words, directions.float()) for directions in lines]
    return Levels(_latent_levels(evidence, words), *axes)


def _axis(
    evidence: Evidence, words: Int[Tensor, " word"], directions: Float[Tensor, "letter d_model"]
) -> Axis:
    along = evidence.acts[words] @ directions.T
    mine = torch.nn.functional.one_hot(evidence.letters[words], len(evidence.names)).bool()
    counts = mine.sum(dim=0).clamp_min(1)
    present = torch.where(mine, along, 0).sum(dim=0) / counts
    absent = torch.where(mine, 0, along).sum(dim=0) / (len(words) - counts).clamp_min(1)
    return Axis(directions, present, absent)


def _latent_levels(evidence: Evidence, words: Int[Tensor, " word"]) -> Float[Tensor, " letter"]:
    columns, values = evidence.csr.col_indices(), evidence.csr.values().float()
    rows = torch.arange(len(evidence.letters)).repeat_interleave(evidence.csr.crow_indices().diff())
    used = torch.zeros(len(evidence.letters), dtype=torch.bool)
    used[words] = True
    levels = torch.zeros(len(evidence.names))
    for number, name in enumerate(evidence.names):
        main = list(evidence.main.get(name, ()))
        if main:
            on = (columns == main[0]) & used[rows] & (evidence.letters[rows] == number)
            levels[number] = values[on].mean() if on.any() else 0.0
    return levels


def edit_letters(
    engine: AblationEngine,
    evidence: Evidence,
    words: Int[Tensor, " word"],
    levels: Levels,
    *,
    thresholds: Thresholds | None = None,
    strength: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Try to turn each word's first letter into another one, by each method.

    Args:
        engine: the ablation engine.
        evidence: words, latents, main latents, probe directions.
        words: some of the words of the evidence, each once.
        levels: from ``letter_levels``, on other words.
        thresholds: which latents count as absorbing.
        strength: what the levels put in are multiplied by.
        seed: of the target letters.

    Returns:
        ``word, letter, target, method, answer, edited, kept, shift``: ``answer`` is the letter with the
        highest logit, ``edited``: it is the target, ``kept``: still the word's own; ``shift`` is the rise of
        the target's logit over the own letter's.
    """
    targets = target_letters(evidence, words, seed)
    changed = _states(engine, evidence, words, targets, levels, thresholds or Thresholds(), strength, seed)
    own, want = evidence.letters[words], targets
    logits = {method: engine.logits(words, states) for method, states in changed.items()}
    margin = {m: (x.gather(1, want[:, None]) - x.gather(1, own[:, None]))[:, 0] for m, x in logits.items()}
    names = np.array(evidence.names)
    tables = []
    for method, values in logits.items():
        answer = values.argmax(dim=1)
        tables.append(
            pd.DataFrame(
                {
                    "word": words.numpy(),
                    "letter": names[own],
                    "target": names[want],
                    "method": method,
                    "answer": names[answer],
                    "edited": (answer == want).numpy(),
                    "kept": (answer == own).numpy(),
                    "shift": (margin[method] - margin[NOTHING]).numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def target_letters(evidence: Evidence, words: Int[Tensor, " word"], seed: int) -> Int[Tensor, " word"]:
    """For each word a random other letter among those that have a main latent.

    Raises:
        ValueError: fewer than two letters have one.
    """
    able = [i for i, name in enumerate(evidence.names) if evidence.main.get(name)]
    if len(able) < 2:
        raise ValueError(f"{len(able)} letters have a main latent; two are needed to swap.")
    generator = np.random.default_rng(seed)
    own = evidence.letters[words].tolist()
    return torch.tensor([int(generator.choice([i for i in able if i != letter])) for letter in own])


def _states(
    engine: AblationEngine, evidence: Evidence, words: Tensor, targets: Tensor, levels: Levels,
    thresholds: Thresholds, strength: float, seed: int,
) -> dict[str, Float[Tensor, "word d_model"]]:  # fmt: skip
    """The word's residual stream after each method."""
    states = engine.states(words)
    own = evidence.letters[words]
    sets = part_sets(engine, evidence, words, thresholds, seed)
    main_of = [list(evidence.main[name]) if name in evidence.main else [] for name in evidence.names]
    first = torch.tensor([main_of[i][0] for i in targets.tolist()])
    put_in = strength * levels.latent[targets, None] * evidence.decoder[first].float().cpu()
    main, absorbing = (_sum_rows(engine, sets, part, len(words)) for part in (MAIN, ABSORBING))
    return {
        NOTHING: states,
        SWAP_MAIN: states - main + put_in,
        SWAP_ALL: states - main - absorbing + put_in,
        SWAP_FILTER: levels.filters.swap(states, own, targets, strength),
        SWAP_PATTERN: levels.patterns.swap(states, own, targets, strength),
        SWAP_MEANS: levels.means.swap(states, own, targets, strength),
        OTHER_STATE: evidence.acts[_word_of_each(evidence, targets, words, seed)].float(),
    }


def _sum_rows(
    engine: AblationEngine, sets: PartSets, part: str, n_words: int
) -> Float[Tensor, "word d_model"]:
    total = torch.zeros(n_words, engine.model.d_model)
    member = sets.members[part]
    total.index_add_(0, sets.where[member], sets.rows[member].contributions(engine.sae))
    return total


def _word_of_each(
    evidence: Evidence, targets: Int[Tensor, " word"], words: Tensor, seed: int
) -> Int[Tensor, " word"]:
    """A random word of each target letter that the probe gets right, not among those edited if possible."""
    generator = np.random.default_rng(seed)
    right, letters = evidence.words.numpy(), evidence.letters.numpy()
    others = np.setdiff1d(right, words.numpy())
    chosen = []
    for target in targets.tolist():
        pool = others[letters[others] == target]
        pool = pool if len(pool) else np.flatnonzero(letters == target)
        chosen.append(int(generator.choice(pool)))
    return torch.tensor(chosen)

"""What each definition finds with a direction that is not the letter's: the null beside every rate.

The letter's probe direction is exchanged for another one; the words, the candidates, the main latents and the effects
on the right letter's answer stay. Two kinds of direction are used. *Wrong letters'*: every letter gets the direction
of the letter s places on, for each s, so that each draw uses every probe once. *Random*: unit vectors drawn evenly
from the sphere, one a letter and draw. What the definitions do with it:

- *Ablation*: the leading latent's cosine is taken with the other direction. The null is the share of words that one
  latent leads, whatever it says, times the chance that a decoder row passes so low a cosine.
- *Full absorption* and *absorption fraction*: cosines, projections and the word's own total are along the other
  direction. The null is how often few latents carry much of any direction at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from absorption.ablation.ranking import leader
from absorption.definitions.evidence import Evidence
from absorption.definitions.rules import FRACTION, FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds

N_RANDOM = 20
"""Random directions of each letter."""
WRONG, RANDOM = "wrong letters", "random directions"


@dataclass(frozen=True)
class Null:
    """What the definitions say of each word under directions that are not its letter's."""

    values: Mapping[str, Mapping[str, Float[np.ndarray, "draw right"]]]
    """By definition and kind (``WRONG``, ``RANDOM``): 1, 0, or the fraction, of each draw and judged word."""
    judged: Mapping[str, Bool[np.ndarray, " right"]]
    """By definition: the words that it was applied to."""

    def __or__(self, other: Null) -> Null:
        """Both nulls' definitions."""
        return Null({**self.values, **other.values}, {**self.judged, **other.judged})


def null_directions(
    directions: Float[Tensor, "letter d_model"], *, n_random: int = N_RANDOM, seed: int = 0
) -> dict[str, Float[Tensor, "draw letter d_model"]]:
    """Unit directions in place of the letters' own, by kind.

    Args:
        directions: the letters' unit probe directions.
        n_random: random directions a letter.
        seed: of the random directions.
    """
    n = len(directions)
    turned = torch.stack([directions.roll(-shift, dims=0) for shift in range(1, n)])
    drawn = np.random.default_rng(seed).standard_normal((n_random, *directions.shape))
    random = torch.from_numpy(drawn / np.linalg.norm(drawn, axis=2, keepdims=True))
    return {WRONG: turned.float(), RANDOM: random.float()}


def null_by_projection(evidence: Evidence, thresholds: Thresholds, *, seed: int = 0) -> Null:
    """Full absorption and absorption fraction under other directions."""
    found = {
        kind: values_by_projection(evidence, directions, thresholds)
        for kind, directions in null_directions(evidence.directions, seed=seed).items()
    }
    everyone = np.ones(len(evidence.words), dtype=bool)
    names = (FULL_ABSORPTION, FRACTION)
    return Null(
        {name: {kind: found[kind][name] for kind in found} for name in names}, dict.fromkeys(names, everyone)
    )


def null_by_effects(
    evidence: Evidence,
    effects: pd.DataFrame,
    thresholds: Thresholds,
    leads: Mapping[str, float],
    *,
    seed: int = 0,
) -> Null:
    """The ablation metric under other directions, on the words whose effects are given.

    Args:
        evidence: words and latents.
        effects: of every active latent of candidates, as ``ablation.all_effects`` gives them.
        thresholds: the definition's thresholds.
        leads: least lead in logits, by the definition's name.
        seed: of the random directions.
    """
    led = _leaders(effects, thresholds.ranking)
    words = evidence.words.numpy()
    judged = evidence.main_off & np.isin(words, led.index)
    mine = led.loc[words[judged]]
    letters, latents = (
        evidence.letters[evidence.words[torch.from_numpy(judged)]],
        torch.from_numpy(mine["latent"].to_numpy(dtype=np.int64, copy=True)),
    )
    main = [evidence.main.get(evidence.names[int(letter)], ()) for letter in letters.tolist()]
    absorber = np.array([latent not in own for latent, own in zip(latents.tolist(), main, strict=True)], bool)
    rows = torch.nn.functional.normalize(evidence.decoder.float()[latents], dim=1)
    values: dict[str, dict[str, np.ndarray]] = {name: {} for name in leads}
    for kind, directions in null_directions(evidence.directions, seed=seed).items():
        cosines = (directions[:, letters] * rows).sum(dim=2).numpy()
        for name, least in leads.items():
            rule = thresholds.ablation_rule(least)
            holds = rule.leads(mine["effect"], mine["lead"]).to_numpy() & absorber
            values[name][kind] = np.zeros((len(directions), len(words)))
            values[name][kind][:, judged] = rule.aligned(cosines) & holds
    return Null(values, dict.fromkeys(leads, judged))


def values_by_projection(
    evidence: Evidence, directions: Float[Tensor, "draw letter d_model"], thresholds: Thresholds
) -> dict[str, Float[np.ndarray, "draw right"]]:
    """``rules.full_rule`` and ``rules.fraction_rule`` of every word under many directions, by definition.

    With the letters' own directions these are the values of the rules themselves.
    """
    flat = _Rows.of(evidence)
    letters = evidence.letters[evidence.words]
    letter_of_row = letters.numpy()[flat.word]
    unit = torch.nn.functional.normalize(evidence.decoder.float(), dim=1)
    acts = evidence.acts[evidence.words] - (evidence.acts[evidence.train].mean(0) if evidence.centred else 0)
    full, fraction = [], []
    for chosen in directions.float():
        cosines = (chosen @ unit.T).numpy()[letter_of_row, flat.latent].astype(np.float64)
        totals = (acts.float() * chosen[letters]).sum(dim=1).double().numpy()
        full.append(_full(flat, cosines, totals, evidence.main_off, thresholds))
        fraction.append(_fraction(flat, cosines, totals, thresholds))
    return {FULL_ABSORPTION: np.stack(full), FRACTION: np.stack(fraction)}


@dataclass(frozen=True)
class _Rows:
    """The active latents of all judged words, one row each, sorted by word."""

    word: Int[np.ndarray, " row"]
    latent: Int[np.ndarray, " row"]
    size: Float[np.ndarray, " row"]
    """Activation times the decoder row's norm."""
    is_main: Bool[np.ndarray, " row"]
    n_words: int

    @classmethod
    def of(cls, evidence: Evidence) -> _Rows:
        parts = evidence.active_latents
        norms = evidence.decoder.norm(dim=1).double().numpy()
        word = np.repeat(np.arange(len(parts)), [len(part.latents) for part in parts])
        latent = np.concatenate([part.latents for part in parts]).astype(np.int64)
        size = np.concatenate([part.activations for part in parts]) * norms[latent]
        return cls(word, latent, size, np.concatenate([part.is_main for part in parts]), len(parts))


def _full(
    rows: _Rows, cosines: np.ndarray, totals: np.ndarray, main_off: np.ndarray, thresholds: Thresholds
) -> np.ndarray:
    """What the top projection of each word says; of equal ones, the last."""
    open_ = main_off[rows.word]
    word, cosine = rows.word[open_], cosines[open_]
    along = rows.size[open_] * cosine
    starts = np.flatnonzero(np.diff(word, prepend=-1))  # sorted by word already
    values = np.zeros(rows.n_words)
    if not len(starts):
        return values
    top = np.repeat(np.maximum.reduceat(along, starts), np.diff(starts, append=len(word)))
    tops = np.flatnonzero(along == top)
    last = tops[np.flatnonzero(np.diff(word[tops], append=-1))]
    at = word[last]
    held = (cosine[last] >= thresholds.min_cosine) & (totals[at] > 0) & ~rows.is_main[open_][last]
    values[at] = held & (along[last] / np.where(totals[at] > 0, totals[at], 1.0) >= thresholds.min_share)
    return values


def _fraction(rows: _Rows, cosines: np.ndarray, totals: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    along = rows.size * cosines
    main = np.bincount(rows.word, weights=along * rows.is_main, minlength=rows.n_words)
    others = np.flatnonzero(~rows.is_main & (cosines >= thresholds.fraction_cosine) & (along > 0))
    others = others[np.lexsort((-along[others], rows.word[others]))]
    word = rows.word[others]
    starts = np.flatnonzero(np.diff(word, prepend=-1))
    rank = np.arange(len(word)) - np.repeat(starts, np.diff(starts, append=len(word)))
    few = others[rank < thresholds.max_absorbers]
    carried = np.bincount(rows.word[few], weights=along[few], minlength=rows.n_words)
    held = (totals > 0) & (main < totals)
    held &= carried / np.where(totals > 0, totals, 1.0) >= thresholds.min_share
    absorbed = np.minimum(carried, totals - main)
    whole = np.where(main > 0, absorbed + main, absorbed)
    return np.where(held, absorbed / np.where(held, whole, 1.0), 0.0)


def _leaders(effects: pd.DataFrame, ranking: str) -> pd.DataFrame:
    """``latent, effect, lead`` of each word's leading latent, indexed by word."""
    ordered = effects.sort_values("word", kind="stable")
    word, latent, effect = (ordered[name].to_numpy() for name in ("word", "latent", "effect"))
    starts, ends = np.flatnonzero(np.diff(word, prepend=-1)), np.flatnonzero(np.diff(word, append=-1)) + 1
    rows = []
    for start, end in zip(starts, ends, strict=True):
        top = leader(effect[start:end], ranking)
        rows.append((word[start], int(latent[start + top.at]), top.effect, top.lead))
    return pd.DataFrame(rows, columns=["word", "latent", "effect", "lead"]).set_index("word")

"""What all three definitions rest on: the words that the probe gets, their latents, and the main latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from absorption.definitions.silence import PUBLISHED, Silence
from absorption.latents.sparse import ACTIVE
from absorption.probes.fit import ProbeSet
from absorption.probes.means import difference_in_means, pattern
from absorption.spelling.vocab import LETTERS


@dataclass(frozen=True)
class WordLatents:
    """The latents that are on at one word, seen from its letter's probe."""

    latents: Int[np.ndarray, " active"]
    activations: Float[np.ndarray, " active"]
    cosines: Float[np.ndarray, " active"]
    """Of each latent's decoder row with the letter's probe direction."""
    projections: Float[np.ndarray, " active"]
    """What each latent adds along the unit probe direction: activation times decoder row."""
    is_main: Bool[np.ndarray, " active"]
    silenced: bool = False
    """Its main latents count as silent, whether or not one is on (``Silence``)."""

    @property
    def main_on(self) -> bool:
        """Whether a main latent is on, and not so weakly that it counts as silent."""
        return bool(self.is_main.any()) and not self.silenced


@dataclass(frozen=True)
class Evidence:
    """Words with their latents, one letter (or parent feature) each.

    Works for any set of parent features, so that the definitions apply to planted data by the same code.
    """

    csr: Tensor
    """Sparse CSR matrix ``word latent`` of activations."""
    letters: Int[Tensor, " word"]
    """Index of each word's letter in ``names``."""
    words: Int[Tensor, " right"]
    """Rows to judge: test words that the LR probe of their own letter gets right."""
    train: Int[Tensor, " train"]
    """Rows of the training words: means and directions come from them only."""
    acts: Float[Tensor, "word d_model"]
    """Residual stream at each word's token."""
    directions: Float[Tensor, "letter d_model"]
    """Unit probe directions."""
    decoder: Float[Tensor, "latent d_model"]
    """Decoder rows, as the SAE uses them."""
    main: Mapping[str, Sequence[int]]
    """Main latents of each letter."""
    names: Sequence[str] = LETTERS
    filters: Float[Tensor, "letter d_model"] | None = None
    """Unit weights of the probes whose patterns are taken; None: ``directions``."""
    centred: bool = False
    """Project activations less the training words' mean. As published they are projected as they are, with what
    all words share along the probe direction in the total that shares are taken of."""
    silence: Silence = PUBLISHED
    """When main latents count as silent."""

    @cached_property
    def cosines(self) -> Float[Tensor, "letter latent"]:
        """Decoder cosines with the probe directions."""
        norms = self.decoder.norm(dim=1).clamp_min(1e-12)
        return self.directions @ self.decoder.to(self.directions).T / norms.to(self.directions)

    @cached_property
    def absorber_cosines(self) -> Float[Tensor, "letter latent"]:
        """The same, but -1 for a letter's own main latents: none of them can be its absorber, only a rival."""
        cosines = self.cosines.clone()
        for number, name in enumerate(self.names):
            cosines[number, list(self.main.get(name, ()))] = -1.0
        return cosines

    @cached_property
    def mean_directions(self) -> Float[Tensor, "letter d_model"]:
        """Unit vectors from the mean of all other training words to that of each letter's training words."""
        labels = torch.nn.functional.one_hot(self.letters[self.train], len(self.names)).bool()
        return difference_in_means(self.acts[self.train].float(), labels).directions

    @property
    def read_out(self) -> Float[Tensor, "letter d_model"]:
        """Unit weights by which the letters are read: ``filters``, or the probe directions."""
        return (self.directions if self.filters is None else self.filters).float()

    @cached_property
    def patterns(self) -> Float[Tensor, "letter d_model"]:
        """Unit patterns of ``read_out``: along what the letters are written (training words)."""
        labels = torch.nn.functional.one_hot(self.letters[self.train], len(self.names)).bool()
        filters = ProbeSet(self.read_out, torch.zeros(len(self.names)))
        return pattern(self.acts[self.train].float(), labels, filters).weights

    @cached_property
    def totals(self) -> Float[np.ndarray, " right"]:
        """Projection of each judged word's own activation on its letter's unit probe direction.

        Raw, or less the projection of the training words' mean (``centred``).
        """
        acts = self.acts[self.words] - (self.acts[self.train].mean(0) if self.centred else 0)
        along = (acts * self.directions[self.letters[self.words]]).sum(dim=1)
        return along.double().numpy()

    @cached_property
    def active_latents(self) -> list[WordLatents]:
        """The active latents of each judged word, in order of ``words``."""
        starts = self.csr.crow_indices().numpy()
        columns, values = self.csr.col_indices().numpy(), self.csr.values().double().numpy()
        norms, cosines = self.decoder.norm(dim=1).double().numpy(), self.cosines.double().numpy()
        mains = [np.asarray(list(self.main.get(name, ())), dtype=np.int64) for name in self.names]
        letters, found = self.letters[self.words].tolist(), []
        for word, letter, total in zip(self.words.tolist(), letters, self.totals.tolist(), strict=True):
            span = slice(starts[word], starts[word + 1])
            on = values[span] > ACTIVE
            latents, activations = columns[span][on], values[span][on]
            cosine = cosines[letter, latents]
            along = activations * norms[latents] * cosine
            is_main = np.isin(latents, mains[letter])
            of_main = (latents[is_main], activations[is_main], float(along[is_main].sum()), total)
            silenced = self.silence.holds(self.names[int(letter)], *of_main)
            found.append(WordLatents(latents, activations, cosine, along, is_main, silenced))
        return found

    @cached_property
    def main_off(self) -> Bool[np.ndarray, " right"]:
        """Whether every main latent is off, or so weak that it counts as silent (``silence``)."""
        return np.array([not word.main_on for word in self.active_latents], dtype=bool)

    def frame(self) -> pd.DataFrame:
        """One row a judged word: ``word`` (row number), ``letter``, ``candidate`` (all main latents silent)."""
        letters = [self.names[i] for i in self.letters[self.words].tolist()]
        return pd.DataFrame({"word": self.words.numpy(), "letter": letters, "candidate": self.main_off})

    def chosen(self, max_candidates: int, seed: int) -> Bool[np.ndarray, " right"]:
        """Which candidates are ablated: at most ``max_candidates`` a letter, at random.

        Every word draws one number from the seed, and the smallest are taken: another choice of main latents,
        or a larger cap, keeps as many of the same words as it can.
        """
        draw = np.random.default_rng(seed).random(len(self.letters))[self.words.numpy()]
        frame = self.frame().assign(draw=np.where(self.main_off, draw, np.inf))
        rank = frame.groupby("letter")["draw"].rank(method="first")
        return self.main_off & (rank.to_numpy() <= max_candidates)


def probed_right(
    predicted: Bool[Tensor, "word letter"], letters: Int[Tensor, " word"], test: Int[Tensor, " test"]
) -> Int[Tensor, " right"]:
    """Test words on which the probe of the word's own letter fires: the denominator of every rate."""
    right = predicted.gather(1, letters[:, None])[:, 0]
    return test[right[test]]


def letters_probed_well(f1: Mapping[str, float], min_probe_f1: float) -> list[str]:
    """Letters whose LR probe reaches the F1 asked for; rates are taken over these."""
    return [letter for letter, value in f1.items() if value > min_probe_f1]

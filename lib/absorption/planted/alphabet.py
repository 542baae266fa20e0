"""A planted alphabet: words of 26 letters whose residual stream is a known sum of features.

What the language-model chapters cannot know is given here: which features a word has, which latents an SAE has for
them, and which of them were made to absorb the letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.spelling.vocab import LETTERS

N_BACKGROUND = 30
"""Features that have nothing to do with letters."""
P_BACKGROUND = 0.15
P_TOPIC, P_TOPIC_ELSEWHERE = 0.7, 0.02
"""Each letter has a topic that its words often, and other words rarely, are about: correlated, no hierarchy."""
FAINT = 0.4
"""Activation of the letter feature in a faint word; 1 on average in the others."""
MAGNITUDE_SD = 0.1
"""Standard deviation of the letter feature's activation."""


@dataclass(frozen=True)
class Alphabet:
    """Words and their features; every letter has the same make-up.

    Features in order: the 26 letters; each letter's families (a family is a feature of a few words of one letter, as
    *act, acting, acts*); each letter's topic; upper and lower case; background.

    Raises:
        ValueError: more words in families than there are, or more features than dimensions.
    """

    n_words: int = 200
    """Words of each letter."""
    families: tuple[int, ...] = (6, 6, 6, 6)
    """Words of each family of a letter; the other words have no family."""
    strength: float = 2.0
    """Activation of a family's feature; the letter's is 1."""
    upper_share: float = 0.5
    """Share of the words without a family that are in upper case (families are mixed)."""
    faint_share: float = 0.0
    """Share of the words in which the letter is faint."""
    d_model: int = 256
    """Dimensions; features are random unit vectors, so fewer dimensions mean more overlap."""
    seed: int = 0

    def __post_init__(self) -> None:
        if sum(self.families) > self.n_words or self.n_features > self.d_model:
            raise ValueError(
                f"alphabet of {self.n_words} words a letter, families of {self.families} words, "
                f"{self.n_features} features in {self.d_model} dimensions; allowed: families that fit in, "
                "and at most as many features as dimensions."
            )

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.case(False) + 1 + N_BACKGROUND

    def letter(self, letter: int) -> int:
        """Index of a letter's feature."""
        return letter

    def family_feature(self, letter: int, number: int) -> int:
        """Index of a family's feature."""
        return len(LETTERS) + letter * len(self.families) + number

    def topic(self, letter: int) -> int:
        """Index of a letter's topic."""
        return len(LETTERS) * (1 + len(self.families)) + letter

    def case(self, upper: bool) -> int:
        """Index of a case."""
        return len(LETTERS) * (2 + len(self.families)) + (0 if upper else 1)

    def background(self, number: int) -> int:
        """Index of a background feature."""
        return self.case(False) + 1 + number

    @cached_property
    def words(self) -> pd.DataFrame:
        """``word, letter, family`` (-1: none), ``upper, faint``, one row a word."""
        of_family = [number for number, size in enumerate(self.families) for _ in range(size)]
        family = np.array([*of_family, *[-1] * (self.n_words - len(of_family))])
        plain = family < 0
        upper = np.arange(self.n_words) % 2 == 0
        upper[plain] = np.arange(plain.sum()) < round(self.upper_share * plain.sum())
        tables = []
        for number, letter in enumerate(LETTERS):
            draw = np.random.default_rng([self.seed, number]).random(self.n_words)
            faint = draw.argsort().argsort() < round(self.faint_share * self.n_words)
            names = [f"{letter}{i}" for i in range(self.n_words)]
            tables.append(
                pd.DataFrame(
                    {"word": names, "letter": letter, "family": family, "upper": upper, "faint": faint}
                )
            )
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def features(self) -> Float[Tensor, "word feature"]:
        """Activation of every feature in every word."""
        words, random = self.words, np.random.default_rng([self.seed, 100])
        rows, letters = np.arange(len(words)), words.index.to_numpy() // self.n_words
        family = words["family"].to_numpy()
        acts = np.zeros((len(words), self.n_features), dtype=np.float32)
        size = np.where(words["faint"], FAINT, random.normal(1, MAGNITUDE_SD, len(words)))
        acts[rows, letters] = size
        own = family >= 0
        pairs = zip(letters[own].tolist(), family[own].tolist(), strict=True)
        acts[rows[own], [self.family_feature(*pair) for pair in pairs]] = self.strength
        acts[rows, [self.case(bool(upper)) for upper in words["upper"]]] = 1
        mine = np.arange(len(LETTERS)) == letters[:, None]
        chance = np.where(mine, P_TOPIC, P_TOPIC_ELSEWHERE)
        acts[:, self.topic(0) : self.topic(0) + len(LETTERS)] = random.random(chance.shape) < chance
        acts[:, self.background(0) :] = random.random((len(words), N_BACKGROUND)) < P_BACKGROUND
        return torch.from_numpy(acts)

    @cached_property
    def directions(self) -> Float[Tensor, "feature d_model"]:
        """Unit feature directions: random, so two of them have a cosine of about ``1 / sqrt(d_model)``."""
        random = torch.Generator().manual_seed(self.seed)
        return torch.nn.functional.normalize(
            torch.randn(self.n_features, self.d_model, generator=random), dim=1
        )

    @cached_property
    def readers(self) -> Float[Tensor, "feature d_model"]:
        """What reads each feature off a word without a trace of the others: the dual of the directions."""
        return torch.linalg.pinv(self.directions.double()).T.float().contiguous()

    @cached_property
    def acts(self) -> Float[Tensor, "word d_model"]:
        """Residual stream of every word."""
        return self.features @ self.directions

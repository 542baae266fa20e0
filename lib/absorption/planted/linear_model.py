"""A model whose answer is linear in the word's residual stream.

It lets the code that ablates latents of a language model run on planted words unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.planted.alphabet import Alphabet
from absorption.saes.loaded import LoadedSae
from absorption.spelling.answers import answer_metric
from absorption.spelling.vocab import LETTERS

GAIN = 6.0
"""Metric of a word whose letter feature is 1. The paper's clearest absorber moves the metric by more than 6 (section
5.2): with this gain a lead of 1 means here what it means there."""


@dataclass(frozen=True)
class Questions:
    """What is asked of each word: its letter."""

    letters: Int[Tensor, " word"]
    names: tuple[str, ...] = LETTERS


class LinearModel:
    """An ``ablation.RemovalEngine``: logit of a letter = ``GAIN`` times its feature in the residual stream."""

    def __init__(self, alphabet: Alphabet, sae: LoadedSae) -> None:
        """Nothing is run.

        Args:
            alphabet: words, and the directions that the model reads.
            sae: whose latents are removed.
        """
        self.alphabet, self.sae = alphabet, sae
        self.prompts = Questions(torch.arange(len(alphabet.words)) // alphabet.n_words)

    def states(self, words: Int[Tensor, " word"]) -> Float[Tensor, "word d_model"]:
        """Residual stream of each word."""
        return self.alphabet.acts[words]

    def logits(
        self, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, "row letter"]:
        """Answer logits of each word with its residual stream replaced."""
        return GAIN * states @ self.alphabet.readers[: len(LETTERS)].T

    def metrics(
        self, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, " row"]:
        """The paper's metric after replacing each word's residual stream."""
        return answer_metric(self.logits(words, states), self.prompts.letters[words])

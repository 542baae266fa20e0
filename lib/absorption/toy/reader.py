"""A model whose answer is linear in the word's residual stream, as an ablation engine.

It lets the code that ablates latents of a language model run on planted words unchanged.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.ablation import AblationEngine
from absorption.prompts import SpellingPrompts
from absorption.saes import LoadedSae
from absorption.toy.alphabet import Alphabet
from absorption.vocab import LETTERS

GAIN = 6.0
"""Metric of a word whose letter feature is 1. The paper's clearest absorber moves the metric by more than 6 (section
5.2): with this gain a lead of 1 means here what it means there."""


class LinearReader(AblationEngine):
    """Answers after any change of a word's residual stream: logit of a letter = ``GAIN`` times its feature."""

    def __init__(self, alphabet: Alphabet, sae: LoadedSae) -> None:
        """Nothing is run, so nothing of the engine's own start is needed.

        Args:
            alphabet: words, and the directions that the model reads.
            sae: whose latents are removed.
        """
        self.alphabet, self.sae = alphabet, sae
        n = len(alphabet.words)
        # What the table of effects asks of the prompts: a row and a letter for each word.
        rows = SimpleNamespace(word_ids=torch.arange(n), letters=torch.arange(n) // alphabet.n_words)
        self.prompts = cast(SpellingPrompts, rows)

    def states(self, words: Int[Tensor, " word"]) -> Float[Tensor, "word d_model"]:
        """Residual stream of each word."""
        return self.alphabet.acts[words]

    def logits(
        self, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, "row letter"]:
        """Answer logits of each word with its residual stream replaced."""
        return GAIN * states @ self.alphabet.readers[: len(LETTERS)].T

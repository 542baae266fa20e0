"""A model whose answer is linear in the word's residual stream, with the ablation engine's face.

It lets the code that ablates latents of a language model run on planted words unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.ablation import AblationEngine
from absorption.saes import LoadedSae
from absorption.toy.alphabet import Alphabet
from absorption.vocab import LETTERS

GAIN = 6.0
"""Metric of a word whose letter feature is 1. The paper's clearest absorber moves the metric by more than 6 (section
5.2): with this gain a lead of 1 means here what it means there."""


@dataclass(frozen=True)
class LinearReader:
    """Answers after any change of a word's residual stream: logit of a letter = ``GAIN`` times its feature."""

    alphabet: Alphabet
    sae: LoadedSae

    @property
    def prompts(self) -> SimpleNamespace:
        """What the effects' table needs of the prompts: a row and a letter for each word."""
        n = len(self.alphabet.words)
        return SimpleNamespace(word_ids=torch.arange(n), letters=torch.arange(n) // self.alphabet.n_words)

    def states(self, words: Int[Tensor, " word"]) -> Float[Tensor, "word d_model"]:
        """Residual stream of each word."""
        return self.alphabet.acts[words]

    def metrics(
        self, words: Int[Tensor, " word"], states: Float[Tensor, "word d_model"]
    ) -> Float[Tensor, " word"]:
        """Logit of the right letter minus the mean logit of the others (paper, section 4.2)."""
        logits = GAIN * states @ self.alphabet.readers[: len(LETTERS)].T
        right = logits.gather(1, self.prompts.letters[words][:, None])[:, 0]
        return right - (logits.sum(dim=1) - right) / (len(LETTERS) - 1)

    def engine(self) -> AblationEngine:
        """Itself, where an engine is asked for: removing latents uses ``sae``, ``prompts``, ``states``, ``metrics``."""
        return cast(AblationEngine, self)

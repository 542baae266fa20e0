"""Two latents over one prompt: where the letter's main latent fires, and where the absorbing one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor

from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.roles import case_latents, letter_cosines
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.latents.cosines import decoder_cosines
from absorption.one_sae.study import Study
from absorption.spelling.prompts import SEPARATOR, encode

N_WORDS = 15


@dataclass(frozen=True)
class TwoLatents(Findings):
    """The main and the absorbing latent of the clearest absorbed word; all empty if none was absorbed."""

    pair: Mapping[str, int]
    """Latent by role."""
    in_prompt: pd.DataFrame
    """As ``prompt_activations`` gives it."""
    cosines: pd.DataFrame
    """As ``latents.decoder_cosines`` gives it."""
    all_cosines: pd.DataFrame
    """As ``letter_cosines`` gives it."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Activations and cosines, if there is a pair."""
        if not self.pair:
            return {}
        return {
            "case-prompt": self.in_prompt,
            "case-cosines": self.cosines,
            "letter-cosines": self.all_cosines,
        }


def two_latents(basis: Basis, absorbed: pd.DataFrame, settings: AbsorptionSettings) -> TwoLatents:
    """The two latents over one prompt and against the letters' probes.

    Args:
        basis: the chapter's own SAE on its words.
        absorbed: from ``definitions.absorbed_words``.
        settings: the chapter's.
    """
    pair = case_latents(absorbed)
    if not pair:
        return TwoLatents({}, pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    mine, word, letter = basis.mine, int(absorbed["word"].iloc[0]), str(absorbed["letter"].iloc[0])
    return TwoLatents(
        pair,
        prompt_activations(mine, letter_words(mine, word, seed=settings.seed), pair),
        decoder_cosines(mine.sae, mine.words.probed.probes.directions, pair),
        letter_cosines(mine, basis.evidence.main, absorbed, letter),
    )


def letter_words(study: Study, word: int, n_words: int = N_WORDS, seed: int = 0) -> Int[Tensor, " word"]:
    """The word in the middle of others of its letter with a leading space like its own, drawn with the seed.

    Args:
        study: the SAE on its words.
        word: row number of the word.
        n_words: words in all, fewer if the letter has not as many.
        seed: of the others.
    """
    table = study.words.table
    space = table["word"].str.startswith(" ")
    alike = (table["letter"] == table["letter"].iloc[word]) & (space == space.iloc[word])
    others = np.setdiff1d(np.flatnonzero(alike.to_numpy()), [word])
    drawn = np.random.default_rng(seed).permutation(others)[: n_words - 1]
    half = len(drawn) // 2
    return torch.tensor([*drawn[:half], word, *drawn[half:]])


def prompt_activations(study: Study, words: Int[Tensor, " word"], latents: Mapping[str, int]) -> pd.DataFrame:
    """Activations of a few latents on words that stand in one prompt, one example after the other (Figure 6a).

    The prompt is ``{word} has the first letter: {Capital}`` once a word, so all words but the first have
    in-context examples before them.

    Args:
        study: the SAE on its words.
        words: row numbers, in the order of the prompt.
        latents: latent by role.

    Returns:
        ``place`` (1, 2, ... in the prompt), ``word, role, latent, activation``.
    """
    prompts, model = study.words.prompts, study.words.model
    separator = encode(model, SEPARATOR)
    parts, places = [torch.tensor([model.bos_token_id])], []
    for row in words.tolist():
        places.append(sum(map(len, parts)))
        answer = prompts.answer_ids[prompts.letters[row]][None]
        parts += [prompts.word_ids[row][None], prompts.suffix, answer, separator]
    stream = model.residual_stream(torch.cat(parts)[None], study.sae.hook_name)[0, places]
    acts = study.sae.encode(stream)[:, list(latents.values())]
    names = study.words.table["word"].iloc[words.numpy()]
    return pd.DataFrame(
        [
            (place, name, role, latent, float(value))
            for place, (name, row) in enumerate(zip(names, acts, strict=True), start=1)
            for (role, latent), value in zip(latents.items(), row, strict=True)
        ],
        columns=["place", "word", "role", "latent", "activation"],
    )

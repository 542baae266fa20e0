"""Which latents of a run are main and which absorbing: the pair of one word, and all of a letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor

from absorption.latents.cosines import all_cosines
from absorption.one_sae.study import Study
from absorption.spelling.vocab import LETTERS

MAIN, ABSORBING = "main", "absorbing"


def case_latents(found: pd.DataFrame) -> dict[str, int]:
    """Main and absorbing latent of the first absorbed word; empty if there is none.

    Args:
        found: from ``definitions.absorbed_words``.
    """
    if found.empty or not found["main_latent"].iloc[0] >= 0:  # also where it is missing
        return {}
    return {MAIN: int(found["main_latent"].iloc[0]), ABSORBING: int(found["latent"].iloc[0])}


def letter_roles(main: Sequence[int], found: pd.DataFrame, letter: str) -> dict[int, str]:
    """Role of each latent that is main for a letter or absorbs one of its words; a main latent stays main.

    Args:
        main: the letter's main latents.
        found: from ``definitions.absorbed_words``.
        letter: which letter.
    """
    absorbing = found.loc[found["letter"] == letter, "latent"]
    return {int(latent): ABSORBING for latent in absorbing} | {int(latent): MAIN for latent in main}


def role_latents(main: Mapping[str, Sequence[int]], found: pd.DataFrame) -> list[int]:
    """All latents that are main for a letter or absorb a word; arguments as in ``letter_roles``."""
    mains = {int(latent) for latents in main.values() for latent in latents}
    return sorted(mains | {int(latent) for latent in found["latent"]})


def letter_cosines(
    study: Study, main: Mapping[str, Sequence[int]], found: pd.DataFrame, letter: str
) -> pd.DataFrame:
    """All latents' cosines with a letter's probe, main and absorbing ones marked (paper, Figure 6b).

    Args:
        study: the SAE on its words.
        main: main latents by letter.
        found: from ``definitions.absorbed_words``.
        letter: which letter.

    Returns:
        As ``latents.all_cosines``.
    """
    direction = study.words.probed.probes.directions[LETTERS.index(letter)]
    return all_cosines(study.sae, direction, letter_roles(main.get(letter, ()), found, letter))


def words_of(found: pd.DataFrame, n_words: int) -> Int[Tensor, " word"]:
    """Row numbers of the first absorbed words, at most ``n_words``."""
    return torch.tensor(found["word"].iloc[:n_words].astype(int).tolist(), dtype=torch.long)

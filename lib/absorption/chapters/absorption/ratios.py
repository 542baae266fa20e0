"""How far all absorbed words are like the paper's case: absorbing latents against main ones, and against the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate, mean_interval, ratio_table

PUBLISHED_NEXT = 1 / 12
"""On ``_short`` the absorber moved the metric by more than 6 and every other latent by less than .5."""


def case_ratios(found: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Absorbing latents against main latents: ratios of their means over the absorbed words.

    Args:
        found: from ``absorbed_words``.
        seed: of the bootstrap over words.

    Returns:
        ``quantity`` (``cosine``, ``activation``, ``projection``), ``share, low, high, words``.
    """
    whole = found.dropna(subset=["main_projection"]).assign(all="")
    names = ("cosine", "activation", "projection")
    tables = [ratio_table(whole, name, f"main_{name}", ["all"], seed=seed) for name in names]
    columns = ["quantity", "share", "low", "high", "words"]
    if whole.empty:
        return pd.DataFrame([(name, np.nan, np.nan, np.nan, 0) for name in names], columns=columns)
    return pd.concat(tables, ignore_index=True).assign(quantity=names)[columns]


def with_next(found: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """The absorbed words with ``next_share``: the largest effect of any other latent, over the absorber's.

    Both by size, whatever their sign: on ``_short`` every other latent moved the metric by less than .5, against
    more than 6. 0 where the word has no other latent.

    Args:
        found: from ``absorbed_words``.
        effects: all effects of these words, from ``ablation.all_effects``.
    """
    if found.empty:
        return found.assign(next_share=np.zeros(0))
    mine = found[["word", "latent"]].merge(effects[["word", "latent", "effect"]], on="word")
    other = mine[mine["latent_x"] != mine["latent_y"]]
    largest = other["effect"].abs().groupby(other["word"]).max()
    sizes = found["effect"].abs().to_numpy()
    return found.assign(next_share=largest.reindex(found["word"]).fillna(0).to_numpy() / sizes)


def others_share(found: pd.DataFrame, *, seed: int = 0) -> Estimate:
    """Share of the absorbed words on which every other latent does less than a twelfth of what the absorber
    does.

    Args:
        found: from ``with_next``.
        seed: of the bootstrap over words.
    """
    return mean_interval((found["next_share"] < PUBLISHED_NEXT).to_numpy(), seed=seed)

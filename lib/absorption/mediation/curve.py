"""How the answer goes as latents are removed one after the other, in several orders."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from absorption.ablation.effects import set_effects
from absorption.ablation.engine import AblationEngine
from absorption.ablation.word_latent_pairs import WordLatentPairs
from absorption.base.statistics import ratio_table
from absorption.definitions.evidence import Evidence

BY_EFFECT, BY_PROJECTION, BY_SIZE, AT_RANDOM = "exact effect", "probe projection", "size", "random"
ORDERS = (BY_EFFECT, BY_PROJECTION, BY_SIZE, AT_RANDOM)
COUNTS = (1, 2, 3, 5, 8, 13, 21, 34)


def removal_curve(
    engine: AblationEngine,
    evidence: Evidence,
    effects: pd.DataFrame,
    *,
    counts: tuple[int, ...] = COUNTS,
    orders: tuple[str, ...] = ORDERS,
    seed: int = 0,
) -> pd.DataFrame:
    """Effect of removing the first n latents of each word together.

    Args:
        engine: the ablation engine.
        evidence: for the probe directions.
        effects: all effects of the words to use, as ``ablation.all_effects`` gives them.
        counts: numbers of latents removed; a word with fewer loses all it has.
        orders: ``exact effect`` (most harmful removal first), ``probe projection``, ``size`` of the
            contribution, ``random``.
        seed: of the random order.

    Returns:
        ``word, letter, order, n_latents, effect, whole``: ``whole`` is the word's effect of removing all of
        them.
    """
    ordered = effects.sort_values(["word", "latent"], ignore_index=True)
    rows = WordLatentPairs(
        torch.from_numpy(ordered["word"].to_numpy(copy=True)),
        torch.from_numpy(ordered["latent"].to_numpy(copy=True)),
        torch.from_numpy(ordered["activation"].to_numpy(copy=True)).float(),
    )
    words, group = torch.unique(rows.words, return_inverse=True)
    whole = set_effects(engine, rows, group, words).numpy()
    letters = [evidence.names[i] for i in evidence.letters[words].tolist()]
    tables = []
    for order in orders:
        rank = _rank(order, engine, evidence, rows, ordered["effect"].to_numpy(), seed)
        for n in counts:
            some = torch.from_numpy(rank <= n)
            effect = set_effects(engine, rows[some], group[some], words).numpy()
            about = {"word": words.numpy(), "letter": letters, "order": order, "n_latents": n}
            tables.append(pd.DataFrame(about | {"effect": effect, "whole": whole}))
    return pd.concat(tables, ignore_index=True)


def curve_shares(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Mean effect over the mean effect of removing all: ``order, n_latents, share, low, high, words``."""
    return ratio_table(table, "effect", "whole", ["order", "n_latents"], seed=seed)


def _rank(
    order: str,
    engine: AblationEngine,
    evidence: Evidence,
    rows: WordLatentPairs,
    effects: np.ndarray,
    seed: int,
) -> Float[np.ndarray, " row"]:
    """Place of each row within its word, from 1."""
    contributions = rows.contributions(engine.sae)
    directions = evidence.directions[evidence.letters[rows.words]].float()
    keys = {
        BY_EFFECT: effects,
        BY_PROJECTION: -(contributions * directions).sum(dim=1).numpy(),
        BY_SIZE: -contributions.norm(dim=1).numpy(),
        AT_RANDOM: np.random.default_rng(seed).random(len(rows)),
    }
    if order not in keys:
        raise ValueError(f"order {order!r} is unknown; allowed: {', '.join(ORDERS)}.")
    return pd.Series(keys[order]).groupby(rows.words.numpy()).rank(method="first").to_numpy()

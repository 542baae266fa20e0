"""Exact ablation of a meta-latent's part of a decoder row, on the words where the latent is on.

A latent writes its activation times its decoder row. A meta-SAE says that the row is a sum: its bias, weights times
meta-latents, and what is left over. Each part is taken off the residual stream alone, and the answer asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.ablation.effects import shift_effects
from absorption.ablation.engine import StateEngine
from absorption.base.statistics import interval, resample_counts
from absorption.composition.judges import Judge
from absorption.composition.variance import N_RESAMPLES
from absorption.probes.l1 import to_scipy

LETTER, OTHER, BIAS, LEFT = KINDS = ("the letter's meta-latents", "other meta-latents", "bias", "left over")
WHOLE = "whole"
COLUMNS = ["group", "letter", "latent", "word", "part", "meta", "effect"]


@dataclass(frozen=True)
class Decoder:
    """Unit decoder rows of an SAE with their norms, and what it is on for."""

    rows: Float[Tensor, "latent d_model"]
    norms: Float[Tensor, " latent"]
    csr: Tensor
    """``word latent``."""


def few_words(
    asked: pd.DataFrame, groups: Sequence[str], *, n_latents: int, n_words: int, seed: int
) -> pd.DataFrame:
    """At most ``n_latents`` of each group, drawn with the seed among those with words, and their first words."""
    parts = []
    for group in groups:
        mine = asked[(asked["group"] == group) & (asked["words"].map(len) > 0)]
        order = np.sort(np.random.default_rng(seed).permutation(len(mine))[:n_latents])
        parts.append(mine.iloc[order])
    found = pd.concat(parts, ignore_index=True)
    return found.assign(words=found["words"].map(lambda words: words[:n_words]))


def part_effects(
    engine: StateEngine, decoder: Decoder, judge: Judge, asked: pd.DataFrame, names: Sequence[str]
) -> pd.DataFrame:
    """Effect of removing each part of each asked latent from each of its words.

    Args:
        engine: the ablation engine, at the SAE's place.
        decoder: the SAE's.
        judge: of the meta-SAE, which says whose the meta-latents are (by direction).
        asked: ``group, letter, latent, words``.
        names: the letters.

    Returns:
        Columns as in ``COLUMNS``: ``part`` is ``whole`` or one of ``KINDS``, ``meta`` the meta-latent or -1.
    """
    about, vectors, words = [], [], []
    acts = to_scipy(decoder.csr)
    for row in asked.to_dict("records"):
        parts = _parts(decoder, judge, int(row["latent"]), list(names).index(row["letter"]))
        for word in row["words"]:
            size = float(acts[word, row["latent"]])
            for part, meta, vector in parts:
                about.append((row["group"], row["letter"], row["latent"], word, part, meta))
                vectors.append(size * vector)
                words.append(word)
    if not about:
        return pd.DataFrame(columns=COLUMNS)
    effects = shift_effects(engine, torch.tensor(words), torch.stack(vectors))
    return pd.DataFrame(about, columns=COLUMNS[:-1]).assign(effect=effects.double().numpy())


def _parts(decoder: Decoder, judge: Judge, latent: int, letter: int) -> list[tuple[str, int, Tensor]]:
    """Parts of a decoder row: name, meta-latent, and what it writes for an activation of 1."""
    meta, norm = judge.meta, decoder.norms[latent]
    metas, weights = meta.of_row(latent)
    pieces = torch.from_numpy(weights)[:, None] * meta.decoder[torch.from_numpy(metas).long()] * norm
    kinds = [LETTER if judge.direction[j] == letter else OTHER for j in metas]
    whole, bias = decoder.rows[latent] * norm, meta.bias * norm
    found = [(kind, int(j), piece) for kind, j, piece in zip(kinds, metas, pieces, strict=True)]
    return [(WHOLE, -1, whole), *found, (BIAS, -1, bias), (LEFT, -1, whole - bias - pieces.sum(0))]


def by_ablation(effects: pd.DataFrame, lead: float, least: float = 0.5) -> pd.DataFrame:
    """Whether one meta-latent's part has at least half of a latent's effect; only latents that matter are judged.

    Args:
        effects: from ``part_effects``.
        lead: a latent matters if its removal costs at least that, in logits, in the mean over its words.
        least: share of the effect, sums over the words.

    Returns:
        ``group, letter, latent, effect`` (mean, of the whole), ``largest`` (share of one meta-latent's part),
        ``holds``.
    """
    keys = ["group", "letter", "latent"]
    whole = effects[effects["part"] == WHOLE].groupby(keys)["effect"].mean()
    whole = whole[whole <= -lead]
    metas = effects[effects["meta"] >= 0].groupby([*keys, "meta"])["effect"].mean()
    lowest = metas.groupby(level=keys).min().reindex(whole.index)
    table = pd.DataFrame({"effect": whole, "largest": (lowest / whole).fillna(0.0)}).reset_index()
    return table.assign(holds=table["largest"] >= least)


def share_of_parts(effects: pd.DataFrame, lead: float, *, seed: int = 0) -> pd.DataFrame:
    """Each part's effect over that of the whole row, over latents that matter: ``group, part, value, low, high``.

    Sums over latents of the mean over a latent's words, with intervals over latents. The shares need not sum to 1:
    the answer is no linear function of the residual stream.
    """
    keys = ["group", "letter", "latent"]
    sums = (
        effects.groupby([*keys, "word", "part"])["effect"]
        .sum()
        .groupby([*keys, "part"])
        .mean()
        .unstack("part")
    )
    sums = sums.reindex(columns=[WHOLE, *KINDS]).fillna(0.0)
    sums = sums[sums[WHOLE] <= -lead]
    rows = []
    for group, mine in sums.groupby(level="group", sort=False):
        counts = resample_counts(len(mine), n_resamples=N_RESAMPLES, seed=seed)
        for part in KINDS:
            top, bottom = mine[part].to_numpy(), mine[WHOLE].to_numpy()
            low, high = interval((counts @ top) / (counts @ bottom))
            rows.append((group, part, float(top.sum() / bottom.sum()), float(low), float(high)))
    return pd.DataFrame(rows, columns=["group", "part", "value", "low", "high"])

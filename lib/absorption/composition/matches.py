"""Do meta-latents resemble the latents of a smaller SAE, and more than directions without structure do?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.base.statistics import resample_counts
from absorption.composition.variance import N_RESAMPLES, SEEDS_OF_DRAWS, estimate_of
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import SHIPPED, shipped_card, shipped_ids

ALIKE = ("architecture", "k", "hook_name", "model_weights_hash", "data")
"""What the card of a smaller SAE of the series shares with the SAE's."""
Drawn = Float[np.ndarray, " resample"]


def smaller_saes(sae: LoadedSae, model: LanguageModel) -> list[LoadedSae]:
    """The shipped SAEs that differ from a shipped one in having fewer latents, one a width; none for other SAEs."""
    found: dict[int, str] = {}
    if sae.card:
        for sae_id in shipped_ids():
            card = shipped_card(sae_id)
            alike = all(card[name] == sae.card[name] for name in ALIKE)
            if alike and card["d_sae"] < sae.d_sae:
                found.setdefault(card["d_sae"], sae_id)
    return [load_sae(SHIPPED, found[width], model) for width in sorted(found)]


def nearest(
    directions: Float[Tensor, "row d_model"], others: Float[Tensor, "other d_model"]
) -> Float[np.ndarray, " row"]:
    """Each unit direction's largest cosine with others."""
    return (directions @ others.T).max(dim=1).values.double().numpy()


def mean_of_sets(sets: Sequence[Float[np.ndarray, " direction"]], *, seed: int = 0) -> Drawn:
    """Mean over sets (training seeds) of each one's mean: first as it is, then with sets and members drawn again."""
    drawn = [
        resample_counts(len(one), n_resamples=N_RESAMPLES, seed=seed + number) @ one / len(one)
        for number, one in enumerate(sets)
    ]
    seeds = resample_counts(len(sets), n_resamples=N_RESAMPLES, seed=seed + SEEDS_OF_DRAWS)
    return np.append(np.mean([one.mean() for one in sets]), (seeds * np.stack(drawn, 1)).sum(1) / len(sets))


def match_table(
    found: Mapping[str, Sequence[Float[np.ndarray, " direction"]]], base: str, *, seed: int = 0
) -> pd.DataFrame:
    """Mean largest cosine of each kind of direction: ``kind, value, low, high``, and ``above, above_low, above_high``,
    what ``base`` (a kind) has less; its own are NaN."""
    drawn = {
        kind: mean_of_sets(sets, seed=seed + 100 * place) for place, (kind, sets) in enumerate(found.items())
    }
    rows = []
    for kind, values in drawn.items():
        own = estimate_of(values)
        above = estimate_of(values - drawn[base])
        more = (np.nan,) * 3 if kind == base else (above.value, above.low, above.high)
        rows.append((kind, own.value, own.low, own.high, *more))
    return pd.DataFrame(rows, columns=["kind", "value", "low", "high", "above", "above_low", "above_high"])


def share_of_cosines(sets: Sequence[np.ndarray], n_points: int = 31) -> pd.DataFrame:
    """``cosine, share``: the share of directions whose largest cosine is at least that, mean over sets."""
    grid = np.linspace(0, 1, n_points)
    shares = np.mean([(np.sort(one)[None] >= grid[:, None]).mean(1) for one in sets], axis=0)
    return pd.DataFrame({"cosine": grid, "share": shares})


def some_rows(rows: Float[Tensor, "row d_model"], n: int, *, seed: int = 0) -> Float[Tensor, "n d_model"]:
    """Decoder rows drawn with the seed, none twice."""
    return rows[torch.from_numpy(np.random.default_rng(seed).permutation(len(rows))[:n])]

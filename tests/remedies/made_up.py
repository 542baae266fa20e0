"""Made-up numbers of the arms with planted differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from absorption.remedies import measure, stored
from absorption.remedies.arms import MEMBERS
from absorption.remedies.projections import RANKS
from absorption.training.recipe import REMEDIES_ARMS, find_recipe

N_RESAMPLES = 200
TRUE = {
    "BatchTopK": 0.10, "TopK": 0.11, "JumpReLU": 0.05, "standard": 0.14, "Matryoshka": 0.10,
    "balanced Matryoshka": 0.04, "OrtSAE": 0.035, "C2R": 0.08, "tied": 0.12, "masked": 0.095,
    "OrtSAE on TopK": 0.05, "C2R on TopK": 0.11, "tied TopK": 0.02, "masked on TopK": 0.09,
}  # fmt: skip
"""Full absorption by arm."""


def card(sae: str, l0: float = 12.2) -> dict[str, Any]:
    text = {"l0": l0, "explained_variance": 0.77, "cross_entropy": {"recovered": 0.94}}
    words = {"l0": 25.0, "explained_variance": 0.5}
    return {
        "recipe": find_recipe(sae).to_dict(),
        "model_weights_hash": "the model",
        "measured": {"held_out_text": text, "words_in_spelling_prompts": words, "dead_latents": 3},
    }


def made_up(
    seeds: Sequence[int] = (0, 1, 2, 3),
    *,
    sd: float = 0.004,
    l0: Mapping[str, float] = {},
    arms: Sequence[str] = tuple(TRUE),
    wider: Mapping[str, float] = {},
) -> stored.Remedies:
    """Every arm at the seeds given; a rate's seeds spread by ``sd``, in some arms ``wider`` times as much, resamples
    by .003, and shared by all SAEs."""
    shared = np.random.default_rng(0).normal(0, 0.003, N_RESAMPLES)
    numbers, resamples, stamps = [], [], {}
    for sae, member in MEMBERS.items():
        if member.arm not in arms or member.recipe.seed not in seeds:
            continue
        noise = wider.get(member.arm, 1.0) * sd * np.array([-1.0, 1.0, -0.5, 0.5])[member.recipe.seed]
        full = TRUE[member.arm] + noise
        values = {measure.FULL: full, measure.RELATIVE_LEAD: full / 3, measure.PUBLISHED_LEAD: full / 4}
        values |= {measure.FULL_UNGATED: full, measure.FIT: 0.0, measure.LETTERS_COUNTED: 26.0}
        values |= {name: 0.5 + (member.arm == "Matryoshka") * -0.1 for name in measure.F1S}
        values |= {measure.CANDIDATES: 0.2, measure.ABSORBED: full / 0.2}
        values |= {measure.projection(n): 1 / n for n in RANKS}
        sampled = {name: values[name] + shared for name in measure.SAMPLED}
        for name, value in values.items():
            rate = name in measure.RATES
            null = {"null": 0.014, "null_low": 0.001, "null_high": 0.034, "p": 0.001} if rate else {}
            ends = np.quantile(sampled[name], [0.025, 0.975]) if name in sampled else (np.nan, np.nan)
            row = {"sae": sae, "quantity": name, "value": value, "low": ends[0], "high": ends[1]}
            numbers.append(row | null)
        resamples.append(pd.DataFrame(sampled).astype(np.float32).assign(sae=sae))
        stamps[sae] = {"weights_hash": f"weights of {sae}", "card": card(sae, l0.get(sae, 12.2))}
    subject = stored.subject_of("smollm2-135m-instruct", "the model", "hook", "text", measure.Asked())
    return stored.Remedies(
        pd.DataFrame(numbers).reindex(columns=measure.COLUMNS),
        pd.concat(resamples, ignore_index=True)[["sae", *measure.SAMPLED]],
        subject,
        stamps,
    )


def first_of(arm: str, seed: int = 0) -> str:
    """Name of an arm's SAE."""
    assert arm in REMEDIES_ARMS
    return next(sae for sae, one in MEMBERS.items() if one.arm == arm and one.recipe.seed == seed)

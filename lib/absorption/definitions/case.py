"""The absorbed words of a run, each with the effect of its absorber, and with the letter taken out of it.

Paper, section 5.2 and appendix A.11: on ``_short`` the "starts with S" latent is silent, a "short" latent
carries the letter, ablating it costs the answer, ablating any other costs little, and ablating it without its
letter costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from absorption.ablation.effects import removal_effects
from absorption.ablation.engine import AblationEngine
from absorption.definitions.control import absorber_pairs
from absorption.definitions.evidence import Evidence
from absorption.definitions.rules import ABLATION

CONTROL_COLUMNS = [
    "word", "letter", "latent", "cosine", "activation", "projection", "effect", "control_effect", "lead",
    "main_latent", "main_cosine", "main_activation", "main_projection",
]  # fmt: skip
"""One row an absorbed word. ``projection``: what the absorbing latent adds along the probe direction.
``control_effect``: of removing it without its part along the probe's pattern. ``main_*``: the letter's first
main latent, its decoder cosine, and its mean activation and projection on the letter's words where it is on."""


def absorbed_words(
    engine: AblationEngine, evidence: Evidence, table: pd.DataFrame, definition: str = ABLATION
) -> pd.DataFrame:
    """The absorbed words with their absorbing latent, the control, and the main latent to compare with.

    Args:
        engine: the ablation engine.
        evidence: words and latents.
        table: from ``definitions.apply_definitions``.
        definition: whose absorptions to take.

    Returns:
        Columns as in ``CONTROL_COLUMNS``, largest lead first.
    """
    found = table[(table["definition"] == definition) & table["absorbed"]]
    found = found.sort_values("lead", ascending=False, ignore_index=True)
    if found.empty:
        return pd.DataFrame(columns=CONTROL_COLUMNS)
    rows = absorber_pairs(evidence, found)
    states = engine.states(rows.words)
    before = engine.metrics(rows.words, states)
    directions = evidence.directions[evidence.letters[rows.words]].float()
    found["effect"] = removal_effects(engine, rows, before).numpy()
    patterns = evidence.patterns[evidence.letters[rows.words]]
    found["control_effect"] = removal_effects(engine, rows, before, spare=patterns).numpy()
    found["activation"] = rows.activations.numpy()
    found["projection"] = (rows.contributions(engine.sae) * directions).sum(dim=1).numpy()
    mains = {letter: main_level(evidence, letter) for letter in found["letter"].unique()}
    for name in ("latent", "cosine", "activation", "projection"):
        found[f"main_{name}"] = [getattr(mains[letter], name) for letter in found["letter"]]
    return found[CONTROL_COLUMNS]


@dataclass(frozen=True)
class MainLevel:
    """A letter's first main latent where it is on; all NaN (and latent -1) if the letter has none."""

    latent: int
    cosine: float
    activation: float
    projection: float


def main_level(evidence: Evidence, letter: str) -> MainLevel:
    """Mean activation and projection of the first main latent over the judged words of the letter it is on
    for."""
    number = list(evidence.names).index(letter)
    main = list(evidence.main.get(letter, ()))
    if not main:
        return MainLevel(-1, np.nan, np.nan, np.nan)
    levels = [
        (float(word.activations[at]), float(word.projections[at]))
        for word, mine in zip(evidence.active_latents, evidence.letters[evidence.words].tolist(), strict=True)
        if mine == number
        for at in np.flatnonzero(word.latents == main[0])
    ]
    activation, projection = np.mean(levels, axis=0) if levels else (np.nan, np.nan)
    return MainLevel(main[0], float(evidence.cosines[number, main[0]]), float(activation), float(projection))

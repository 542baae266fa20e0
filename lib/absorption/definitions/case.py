"""The case study: the clearest absorbed word of a run, and the control that takes the letter out of its
absorber.

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
from absorption.base.statistics import Estimate, mean_interval, ratio_table
from absorption.definitions.control import absorber_rows
from absorption.definitions.evidence import Subject
from absorption.definitions.rules import ABLATION

PUBLISHED_NEXT = 1 / 12
"""On ``_short`` the absorber moved the metric by more than 6 and every other latent by less than .5."""
CONTROL_COLUMNS = [
    "word", "letter", "latent", "cosine", "activation", "projection", "effect", "control_effect", "lead",
    "main_latent", "main_cosine", "main_activation", "main_projection",
]  # fmt: skip
"""One row an absorbed word. ``projection``: what the absorbing latent adds along the probe direction.
``control_effect``: of removing it without its part along the probe's pattern. ``main_*``: the letter's first
main latent, its decoder cosine, and its mean activation and projection on the letter's words where it is on."""


def absorbed_words(
    engine: AblationEngine, subject: Subject, table: pd.DataFrame, definition: str = ABLATION
) -> pd.DataFrame:
    """The absorbed words with their absorbing latent, the control, and the main latent to compare with.

    Args:
        engine: the ablation engine.
        subject: words and latents.
        table: from ``definitions.judge``.
        definition: whose absorptions to take.

    Returns:
        Columns as in ``CONTROL_COLUMNS``, largest lead first.
    """
    found = table[(table["definition"] == definition) & table["absorbed"]]
    found = found.sort_values("lead", ascending=False, ignore_index=True)
    if found.empty:
        return pd.DataFrame(columns=CONTROL_COLUMNS)
    rows = absorber_rows(subject, found)
    states = engine.states(rows.words)
    before = engine.metrics(rows.words, states)
    directions = subject.directions[subject.letters[rows.words]].float()
    found["effect"] = removal_effects(engine, rows, before).numpy()
    patterns = subject.patterns[subject.letters[rows.words]]
    found["control_effect"] = removal_effects(engine, rows, before, spare=patterns).numpy()
    found["activation"] = rows.activations.numpy()
    found["projection"] = (rows.contributions(engine.sae) * directions).sum(dim=1).numpy()
    mains = {letter: main_level(subject, letter) for letter in found["letter"].unique()}
    for name in ("latent", "cosine", "activation", "projection"):
        found[f"main_{name}"] = [getattr(mains[letter], name) for letter in found["letter"]]
    return found[CONTROL_COLUMNS]


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


@dataclass(frozen=True)
class MainLevel:
    """A letter's first main latent where it is on; all NaN (and latent -1) if the letter has none."""

    latent: int
    cosine: float
    activation: float
    projection: float


def main_level(subject: Subject, letter: str) -> MainLevel:
    """Mean activation and projection of the first main latent over the judged words of the letter it is on
    for."""
    number = list(subject.names).index(letter)
    main = list(subject.main.get(letter, ()))
    if not main:
        return MainLevel(-1, np.nan, np.nan, np.nan)
    levels = [
        (float(word.activations[at]), float(word.projections[at]))
        for word, mine in zip(subject.active_latents, subject.letters[subject.words].tolist(), strict=True)
        if mine == number
        for at in np.flatnonzero(word.latents == main[0])
    ]
    activation, projection = np.mean(levels, axis=0) if levels else (np.nan, np.nan)
    return MainLevel(main[0], float(subject.cosines[number, main[0]]), float(activation), float(projection))

"""The case study: the clearest absorbed word of a run, and the control that takes the letter out of its
absorber.

Paper, section 5.2 and appendix A.11: on ``_short`` the "starts with S" latent is silent, a "short" latent
carries the letter, ablating it costs the answer, and ablating it without its part along the probe direction
costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.ablation import AblationEngine, LatentRows, removal_effects
from absorption.criteria.judge import ABLATION
from absorption.criteria.subject import Subject
from absorption.statistics import Estimate, ratio_table

PROBE_OUT, MEANS_OUT = "the letter's probe direction", "the letter's difference in means"
BOTH_OUT, ALL_OUT = "both", "all letters' probe directions"
CONTROL_COLUMNS = [
    "word", "letter", "latent", "cosine", "activation", "projection", "effect", "control_effect", "lead",
    "main_latent", "main_cosine", "main_activation", "main_projection",
]  # fmt: skip
"""One row an absorbed word. ``projection``: what the absorbing latent adds along the probe direction.
``control_effect``: of removing it without that part. ``main_*``: the letter's first main latent, its decoder
cosine, and its mean activation and projection on the letter's words where it is on."""


def absorbed_words(
    engine: AblationEngine, subject: Subject, table: pd.DataFrame, definition: str = ABLATION
) -> pd.DataFrame:
    """The absorbed words with their absorbing latent, the control, and the main latent to compare with.

    Args:
        engine: the ablation engine.
        subject: words and latents.
        table: from ``criteria.judge``.
        definition: whose absorptions to take.

    Returns:
        Columns as in ``CONTROL_COLUMNS``, largest lead first.
    """
    found = table[(table["definition"] == definition) & table["absorbed"]]
    found = found.sort_values("lead", ascending=False, ignore_index=True)
    if found.empty:
        return pd.DataFrame(columns=CONTROL_COLUMNS)
    rows = _rows(subject, found)
    states = engine.states(rows.words)
    before = engine.metrics(rows.words, states)
    directions = subject.directions[subject.letters[rows.words]].float()
    found["effect"] = removal_effects(engine, rows, before).numpy()
    found["control_effect"] = removal_effects(engine, rows, before, spare=directions).numpy()
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


def control_table(
    engine: AblationEngine, subject: Subject, found: pd.DataFrame, *, seed: int = 0
) -> pd.DataFrame:
    """What is left of the absorbing latents' effects when directions are taken out of their decoder rows.

    The paper takes out the letter's probe direction. If more is left here, the other rows say what it is: the
    difference-in-means direction, or all letters' probe directions together.

    Args:
        engine: the ablation engine.
        subject: words and latents.
        found: from ``absorbed_words``.
        seed: of the bootstrap over words.

    Returns:
        ``taken_out, n_directions, share, low, high, words``.
    """
    columns = ["taken_out", "n_directions", "share", "low", "high", "words"]
    if found.empty:
        return pd.DataFrame(columns=columns)
    rows = _rows(subject, found)
    states = engine.states(rows.words)
    before = engine.metrics(rows.words, states)
    written = rows.contributions(engine.sae)
    letters = subject.letters[rows.words]
    means = subject.mean_directions
    tables = []
    for name, basis in (
        (PROBE_OUT, subject.directions[letters].float()[:, None]),
        (MEANS_OUT, means[letters][:, None]),
        (BOTH_OUT, torch.stack([subject.directions[letters].float(), means[letters]], dim=1)),
        (ALL_OUT, subject.directions.float().expand(len(rows), -1, -1)),
    ):
        left = written - project(written, basis)
        effects = engine.metrics(rows.words, states - left) - before
        table = pd.DataFrame({"left": effects.numpy(), "effect": found["effect"].to_numpy(), "all": ""})
        tables.append(
            ratio_table(table, "left", "effect", ["all"], seed=seed).assign(
                taken_out=name, n_directions=basis.shape[1]
            )
        )
    return pd.concat(tables, ignore_index=True)[columns]


def control_of(table: pd.DataFrame, taken_out: str) -> str:
    """One row of ``control_table`` as text: share and interval."""
    mine = table[table["taken_out"] == taken_out]
    if mine.empty:
        return "not measured"
    return str(Estimate(*(float(mine[name].iloc[0]) for name in ("share", "low", "high"))))


def project(vectors: Float[Tensor, "row d"], basis: Float[Tensor, "row k d"]) -> Float[Tensor, "row d"]:
    """Each vector's part in the span of its own ``k`` directions (which need not be orthogonal)."""
    orthonormal = torch.linalg.qr(basis.transpose(1, 2).double()).Q
    inside = orthonormal @ (orthonormal.transpose(1, 2) @ vectors.double()[:, :, None])
    return inside[:, :, 0].to(vectors.dtype)


def control_share(found: pd.DataFrame, *, seed: int = 0) -> Estimate:
    """Effect that is left when the probe direction is taken out of the absorbing latents, as a share of all.

    Mean over words of the one over the mean of the other (paper, appendix A.11: nothing is left).
    """
    if found.empty:
        return Estimate(np.nan, np.nan, np.nan)
    row = ratio_table(found.assign(all=""), "control_effect", "effect", ["all"], seed=seed).iloc[0]
    return Estimate(float(row["share"]), float(row["low"]), float(row["high"]))


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


def _rows(subject: Subject, found: pd.DataFrame) -> LatentRows:
    """The absorbing latents with their activations."""
    place = {word: number for number, word in enumerate(subject.words.tolist())}
    activations = []
    for word, latent in zip(found["word"], found["latent"], strict=True):
        mine = subject.active_latents[place[int(word)]]
        activations.append(float(mine.activations[mine.latents == latent][0]))
    words = torch.from_numpy(found["word"].to_numpy(copy=True))
    latents = torch.from_numpy(found["latent"].to_numpy(copy=True)).long()
    return LatentRows(words, latents, torch.tensor(activations))

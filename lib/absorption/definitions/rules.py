"""The three definitions of absorption, a clause at a time.

Each rule looks at one word that the LR probe gets right. The first clause that fails gives the reason for
which the word is not absorbed; an empty reason means absorbed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from absorption.ablation.ranking import NOT_ALIGNED, leader
from absorption.definitions.evidence import WordLatents
from absorption.definitions.thresholds import Thresholds

ABLATION, RELATIVE = "ablation", "ablation, relative lead"
FULL_ABSORPTION, FRACTION = "full absorption", "absorption fraction"
DEFINITIONS = (ABLATION, RELATIVE, FULL_ABSORPTION, FRACTION)

MAIN_ON = "a main latent is on"
MAIN_LEADS = "a main latent, though weak, leads"
NOTHING_ON = "no latent is on"
NOT_POSITIVE = "the word does not project on the probe"
SHARE_TOO_SMALL = "too small a share of the projection"
MAIN_CARRIES_ALL = "the main latents carry the whole projection"


@dataclass(frozen=True)
class WordLabel:
    """What one rule says of one word."""

    reason: str
    """Why it is not absorbed; empty if it is."""
    latent: int = -1
    """The absorbing latent, or the one that came closest; -1 for none."""
    cosine: float = np.nan
    """Its decoder cosine with the probe."""
    strength: float = np.nan
    """Ablation: its effect. Full absorption: its share of the word's projection. Fraction: the absorbers'
    share."""
    lead: float = np.nan
    """Ablation: by how much it leads the runner-up (``ablation.ranking``)."""
    value: float = 0.0
    """1 for absorbed and 0 for not; the absorption fraction may lie between."""


def ablation_rule(
    word: WordLatents, effects: Float[np.ndarray, " active"], thresholds: Thresholds, min_lead: float
) -> WordLabel:
    """The paper's metric (section 5.3): one aligned latent without which the answer suffers far more.

    Only negative effects compete for the lead, as in the reference code (``ablation.ranking``), unless
    ``thresholds.ranking`` says otherwise. One difference is left: the reference takes as candidates only words whose
    k-sparse probe also scores at most 0. With all its latents off that score is the probe's intercept, one number a
    letter, so the clause keeps all candidates of a letter or none.

    A main latent that is weakly on and counts as silent competes like any other, but is no absorber.

    Args:
        word: its active latents.
        effects: of removing each of them, negative where the answer suffers.
        thresholds: the definition's thresholds.
        min_lead: least lead in logits (the published one, or one on the model's own scale).
    """
    if word.main_on:
        return WordLabel(MAIN_ON)
    if len(effects) == 0:
        return WordLabel(NOTHING_ON)
    top = leader(effects, thresholds.ranking)
    cosine = float(word.cosines[top.at])
    if word.is_main[top.at]:
        return WordLabel(MAIN_LEADS, int(word.latents[top.at]), cosine, top.effect, top.lead)
    reason = thresholds.ablation_rule(min_lead).why_not(top.effect, cosine, top.lead)
    return WordLabel(
        reason, int(word.latents[top.at]), cosine, top.effect, top.lead, value=0.0 if reason else 1.0
    )


def full_rule(word: WordLatents, total: float, thresholds: Thresholds) -> WordLabel:
    """Full absorption by projection (paper, appendix A.13; SAEBench): one aligned latent carries the letter.

    Projections are activation times decoder row, so that decoders of any norm are judged alike. A main latent that is
    weakly on and counts as silent competes like any other, but is no absorber.

    Args:
        word: its active latents.
        total: projection of the word's own activation on the unit probe direction.
        thresholds: the definition's thresholds.
    """
    if word.main_on:
        return WordLabel(MAIN_ON)
    if len(word.latents) == 0:
        return WordLabel(NOTHING_ON)
    top = int(np.argmax(word.projections))
    about = (int(word.latents[top]), float(word.cosines[top]))
    if word.is_main[top]:
        return WordLabel(MAIN_LEADS, *about)
    if word.cosines[top] < thresholds.min_cosine:
        return WordLabel(NOT_ALIGNED, *about)
    if total <= 0:
        return WordLabel(NOT_POSITIVE, *about)
    share = float(word.projections[top]) / total
    if share < thresholds.min_share:
        return WordLabel(SHARE_TOO_SMALL, *about, share)
    return WordLabel("", *about, share, value=1.0)


def fraction_rule(word: WordLatents, total: float, thresholds: Thresholds) -> WordLabel:
    """Absorption fraction (paper, appendix A.13; SAEBench): how much of the letter others carry for the main.

    The main latents may be on, and several latents may absorb. The value is the absorbers' part of what they
    and the main latents carry together.
    """
    main = float(word.projections[word.is_main].sum())
    others = ~word.is_main & (word.cosines >= thresholds.fraction_cosine) & (word.projections > 0)
    order = np.argsort(-np.where(others, word.projections, -np.inf), kind="stable")
    absorbers = order[: min(thresholds.max_absorbers, int(others.sum()))]
    carried = float(word.projections[absorbers].sum())
    if total <= 0:
        return WordLabel(NOT_POSITIVE)
    if main >= total:
        return WordLabel(MAIN_CARRIES_ALL)
    if carried / total < thresholds.min_share:
        return WordLabel(SHARE_TOO_SMALL, strength=carried / total)
    top = int(absorbers[0])
    about = (int(word.latents[top]), float(word.cosines[top]), carried / total)
    if main <= 0:
        return WordLabel("", *about, value=1.0)
    absorbed = min(carried, total - main)
    return WordLabel("", *about, value=absorbed / (absorbed + main))

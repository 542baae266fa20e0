"""Who leads: against the published calculator, written anew from its definition on whole rows of latents."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from absorption.ablation.ranking import MAGNITUDE, MOST_NEGATIVE, leader, strengths
from absorption.definitions.evidence import WordLatents
from absorption.definitions.rules import ablation_rule
from absorption.definitions.thresholds import Thresholds

N_LATENTS = 24
"""Latents of the random SAE; at most eight of them are on, so that some are always off, as in any real SAE."""


def published_verdict(scores: pd.Series, cosines: pd.Series, min_lead: float, by_size: bool) -> bool:
    """The calculator's verdict on one word: a score for every latent of the SAE, 0 for those that are off.

    Sort, look at the first two, and refuse for a positive first, for too small a difference of sizes, or for a
    cosine below the threshold.
    """
    key = (lambda column: -column.abs()) if by_size else None
    first, second = scores.sort_values(key=key, kind="stable").index[:2]
    positive = scores[first] > 0
    close = abs(scores[first]) - abs(scores[second]) < min_lead
    return not (positive or close or cosines[first] < 0.025)


def random_word(rng: np.random.Generator) -> tuple[pd.Series, pd.Series]:
    """Scores of all latents on a grid of .5, so that equals are common, and cosines about the threshold."""
    scores = np.zeros(N_LATENTS)
    on = rng.choice(N_LATENTS, size=int(rng.integers(1, 9)), replace=False)
    scores[on] = rng.integers(-6, 7, size=len(on)) / 2
    return pd.Series(scores), pd.Series(rng.choice([-0.2, 0.0, 0.025, 0.3], size=N_LATENTS))


def verdict(scores: pd.Series, cosines: pd.Series, on: np.ndarray, thresholds: Thresholds) -> bool:
    """Ours, from the latents that are on."""
    size = len(on)
    word = WordLatents(on, np.ones(size), cosines[on].to_numpy(), np.ones(size), np.zeros(size, dtype=bool))
    return ablation_rule(word, scores[on].to_numpy(), thresholds, thresholds.min_lead).reason == ""


@pytest.mark.parametrize("ranking", [MOST_NEGATIVE, MAGNITUDE])
@pytest.mark.parametrize("min_lead", [0.5, 1.0, 1.5])
def test_the_rule_gives_the_published_calculators_verdict_on_random_words(
    ranking: str, min_lead: float
) -> None:
    rng = np.random.default_rng(0)
    thresholds = Thresholds(min_lead=min_lead, ranking=ranking)
    expected, found = [], []
    for _ in range(1000):
        scores, cosines = random_word(rng)
        on = np.flatnonzero(scores.to_numpy())
        expected.append(published_verdict(scores, cosines, min_lead, ranking == MAGNITUDE))
        found.append(len(on) > 0 and verdict(scores, cosines, on, thresholds))
    assert found == expected
    assert 30 < sum(expected) < 970


def test_the_two_rankings_part_where_a_latent_speaks_against_the_letter() -> None:
    scores, cosines = pd.Series([-3.0, 2.5, 0.0, 0.0]), pd.Series([0.3, 0.3, 0.3, 0.3])
    on = np.array([0, 1])
    assert published_verdict(scores, cosines, 1.0, by_size=False)
    assert not published_verdict(scores, cosines, 1.0, by_size=True)
    assert verdict(scores, cosines, on, Thresholds())
    assert not verdict(scores, cosines, on, Thresholds(ranking=MAGNITUDE))


@pytest.mark.parametrize(
    ("effects", "ranking", "expected"),
    [
        ([-3.0, -1.0, 9.0], MOST_NEGATIVE, (0, -3.0, 1.0, 2.0)),
        ([-3.0, 2.5], MOST_NEGATIVE, (0, -3.0, 0.0, 3.0)),  # a positive effect is no rival
        ([-3.0], MOST_NEGATIVE, (0, -3.0, 0.0, 3.0)),
        ([-2.0, -2.0], MOST_NEGATIVE, (0, -2.0, 2.0, 0.0)),
        ([0.5, 2.0], MOST_NEGATIVE, (0, 0.5, 0.0, -0.5)),  # nobody leads
        ([-3.0, -1.0, 9.0], MAGNITUDE, (2, 9.0, 3.0, 6.0)),
        ([-3.0, 2.5], MAGNITUDE, (0, -3.0, 2.5, 0.5)),
    ],
)
def test_the_leader_its_rival_and_its_lead_by_hand(effects, ranking, expected) -> None:
    found = leader(np.array(effects), ranking)
    assert (found.at, found.effect, found.rival, found.lead) == expected


def test_an_unknown_ranking_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="ranking is 'largest'; allowed: 'most negative', 'magnitude'"):
        strengths(np.array([1.0]), "largest")
    with pytest.raises(ValueError, match="ranking is 'largest'"):
        Thresholds(ranking="largest")

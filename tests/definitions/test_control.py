"""The control on a planted model whose letters are written along one direction and read out along another."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from tests.planted_model import D_MODEL, GAIN, planted_engine, planted_evidence

from absorption import definitions
from absorption.definitions.case import absorbed_words
from absorption.definitions.control import (
    FILTER_OUT,
    GRADIENT_OUT,
    MEANS_OUT,
    PATTERN_OUT,
    RANDOM_OUT,
    WRONG_OUT,
    control_share,
    control_table,
    mean_gradients,
)
from absorption.definitions.evidence import Evidence
from absorption.mediation import removed_parts as p
from absorption.mediation.removed_parts import mediate
from absorption.one_sae import layers as y
from absorption.probes.fit import ProbeSet
from absorption.probes.words import ProbedWords

DISTRACTOR = 255
"""A dimension that the model does not read."""


def written_and_read() -> tuple[torch.Tensor, torch.Tensor]:
    """Activations and unit filters. Every word has its letter's feature and, along the sum of all letters'
    features and the distractor, noise of +1 or -1, each on half of every letter's words. Only "the letter less
    the distractor" reads the letter without the noise: that is the filter. The covariance times it is the
    letters' part of the covariance: the letter less a 25th of every other."""
    letters = planted_evidence().letters
    acts = torch.nn.functional.one_hot(letters, D_MODEL).float()
    sign = torch.where(torch.arange(len(letters)) % 2 == 0, 1.0, -1.0)
    noisy = torch.zeros(D_MODEL)
    noisy[:26] = noisy[DISTRACTOR] = 1.0
    acts += sign[:, None] * noisy
    filters = torch.eye(D_MODEL)[:26]
    filters[:, DISTRACTOR] = -1.0
    return acts, filters / 2**0.5


@cache
def evidence() -> Evidence:
    acts, filters = written_and_read()
    return replace(planted_evidence(), acts=acts, directions=filters)


@cache
def found() -> pd.DataFrame:
    """The 28 planted fully absorbed words, judged by the true directions."""
    judged = definitions.apply_definitions(
        planted_engine(), planted_evidence(), definitions.Thresholds(), mean_metric=GAIN
    )
    return absorbed_words(planted_engine(), evidence(), judged)


def test_the_pattern_of_a_filter_that_dodges_noise_is_the_letter() -> None:
    expected = torch.full((26, 26), -1 / 25).fill_diagonal_(1.0) / 1.04**0.5
    assert torch.allclose(evidence().patterns[:, :26], expected, atol=1e-5)
    assert evidence().patterns[:, 26:].abs().max() < 1e-5
    assert torch.allclose(evidence().mean_directions, evidence().patterns, atol=1e-5)


def test_an_absorber_that_writes_along_the_pattern_keeps_nothing_without_it_and_half_without_the_filter() -> (
    None
):
    assert len(found()) == 28
    share = control_table(planted_engine(), evidence(), found()).set_index("taken_out")["share"]
    assert share[PATTERN_OUT] == pytest.approx(0, abs=0.005)
    assert share[MEANS_OUT] == pytest.approx(0, abs=0.005)
    assert share[GRADIENT_OUT] == pytest.approx(0, abs=0.005)
    # The decoder row has a part of 1/sqrt 2 along the filter, and the filter 1/sqrt 2 along the letter.
    assert share[FILTER_OUT] == pytest.approx(0.5, abs=0.005)
    # Along another letter's pattern the row has -1/25, of which a 25th comes back to the letter.
    assert share[WRONG_OUT] == pytest.approx(1 - 1 / 650, abs=0.002)
    assert share[RANDOM_OUT] == pytest.approx(1, abs=0.02)
    assert control_share(found()).value == pytest.approx(0, abs=0.005)


def test_further_directions_are_judged_beside_them() -> None:
    true = {"true": torch.eye(D_MODEL)[:26]}
    table = control_table(planted_engine(), evidence(), found(), others=true).set_index("taken_out")
    assert table.loc["true", "share"] == pytest.approx(0, abs=0.005)
    assert table.loc["true", "cosine"] == pytest.approx(1 / 2**0.5, abs=1e-4)  # the row is word plus letter
    assert (table["low"] <= table["high"]).all()


def test_the_mean_gradient_is_taken_over_training_words_of_the_letter_only() -> None:
    few = replace(evidence(), train=torch.arange(0, 80))  # words of a and b
    gradients = mean_gradients(planted_engine(), few, torch.tensor([0]), 4, seed=0)
    expected = torch.full((26,), -1 / 25)
    expected[0] = 1.0
    assert torch.allclose(gradients[0, :26], expected / 1.04**0.5, atol=0.01)
    assert gradients[1:].abs().max() == 0


def test_the_pattern_mediates_the_letter_and_the_filter_half_of_it() -> None:
    words = torch.arange(1, 9)  # words of a without a feature of their own
    effect = mediate(planted_engine(), evidence(), words).groupby("part")["effect"].mean() / -GAIN
    assert effect[p.PATTERN] == pytest.approx(1, abs=0.01)
    # Its level is moved to the mean, a 26th.
    assert effect[p.FILTER] == pytest.approx(0.5 * (1 - 1 / 26), abs=0.01)


def test_lines_at_a_depth_come_from_training_words() -> None:
    acts, filters = written_and_read()
    words = pd.DataFrame({"letter": [chr(97 + i) for i in planted_evidence().letters.tolist()]})
    words["split"] = "train"
    probed = ProbedWords(words, acts, ProbeSet(filters, torch.zeros(26)))
    lines = y.lines_of(probed)
    assert torch.allclose(lines[y.PATTERN], evidence().patterns, atol=1e-5)
    assert torch.allclose(lines[y.FILTER], filters)
    spoilt = acts.clone()
    spoilt[:20] = 100.0
    split = words.assign(split=np.where(np.arange(len(words)) < 20, "test", "train"))
    again = y.lines_of(ProbedWords(split, spoilt, ProbeSet(filters, torch.zeros(26))))
    assert torch.allclose(again[y.MEANS][1], lines[y.MEANS][1], atol=0.05)

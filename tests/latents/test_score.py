"""Latents as classifiers: by hand on the planted SAE; paired differences and trends by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.latents.hand_made import MAIN_A, encoded, probed, sae

from absorption.latents.score import (
    MeanSamples,
    latent_samples,
    mean_samples,
    probe_samples,
    score_latents,
    slope_per_doubling,
)


def value(table, selection: str, letter: str, metric: str) -> float:
    rows = table[
        (table["selection"] == selection) & (table["letter"] == letter) & (table["metric"] == metric)
    ]
    assert len(rows) == 1
    return float(rows["value"].iloc[0])


def test_the_absorbed_word_costs_half_of_the_recall_of_its_letter() -> None:
    table = score_latents(sae(), probed(), encoded())
    for selection in table["selection"].unique():
        # Two test words start with a, and latent 3 is off at one of them.
        assert value(table, selection, "a", "recall") == pytest.approx(0.5)
        assert value(table, selection, "a", "precision") == pytest.approx(1)
        assert value(table, selection, "a", "f1") == pytest.approx(2 / 3)
        assert value(table, selection, "b", "recall") == pytest.approx(1)
        assert value(table, selection, "mean", "recall") == pytest.approx((25 + 0.5) / 26)


def test_each_row_names_the_latent_and_its_cosine_with_the_probe() -> None:
    table = score_latents(sae(), probed(), encoded())
    of_a = table[table["letter"] == "a"]
    assert (of_a["latent"] == MAIN_A).all()
    np.testing.assert_allclose(of_a["cosine"], 1 / math.sqrt(5), atol=1e-6)  # encoder (1, -2 on its own)
    means = table[table["letter"] == "mean"]
    assert (means["latent"] == -1).all()
    assert means["cosine"].isna().all()
    assert (table["sae"] == "hand-made").all()


def test_the_probe_beats_every_selection_by_the_absorbed_word() -> None:
    probe = probe_samples(probed())
    assert probe.values == pytest.approx({"precision": 1, "recall": 1, "f1": 1})
    for samples in latent_samples(sae(), probed(), encoded()).values():
        gap = probe.minus(samples, "recall")
        assert gap.value == pytest.approx(0.5 / 26)
        assert 0 <= gap.low <= gap.value <= gap.high
        assert gap.high > gap.low


def test_the_difference_of_an_sae_with_itself_is_zero_in_every_resample() -> None:
    first, second = (latent_samples(sae(), probed(), encoded(), seed=2)["best F1"] for _ in range(2))
    for metric in ("precision", "recall", "f1"):
        gap = first.minus(second, metric)
        assert (gap.value, gap.low, gap.high) == (0, 0, 0)
    assert np.ptp(first.samples["recall"]) > 0


def test_samples_are_reproduced_by_the_seed_alone() -> None:
    first, same, other = (latent_samples(sae(), probed(), encoded(), seed=s)["best F1"] for s in (1, 1, 2))
    assert np.array_equal(first.samples["f1"], same.samples["f1"])
    assert not np.array_equal(first.samples["f1"], other.samples["f1"])


def test_letters_without_words_are_left_out_of_the_mean() -> None:
    truth = torch.tensor([[True, False, False], [False, True, False]])
    said = torch.tensor([[True, False, True], [False, False, True]])
    assert mean_samples("x", said, truth).values["recall"] == pytest.approx(0.5)


def points(values: list[float], l0s: list[float]) -> list[tuple[float, MeanSamples]]:
    """SAEs whose two resamples lie .1 below and above the value, the second with the slope reversed."""
    made = []
    for l0, value_ in zip(l0s, values, strict=True):
        samples = np.array([value_, -value_])
        made.append((l0, MeanSamples(f"l0-{l0}", {"f1": value_}, {"f1": samples})))
    return made


def test_the_slope_per_doubling_by_hand() -> None:
    found = slope_per_doubling(points([0.2, 0.3, 0.4], [16, 32, 64]), "f1")
    assert found.value == pytest.approx(0.1)
    # x is -1, 0, 1 about its mean: (-.1 + 0 + .4) / 2
    assert slope_per_doubling(points([0.1, 0.9, 0.4], [16, 32, 64]), "f1").value == pytest.approx(0.15)
    assert slope_per_doubling(points([0.5, 0.2], [10, 40]), "f1").value == pytest.approx(-0.15)


def test_the_slopes_interval_is_that_of_the_resamples_slopes() -> None:
    found = slope_per_doubling(points([0.2, 0.3, 0.4], [16, 32, 64]), "f1")
    # Resampled slopes are .1 and -.1; the 2.5% and 97.5% points lie just inside.
    assert (found.low, found.high) == pytest.approx((-0.1 + 0.2 * 0.025, 0.1 - 0.2 * 0.025))


def test_one_sae_has_no_slope() -> None:
    assert math.isnan(slope_per_doubling(points([0.2], [16]), "f1").value)


def test_variants_of_a_word_are_resampled_together_if_they_are_one_group() -> None:
    truth = torch.tensor([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]]).bool()
    said = torch.tensor([[1, 0], [1, 0], [0, 0], [0, 1], [0, 0], [1, 1]]).bool()
    once = mean_samples("x", said, truth)
    twice = [table.repeat_interleave(2, dim=0) for table in (said, truth)]
    together = mean_samples("x", *twice, groups=np.arange(12) // 2)
    apart = mean_samples("x", *twice)
    assert together.values["f1"] == pytest.approx(once.values["f1"])
    np.testing.assert_allclose(together.samples["f1"], once.samples["f1"])
    assert apart.samples["f1"].std() < together.samples["f1"].std()


def test_samples_are_over_stems_unless_words_are_asked_for() -> None:
    here = probed()
    pairs = here.words["word"].to_numpy().copy()
    pairs[1::2] = [word.strip() for word in pairs[::2][: len(pairs[1::2])]]
    paired = replace(here, words=here.words.assign(word=pairs))
    by_word = probe_samples(paired, resample="word")
    np.testing.assert_array_equal(by_word.samples["f1"], probe_samples(here, resample="word").samples["f1"])
    assert not np.array_equal(by_word.samples["f1"], probe_samples(paired).samples["f1"])

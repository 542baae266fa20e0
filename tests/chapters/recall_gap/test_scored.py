"""Several SAEs on the same words: trends, differences and choices, by hand."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.latents.hand_made import probed, sae

from absorption import claims
from absorption.base.statistics import Estimate, interval
from absorption.chapters.recall_gap.scored import (
    METRICS,
    ScoredSae,
    mean_table,
    same_choice,
    score_saes,
    smallest_gap,
)
from absorption.chapters.recall_gap.trends import at_one_width, best_in_words, best_l0, edge
from absorption.claims.rules import Between
from absorption.latents.score import MeanSamples, probe_samples
from absorption.saes.loaded import LoadedSae


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))


def samples(name: str, f1: float, drawn: list[float] | None = None) -> MeanSamples:
    values: dict[str, float] = {metric: f1 for metric in METRICS}
    return MeanSamples(name, values, {metric: np.array(drawn or [f1, f1]) for metric in values})


def scored(name: str, l0_text: float, f1: float, choices: dict[str, list[int]] | None = None) -> ScoredSae:
    """An SAE with a card, scores for the letters a and b, and constant resamples."""
    card = {"measured": {"held_out_text": {"l0": l0_text}}} if l0_text == l0_text else {}
    made = sae()
    rows = [
        {"selection": selection, "letter": letter, "metric": metric, "latent": latent}
        for selection, latents in (choices or {}).items()
        for letter, latent in zip(["a", "b", "mean"], [*latents, -1], strict=True)
        for metric in ("f1", "recall")
    ]
    loaded = LoadedSae(name, made.sae, made.site, card)
    return ScoredSae(loaded, pd.DataFrame(rows), {"best F1": samples(name, f1)}, l0_words=2 * l0_text)


def test_identical_saes_differ_by_zero_in_every_resample() -> None:
    first, second = score_saes([sae(), sae()], probed())
    for selection in first.samples:
        gap = first.samples[selection].minus(second.samples[selection], "f1")
        assert (gap.value, gap.low, gap.high) == (0, 0, 0)
        assert np.ptp(first.samples[selection].samples["f1"]) > 0
    pd.testing.assert_frame_equal(first.scores, second.scores)


def test_l0_on_words_is_the_mean_number_of_active_latents() -> None:
    (item,) = score_saes([sae()], probed())
    # Eight words of a and the absorbed one have 1 latent on, the kept one 2, and every other word 2.
    assert item.l0_words == pytest.approx((9 * 1 + 2 + 250 * 2) / 260)
    assert math.isnan(item.l0_text)


def test_the_table_has_one_row_a_selection_and_one_for_the_probe() -> None:
    items = score_saes([sae()], probed())
    table = mean_table(items, probe_samples(probed()))
    assert table["selection"].tolist() == ["LR probe", *items[0].samples]
    assert table.loc[0, "recall"] == 1
    np.testing.assert_allclose(table.loc[1:, "recall"], 25.5 / 26)
    low, high = interval(items[0].samples["best F1"].samples["recall"])
    assert low < high
    row = table[table["selection"] == "best F1"].iloc[0]
    assert (row["recall_low"], row["recall_high"]) == pytest.approx((low, high))
    assert table.loc[1:, "d_sae"].tolist() == [40.0] * 4


def test_the_smallest_gap_is_that_of_the_best_sae() -> None:
    items = [scored("far", 16, 0.5), scored("near", 32, 0.7)]
    name, gap = smallest_gap(items, samples("LR probe", 0.9))
    assert name == "near, best F1"
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.2, 0.2, 0.2))


def test_same_choice_compares_two_selections_letter_by_letter() -> None:
    item = scored("one", 16, 0.5, {"encoder cosine": [3, 8], "k=1 probing": [3, 9], "best F1": [1, 1]})
    table = same_choice([item], ("encoder cosine", "k=1 probing"))
    assert table.to_dict("list") == {"sae": ["one", "one"], "letter": ["a", "b"], "same": [True, False]}


def points(table: dict[float, list[float]]) -> list[tuple[float, MeanSamples]]:
    """L0 to F1: the value first, then the resamples."""
    return [(l0, samples(f"{l0}", f1[0], f1[1:])) for l0, f1 in table.items()]


def test_the_best_l0_and_its_range_over_resamples_by_hand() -> None:
    found = best_l0(
        points({8: [0.1, 0.1, 0.1], 16: [0.5, 0.6, 0.1], 32: [0.7, 0.5, 0.5], 64: [0.6, 0.2, 0.2]}), 100
    )
    # The first resample prefers 16, the second 32; percentiles lie 2.5% inside.
    assert found.value == 32
    assert found.low == pytest.approx(16 + 16 * 0.025)
    assert found.high == 32


def test_a_best_l0_that_no_resample_prefers_still_lies_in_its_interval() -> None:
    found = best_l0(
        points({8: [0.1, 0.1, 0.1], 16: [0.5, 0.9, 0.9], 32: [0.6, 0.2, 0.2], 64: [0.1] * 3}), 100
    )
    assert (found.value, found.low, found.high) == (32, 16, 32)


def test_a_best_l0_at_an_end_of_those_tried_leaves_open_what_lies_beyond() -> None:
    smallest = points({16: [0.9, 0.9, 0.9], 32: [0.5] * 3, 64: [0.4] * 3})
    assert edge(smallest) == "smallest"
    assert best_l0(smallest, 100) == Estimate(16, 0, 16)
    largest = points({16: [0.3, 0.3, 0.3], 64: [0.9] * 3, 32: [0.5] * 3})
    assert edge(largest) == "largest"
    assert best_l0(largest, 100) == Estimate(64, 64, 100)
    inside = points({16: [0.3, 0.3, 0.9], 32: [0.5] * 3, 64: [0.4] * 3})
    assert edge(inside) == ""
    # One of two resamples prefers the smallest, so the interval goes down towards 0.
    assert best_l0(inside, 100).low == pytest.approx(32 * 0.025)


def test_the_books_rule_calls_an_edge_outside_its_range_unclear_and_a_peak_refuted() -> None:
    rule = claims.load()["best-l0"].part("").rule
    at_edge = best_l0(points({0.08: [0.9] * 3, 0.14: [0.5] * 3, 0.2: [0.4] * 3}), 7.1)
    assert claims.judge(rule, at_edge.low, at_edge.high) == "unclear"
    peak = best_l0(points({0.005: [0.1] * 3, 0.08: [0.9] * 3, 0.2: [0.4] * 3}), 7.1)
    assert claims.judge(rule, peak.low, peak.high) == "not reproduced"
    peak = best_l0(points({0.005: [0.1] * 3, 0.016: [0.9] * 3, 0.2: [0.4] * 3}), 7.1)
    assert claims.judge(rule, peak.low, peak.high) == "reproduced"
    assert isinstance(rule, Between)
    assert (rule.low, rule.high) == pytest.approx((25 / 2304, 50 / 2304), abs=5e-5)


def test_one_sae_has_no_best_l0_and_the_text_says_that_it_takes_two() -> None:
    assert math.isnan(best_l0(points({16: [0.5, 0.5, 0.5]}), 100).value)
    assert edge(points({16: [0.5, 0.5, 0.5]})) == ""
    assert "at least two SAEs" in best_in_words(best_l0([], 7.1))
    assert best_in_words(Estimate(0.141, 0.0, 0.25)) == "14.1% of d_model, interval 0.0% to 25.0%"


def test_l0_is_told_as_a_share_of_the_models_width() -> None:
    (item,) = score_saes([sae()], probed())
    assert item.l0_share == pytest.approx(item.l0_words / 32)
    assert mean_table([item], probe_samples(probed())).loc[1, "l0_share"] == pytest.approx(item.l0_share)
    items = [scored("a", 16, 0.5), scored("b", 32, 0.6)]
    assert [l0 for l0, _ in at_one_width(items, "best F1", "l0_share")] == [1.0, 2.0]  # 2 * 16 of 32


def test_trends_use_the_width_that_most_saes_share_and_need_an_l0() -> None:
    items = [scored("a", 16, 0.5), scored("b", 32, 0.6), scored("unknown", math.nan, 0.7)]
    found = at_one_width(items, "best F1")
    assert [(l0, point.sae) for l0, point in found] == [(16, "a"), (32, "b")]
    assert at_one_width(items[1:], "best F1") == []
    assert at_one_width([], "best F1") == []

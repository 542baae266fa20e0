"""Each definition says what was planted, gives each clause's reason, and rates follow from counts by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.planted_model import GAIN, planted
from tests.planted_model import planted_engine as engine
from tests.planted_model import planted_evidence as evidence

from absorption.ablation import ranking
from absorption.ablation.effects import all_effects
from absorption.definitions import rules as r
from absorption.definitions.apply import (
    apply_ablation_rule,
    apply_definitions,
    apply_projection_rules,
    model_scale,
    with_main,
)
from absorption.definitions.case import absorbed_words
from absorption.definitions.evidence import Evidence, WordLatents, letters_probed_well, probed_right
from absorption.definitions.rates import MEAN, absorption_rates
from absorption.definitions.rules import (
    ABLATION,
    DEFINITIONS,
    FRACTION,
    FULL_ABSORPTION,
    RELATIVE,
    ablation_rule,
    fraction_rule,
    full_rule,
)
from absorption.definitions.thresholds import Thresholds

pytestmark = pytest.mark.usefixtures("own_cache")

PUBLISHED = Thresholds()


@cache
def judged() -> pd.DataFrame:
    table = apply_definitions(engine(), evidence(), PUBLISHED, mean_metric=2 * GAIN)
    facts = planted().words[["kind", "child"]].reset_index(names="word_row")
    return table.merge(facts, left_on="word", right_on="word_row")


def values(definition: str, kind: str, child: bool) -> np.ndarray:
    table = judged()
    mine = table[(table["definition"] == definition) & (table["kind"] == kind)]
    return mine.loc[(mine["child"] >= 0) == child, "value"].to_numpy()


def word(**changes: Any) -> WordLatents:
    """Three active latents, none of them main: latent 5 carries the letter."""
    parts: dict[str, Any] = {
        "latents": np.array([5, 6, 7]),
        "activations": np.array([1.0, 1.0, 1.0]),
        "cosines": np.array([0.5, 0.2, 0.01]),
        "projections": np.array([0.5, 0.2, 0.01]),
        "is_main": np.array([False, False, False]),
    }
    return WordLatents(**(parts | changes))


# --- what was planted -------------------------------------------------------------------------------------


def test_the_planted_model_loses_the_gain_with_the_letter_and_nothing_with_the_rest() -> None:
    truth = planted()
    table = all_effects(engine(), truth.csr, torch.arange(0, 1040, 13), progress=False)
    roles = truth.latents.loc[table["latent"]].reset_index(drop=True)
    effects = table["effect"].to_numpy()
    main = roles["role"].isin(["main", "upper", "lower"]).to_numpy()
    expected = -GAIN * table["activation"].to_numpy()
    assert effects[main] == pytest.approx(expected[main], rel=0.02)
    assert np.abs(effects[roles["role"].isin(["case", "noise"]).to_numpy()]).max() < 0.01 * GAIN
    assert main.sum() > 50


@pytest.mark.parametrize("definition", [ABLATION, RELATIVE, FULL_ABSORPTION, FRACTION])
def test_full_absorption_is_found_on_exactly_the_planted_words(definition: str) -> None:
    absorbed = values(definition, "full", child=True)
    assert absorbed.tolist() == [1.0] * 28
    assert (values(definition, "full", child=False) == 0).all()


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_no_absorption_is_found_where_none_was_planted(definition: str) -> None:
    for kind in ("none", "split"):
        for child in (True, False):
            assert (values(definition, kind, child) == 0).all()


def test_partial_absorption_is_seen_by_the_fraction_alone() -> None:
    assert (values(ABLATION, "partial", child=True) == 0).all()
    assert (values(FULL_ABSORPTION, "partial", child=True) == 0).all()
    assert values(FRACTION, "partial", child=True) == pytest.approx(np.full(20, 0.6), abs=1e-4)
    assert (values(FRACTION, "partial", child=False) == 0).all()


def test_two_equal_absorbers_are_seen_by_projection_and_not_by_the_lead() -> None:
    assert (values(ABLATION, "two", child=True) == 0).all()
    assert (values(FULL_ABSORPTION, "two", child=True) == 1).all()
    assert values(FRACTION, "two", child=True) == pytest.approx(np.ones(8))
    reasons = judged().query("definition == @ABLATION and kind == 'two' and child >= 0")["reason"]
    assert set(reasons) == {ranking.NO_LEAD}


def test_the_absorbing_latent_is_the_planted_child_latent() -> None:
    truth, table = planted(), judged()
    for definition in (ABLATION, FULL_ABSORPTION, FRACTION):
        found = table[(table["definition"] == definition) & (table["kind"] == "full") & table["absorbed"]]
        expected = [truth.latent("child", a, b) for a, b in zip(found["letter"], found["child"], strict=True)]
        assert found["latent"].tolist() == expected
        assert found["cosine"].to_numpy() == pytest.approx(0.5**0.5, abs=1e-4)


def test_a_split_taken_for_one_latent_looks_like_absorption() -> None:
    """With only the capital letters' latent called main, every small-letter word seems absorbed."""
    half = {letter: latents[:1] for letter, latents in planted().main_latents().items()}
    table = apply_definitions(engine(), with_main(evidence(), half), PUBLISHED, mean_metric=2 * GAIN)
    table = table.merge(planted().words[["kind", "upper"]], left_on="word", right_index=True)
    split = table[table["kind"] == "split"]
    for definition in (ABLATION, FULL_ABSORPTION):
        mine = split[split["definition"] == definition]
        assert mine.groupby("upper")["value"].mean().to_dict() == {True: 0.0, False: 1.0}


def test_labels_alone_give_the_same_judgement_as_all_effects() -> None:
    fast = apply_definitions(engine(), evidence(), PUBLISHED, mean_metric=2 * GAIN, every_effect=False)
    slow = judged()
    for definition in (ABLATION, RELATIVE):
        mine, other = (t.loc[t["definition"] == definition, "absorbed"].tolist() for t in (fast, slow))
        assert mine == other
        assert sum(mine) == 28


def test_the_same_seed_gives_the_same_table_and_the_order_of_words_does_not_matter() -> None:
    again = apply_definitions(engine(), evidence(), PUBLISHED, mean_metric=2 * GAIN)
    first = judged()[again.columns]
    pd.testing.assert_frame_equal(first, again)
    turned = replace(evidence(), words=evidence().words.flip(0))
    other = apply_definitions(engine(), turned, PUBLISHED, mean_metric=2 * GAIN)
    keys = ["definition", "word"]
    left, right = (t.sort_values(keys, ignore_index=True)[[*keys, "value", "reason"]] for t in (first, other))
    pd.testing.assert_frame_equal(left, right)


# --- each clause ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effects", "changes", "lead", "reason"),
    [
        ([-3.0, -1.0, 0.5], {}, 1.0, ""),
        ([-3.0, -1.0, 0.5], {"is_main": np.array([False, True, False])}, 1.0, r.MAIN_ON),
        ([3.0, 1.0, 0.5], {}, 1.0, ranking.AGAINST),
        ([-3.0, -1.0, -9.0], {}, 1.0, ranking.NOT_ALIGNED),
        ([-3.0, -2.5, 0.5], {}, 1.0, ranking.NO_LEAD),
        ([-3.0, 2.5, 0.5], {}, 1.0, ""),  # a latent that speaks against the letter is no rival
        ([-3.0, 9.0, 0.5], {}, 3.0, ""),  # not even a stronger one
        ([-3.0, -2.5, 0.5], {}, 0.5, ""),
        ([-3.0, -1.0, 0.5], {}, 2.1, ranking.NO_LEAD),
    ],
)
def test_the_ablation_rule_clause_by_clause(effects, changes, lead, reason) -> None:
    verdict = ablation_rule(word(**changes), np.array(effects), PUBLISHED, lead)
    assert verdict.reason == reason
    assert verdict.value == (reason == "")


def test_the_ablation_rule_with_one_or_no_latent() -> None:
    none = np.array([])
    nothing = WordLatents(none.astype(int), none, none, none, none.astype(bool))
    assert ablation_rule(nothing, np.array([]), PUBLISHED, 1.0).reason == r.NOTHING_ON
    half = np.array([0.5])
    single = WordLatents(np.array([5]), half, half, half, np.array([False]))
    assert ablation_rule(single, np.array([-1.5]), PUBLISHED, 1.0).lead == 1.5
    assert ablation_rule(single, np.array([-1.5]), PUBLISHED, 1.0).latent == 5


@pytest.mark.parametrize(
    ("total", "changes", "reason"),
    [
        (1.0, {}, ""),
        (1.25, {}, ""),  # a share of exactly .4 is enough
        (1.3, {}, r.SHARE_TOO_SMALL),
        (1.0, {"is_main": np.array([True, False, False])}, r.MAIN_ON),
        (1.0, {"cosines": np.array([0.02, 0.2, 0.01])}, ranking.NOT_ALIGNED),
        (-1.0, {}, r.NOT_POSITIVE),
    ],
)
def test_the_full_rule_clause_by_clause(total, changes, reason) -> None:
    verdict = full_rule(word(**changes), total, PUBLISHED)
    assert verdict.reason == reason
    assert verdict.value == (reason == "")


@pytest.mark.parametrize(
    ("total", "changes", "value", "reason"),
    [
        (1.0, {}, 1.0, ""),  # no main latent is on: .5 + .2 of 1 is enough
        (1.0, {"is_main": np.array([True, False, False])}, 0.0, r.SHARE_TOO_SMALL),  # .2 of 1 is not
        (0.6, {"is_main": np.array([False, True, False])}, 0.4 / 0.6, ""),  # min(.5, .6 - .2) of the whole
        (0.2, {"is_main": np.array([False, True, False])}, 0.0, r.MAIN_CARRIES_ALL),
        (-1.0, {}, 0.0, r.NOT_POSITIVE),
        (1.0, {"cosines": np.array([0.09, 0.2, 0.01])}, 0.0, r.SHARE_TOO_SMALL),  # the first is no absorber
    ],
)
def test_the_fraction_rule_clause_by_clause(total, changes, value, reason) -> None:
    verdict = fraction_rule(word(**changes), total, PUBLISHED)
    assert verdict.reason == reason
    assert verdict.value == pytest.approx(value)


def test_at_most_three_absorbers_count() -> None:
    crowd = WordLatents(
        np.arange(8), np.ones(8), np.full(8, 0.2), np.full(8, 0.1), is_main=np.zeros(8, dtype=bool)
    )
    assert fraction_rule(crowd, 0.8, PUBLISHED).reason == r.SHARE_TOO_SMALL
    assert fraction_rule(crowd, 0.8, Thresholds(max_absorbers=4)).value == 1.0


# --- denominators, caps, rates ----------------------------------------------------------------------------


def outcome_table(letter: str, right: int, candidates: int, judged_: int, absorbed: int) -> pd.DataFrame:
    rank = np.arange(right)
    return pd.DataFrame(
        {
            "definition": ABLATION,
            "word": rank,
            "letter": letter,
            "candidate": rank < candidates,
            "judged": rank < judged_,
            "absorbed": rank < absorbed,
            "value": (rank < absorbed).astype(float),
        }
    )


def test_rates_divide_by_the_words_the_probe_gets_and_rescale_what_the_cap_left_out() -> None:
    table = pd.concat([outcome_table("a", 100, 40, 20, 5), outcome_table("b", 50, 10, 10, 0)])
    rates = absorption_rates(table).set_index("letter")
    assert rates.loc["a", "rate"] == pytest.approx(0.4 * 5 / 20)
    assert rates.loc["b", "rate"] == 0
    assert rates.loc[MEAN, "rate"] == pytest.approx(0.05)
    assert rates.loc[MEAN, "spread"] == pytest.approx(np.std([0.1, 0], ddof=1))
    counts = rates[["n_right", "n_candidates", "n_judged", "n_absorbed"]]
    assert counts.loc["a"].to_numpy().tolist() == [100, 40, 20, 5]


def test_intervals_hold_the_rate_and_shrink_with_more_words() -> None:
    few = absorption_rates(outcome_table("a", 100, 40, 40, 10)).iloc[0]
    many = absorption_rates(outcome_table("a", 1000, 400, 400, 100)).iloc[0]
    assert few["low"] < 0.1 < few["high"]
    assert many["high"] - many["low"] < (few["high"] - few["low"]) / 2
    # 10 of 100: the binomial interval is .05 to .17.
    assert few["low"] == pytest.approx(0.05, abs=0.02)
    assert few["high"] == pytest.approx(0.16, abs=0.03)


def test_a_smaller_cap_widens_the_interval_and_leaves_the_rate_about_right() -> None:
    whole = absorption_rates(outcome_table("a", 1000, 400, 400, 100)).iloc[0]
    capped = absorption_rates(outcome_table("a", 1000, 400, 40, 10)).iloc[0]
    assert capped["rate"] == pytest.approx(whole["rate"])
    assert capped["high"] - capped["low"] > 1.5 * (whole["high"] - whole["low"])


def test_the_cap_takes_a_seeded_choice_that_nests() -> None:
    mine = evidence()
    none = with_main(mine, {letter: [] for letter in mine.names})
    ten, twenty = none.chosen(10, seed=3), none.chosen(20, seed=3)
    frame = none.frame()
    assert frame[ten].groupby("letter").size().tolist() == [10] * 26
    assert frame[twenty].groupby("letter").size().tolist() == [20] * 26
    assert (twenty | ~ten).all()
    assert not np.array_equal(ten, none.chosen(10, seed=4))
    assert not (mine.chosen(10, seed=3) & ~mine.main_off).any()


def test_unjudged_candidates_are_not_counted_as_anything() -> None:
    table = apply_definitions(engine(), evidence(), Thresholds(max_candidates=1), mean_metric=2 * GAIN)
    mine = table[(table["definition"] == ABLATION) & table["letter"].isin(list("mnopqrs"))]
    assert mine.groupby("letter")["judged"].sum().tolist() == [1] * 7
    assert mine.groupby("letter")["candidate"].sum().tolist() == [4] * 7
    rates = absorption_rates(mine)
    assert rates["rate"].to_numpy() == pytest.approx(np.full(8, 0.1))


def test_effects_of_other_latents_than_the_active_ones_are_refused() -> None:
    effects = all_effects(engine(), planted().csr, torch.tensor([480]), progress=False)
    with pytest.raises(ValueError, match="word 480"):
        apply_ablation_rule(evidence(), effects.iloc[1:], PUBLISHED, 1.0)


def test_the_denominator_is_the_test_words_that_their_own_letters_probe_gets() -> None:
    predicted = torch.zeros(5, 26, dtype=torch.bool)
    predicted[0, 0] = predicted[1, 1] = predicted[3, 2] = predicted[4, 0] = True
    letters = torch.tensor([0, 1, 2, 2, 5])
    assert probed_right(predicted, letters, torch.tensor([1, 2, 3, 4])).tolist() == [1, 3]
    assert letters_probed_well({"a": 0.7, "b": 0.6, "c": 0.1}, 0.6) == ["a"]


# --- the case study -----------------------------------------------------------------------------------------


def test_the_absorbed_words_are_told_with_their_absorber_and_their_main_latent() -> None:
    truth = planted()
    table = absorbed_words(engine(), evidence(), judged())
    assert len(table) == 28
    assert table["effect"].to_numpy() == pytest.approx(np.full(28, -GAIN), rel=0.02)
    assert table["projection"].to_numpy() == pytest.approx(np.ones(28), rel=1e-4)
    assert table["main_projection"].to_numpy() == pytest.approx(np.ones(28), rel=1e-4)
    assert table["main_latent"].tolist() == [truth.main_latents()[letter][0] for letter in table["letter"]]
    assert table["lead"].is_monotonic_decreasing


def test_without_an_absorbed_word_the_case_table_is_empty_and_keeps_its_columns() -> None:
    none = judged().assign(absorbed=False)
    table = absorbed_words(engine(), evidence(), none)
    assert table.empty
    assert "control_effect" in table.columns


# --- scale ------------------------------------------------------------------------


def test_the_relative_lead_is_a_share_of_the_models_own_scale() -> None:
    assert PUBLISHED.relative_lead(3.0) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="does not spell"):
        PUBLISHED.relative_lead(-0.1)
    with pytest.raises(ValueError, match="min_share is -1"):
        Thresholds(min_share=-1)
    scale = model_scale(engine(), torch.arange(0, 1040, 10), n_words=50)
    assert scale.low < scale.value < scale.high
    assert scale.value > GAIN / 2


def test_mean_directions_come_from_training_words_only() -> None:
    acts = torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.0, 4.0], [0.0, 2.0], [9.0, 9.0]])
    letters = torch.tensor([0, 0, 1, 1, 0])  # the last word is a test word
    made = Evidence(
        csr=torch.zeros(5, 1).to_sparse_csr(), letters=letters, words=torch.tensor([4]), train=torch.arange(4),
        acts=acts, directions=torch.eye(2), decoder=torch.ones(1, 2), main={}, names=("a", "b"),
    )  # fmt: skip
    wanted = torch.tensor([[2.0, -3.0], [-2.0, 3.0]]) / 13**0.5  # means (2, 0) and (0, 3)
    torch.testing.assert_close(made.mean_directions, wanted)


def test_an_offset_that_all_words_share_inflates_raw_shares_and_not_centred_ones() -> None:
    acts = torch.tensor(
        [[-8.0, 1.0], [-8.0, 3.0], [6.0, 2.0]]
    )  # along the probe: training words -8, the word 6
    made = Evidence(
        csr=torch.tensor([[0.0], [0.0], [3.0]]).to_sparse_csr(), letters=torch.zeros(3).long(),
        words=torch.tensor([2]), train=torch.tensor([0, 1]), acts=acts, directions=torch.eye(2)[:1],
        decoder=torch.eye(2)[:1], main={}, names=("a",),
    )  # fmt: skip
    centred = replace(made, centred=True)
    assert made.totals.tolist() == [6.0]
    assert centred.totals.tolist() == [14.0]
    full = {
        name: apply_projection_rules(evidence, PUBLISHED).query("definition == @FULL_ABSORPTION").iloc[0]
        for name, evidence in (("raw", made), ("centred", centred))
    }
    assert full["raw"]["strength"] == pytest.approx(3 / 6)
    assert full["raw"]["absorbed"]
    assert full["centred"]["strength"] == pytest.approx(3 / 14)
    assert not full["centred"]["absorbed"]


def test_intervals_by_stem_are_those_of_the_stems_where_variants_agree() -> None:
    words = outcome_table("a", 60, 60, 60, 15).assign(word=np.arange(60))
    twice = pd.concat([words, words.assign(word=words["word"] + 60)], ignore_index=True)
    stems = np.array([f"{i:02d}" for i in range(60)] * 2)
    once = absorption_rates(words, stems=stems).iloc[0]
    both = absorption_rates(twice, stems=stems).iloc[0]
    assert both["rate"] == once["rate"] == 0.25
    assert (both["low"], both["high"]) == (
        once["low"],
        once["high"],
    )  # 60 stems, however often each is written
    assert absorption_rates(twice).iloc[0]["high"] < both["high"]

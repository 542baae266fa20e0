"""Rules of silence by hand: who is a candidate, who may absorb, and that the published rule is as it was."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.planted_model import GAIN, KINDS, planted
from tests.planted_model import planted_engine as engine
from tests.planted_model import planted_evidence as evidence

from absorption.ablation.ranking import NO_LEAD
from absorption.definitions import rules as r
from absorption.definitions.apply import REFUTED, apply_definitions, apply_projection_rules
from absorption.definitions.calibration import SHARES, calibrated_silence, silences
from absorption.definitions.evidence import Evidence, WordLatents
from absorption.definitions.factors import with_factors
from absorption.definitions.gate import gate
from absorption.definitions.nulls import null_by_effects, null_by_projection, values_by_projection
from absorption.definitions.rates import MEAN, absorption_rates
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION, RELATIVE
from absorption.definitions.silence import AT_ZERO, CALIBRATED, PUBLISHED, Silence, share_silence
from absorption.definitions.thresholds import Thresholds
from absorption.latents.sparse import ACTIVE

pytestmark = pytest.mark.usefixtures("own_cache")

NEAR = Thresholds(min_lead=0.5)
"""The planted partial absorbers carry .6 of the letter and the main latent .4: they lead by a fifth of ``GAIN``."""
WEAK = share_silence(0.45)
"""Allows the main latents of partly absorbed words, which write .4 of the projection."""
CHILDREN = 20
"""Words of the five letters that are partly absorbed, four each."""


def by_hand(silence: Silence = PUBLISHED) -> Evidence:
    """Letters a and b along the first two axes; latents 0 and 1 are a's main ones, 2 is b's, 3 writes a bit of a.

    The first eight words are for training: on three of a's four latent 0 is at 1, on the fourth at .2 as on two words
    of b; latent 1 is clean. The last four words, all a's, are judged.
    """
    acts = torch.tensor(
        [
            [1.0, 0.5, 0, 0], [1.0, 0, 0, 0], [1.0, 0.4, 0, 0], [0.2, 0, 0, 0],
            [0.2, 0, 1, 0], [0.2, 0, 1, 0], [0, 0, 1, 0], [0, 0, 1, 0],
            [0, 0, 0, 1.0], [0.2, 0, 0, 1.0], [0.2, 0.1, 0, 1.0], [0.3, 0, 0, 0.1],
        ]
    )  # fmt: skip
    letters = torch.tensor([0] * 4 + [1] * 4 + [0] * 4)
    decoder = torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0], [0.8, 0, 0.6]])
    return Evidence(
        csr=acts.to_sparse_csr(),
        letters=letters,
        words=torch.arange(8, 12),
        train=torch.arange(8),
        acts=torch.nn.functional.one_hot(letters, 3).float(),
        directions=torch.eye(2, 3),
        decoder=decoder,
        main={"a": [0, 1], "b": [2]},
        names=("a", "b"),
        silence=silence,
    )


def test_by_the_published_rule_a_main_latent_is_silent_where_it_is_off() -> None:
    assert by_hand().main_off.tolist() == [True, False, False, False]


def test_levels_are_the_best_of_each_main_latent_on_the_training_words() -> None:
    """Of latent 0, on above 0: 4 of 6 right, F1 8/10; above .2: 3 of 3, F1 6/7."""
    silence = calibrated_silence(by_hand())
    assert silence.levels["a"] == pytest.approx({0: 0.2, 1: ACTIVE})
    assert silence.levels["b"] == pytest.approx({2: ACTIVE})


def test_levels_know_nothing_of_the_test_words() -> None:
    dense = by_hand().csr.to_dense()
    dense[8:] = 7.0
    other = replace(by_hand(), csr=dense.to_sparse_csr())
    assert calibrated_silence(other).levels == calibrated_silence(by_hand()).levels


def test_under_levels_a_main_latent_that_leaks_is_silent_and_every_one_has_to_be() -> None:
    mine = by_hand(calibrated_silence(by_hand()))
    assert mine.main_off.tolist() == [
        True,
        True,
        False,
        False,
    ]  # latent 1 is on at the third, 0 above .2 at the last
    assert mine.frame()["candidate"].tolist() == mine.main_off.tolist()


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, [True, False, False, False]),
        (0.21, [True, True, False, False]),  # they write 0, .2, .2 + .1 and .3 of a projection of 1
        (0.31, [True, True, True, True]),
    ],
)
def test_under_a_share_all_main_latents_together_may_write_so_much(share: float, expected: list) -> None:
    assert by_hand(share_silence(share)).main_off.tolist() == expected


def test_where_the_word_does_not_project_on_the_probe_only_a_main_latent_that_is_off_is_silent() -> None:
    behind = replace(by_hand(share_silence(0.9)), acts=-by_hand().acts)
    assert behind.main_off.tolist() == [True, False, False, False]


def test_the_rules_that_stand_beside_the_published_one() -> None:
    assert [rule.name for rule in silences(by_hand())] == [
        AT_ZERO,
        CALIBRATED,
        "share up to 0.1",
        "share up to 0.3",
    ]
    assert [rule.max_share for rule in silences(by_hand())[2:]] == list(SHARES)


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"max_share is 1; allowed: at least 0 and below 1"):
        share_silence(1)
    with pytest.raises(ValueError, match=r"max_share is 0.1 and levels are given; allowed: one of them"):
        Silence(levels={"a": {0: 1.0}}, max_share=0.1)


def word(**changes: Any) -> WordLatents:
    """Latent 5 is the main one, weakly on and silent; latent 6 carries the letter."""
    parts: dict[str, Any] = {
        "latents": np.array([5, 6]),
        "activations": np.array([0.2, 1.0]),
        "cosines": np.array([0.9, 0.3]),
        "projections": np.array([0.2, 0.5]),
        "is_main": np.array([True, False]),
        "silenced": True,
    }
    return WordLatents(**(parts | changes))


@pytest.mark.parametrize(
    ("effects", "silenced", "reason", "latent"),
    [
        ([-1.0, -3.0], True, "", 6),
        ([-1.0, -3.0], False, r.MAIN_ON, -1),
        ([-2.5, -3.0], True, NO_LEAD, 6),
        ([-3.0, -1.0], True, r.MAIN_LEADS, 5),
    ],
)
def test_a_weak_main_latent_competes_for_the_lead_and_is_no_absorber(
    effects, silenced, reason, latent
) -> None:
    label = r.ablation_rule(word(silenced=silenced), np.array(effects), Thresholds(), 1.0)
    assert (label.reason, label.latent) == (reason, latent)
    assert label.value == (reason == "")


@pytest.mark.parametrize(
    ("projections", "silenced", "reason"),
    [
        ([0.2, 0.5], True, ""),
        ([0.2, 0.5], False, r.MAIN_ON),
        ([0.6, 0.5], True, r.MAIN_LEADS),
        ([0.2, 0.3], True, r.SHARE_TOO_SMALL),
    ],
)
def test_a_weak_main_latent_competes_for_the_largest_projection(projections, silenced, reason) -> None:
    label = r.full_rule(word(silenced=silenced, projections=np.array(projections)), 1.0, Thresholds())
    assert label.reason == reason


def test_the_fraction_does_not_ask_for_silence() -> None:
    labels = [r.fraction_rule(word(silenced=silenced), 1.0, Thresholds()) for silenced in (True, False)]
    assert labels[0] == labels[1]
    assert labels[0].value == pytest.approx(0.5 / 0.7)


# --- on planted words, with exact effects ---------------------------------------------------------------------


@cache
def under(silence: Silence, every_effect: bool = True, thresholds: Thresholds = NEAR) -> pd.DataFrame:
    mine = replace(evidence(), silence=silence)
    table = apply_definitions(engine(), mine, thresholds, mean_metric=2 * GAIN, every_effect=every_effect)
    facts = planted().words[["kind", "child"]].reset_index(names="word_row")
    return table.merge(facts, left_on="word", right_on="word_row")


def absorbed(table: pd.DataFrame, definition: str) -> dict[Any, int]:
    mine = table[(table["definition"] == definition) & table["absorbed"]]
    assert (mine["child"] >= 0).all()
    return mine["kind"].value_counts().to_dict()


def test_partly_absorbed_words_are_found_once_their_weak_main_latent_counts_as_silent() -> None:
    full, twins = 4 * list(KINDS.values()).count("full"), 4 * list(KINDS.values()).count("two")
    assert absorbed(under(PUBLISHED), ABLATION) == {"full": full}
    assert absorbed(under(WEAK), ABLATION) == {"full": full, "partial": CHILDREN}
    assert absorbed(under(PUBLISHED), FULL_ABSORPTION) == {"full": full, "two": twins}
    assert absorbed(under(WEAK), FULL_ABSORPTION) == {"full": full, "two": twins, "partial": CHILDREN}
    by_level = Silence("by level", {letter: dict.fromkeys(evidence().main[letter], 0.5) for letter in KINDS})
    assert absorbed(under(by_level), ABLATION) == absorbed(under(WEAK), ABLATION)


def test_clean_main_latents_have_no_better_level_than_zero() -> None:
    silence = calibrated_silence(evidence())
    assert {level for mine in silence.levels.values() for level in mine.values()} == {ACTIVE}
    pd.testing.assert_frame_equal(under(silence), under(PUBLISHED))


def test_the_labels_alone_agree_with_all_effects_also_where_a_weak_main_latent_leads() -> None:
    leading = Silence("all silent", {letter: dict.fromkeys(evidence().main[letter], 9.0) for letter in KINDS})
    few = replace(NEAR, max_candidates=4)
    for silence in (WEAK, leading):
        exact, quick = (under(silence, every, few) for every in (True, False))
        pd.testing.assert_series_equal(exact["absorbed"], quick["absorbed"])
    mine = quick[(quick["definition"] == ABLATION) & (quick["kind"] == "none") & (quick["child"] < 0)]
    assert mine["judged"].sum() > 10
    assert set(mine.loc[mine["judged"], "reason"]) == {REFUTED}
    assert set(exact.loc[mine.index[mine["judged"]], "reason"]) == {r.MAIN_LEADS}


def test_the_null_asks_the_same_rule_under_the_letters_own_directions() -> None:
    for silence in (WEAK, share_silence(0.99)):
        mine = replace(evidence(), silence=silence)
        found = values_by_projection(mine, mine.directions[None], NEAR)
        table = apply_projection_rules(mine, NEAR)
        for definition in (FULL_ABSORPTION, FRACTION):
            values = table.loc[table["definition"] == definition, "value"].to_numpy()
            assert found[definition][0] == pytest.approx(values, abs=1e-5)


def test_in_the_null_too_a_main_latent_is_no_absorber() -> None:
    """One word; its main latent leads, and is aligned with whatever letter's direction is put in."""
    effects = pd.DataFrame(
        {"word": [9, 9], "latent": [0, 3], "activation": [0.2, 1.0], "effect": [-3.0, -1.0]}
    )
    slack = replace(Thresholds(), min_cosine=0.0)
    mine = by_hand(share_silence(0.5))
    leads, turned = ({ABLATION: 1.0}, effects.assign(effect=[-1.0, -3.0]))
    for table, expected in ((effects, 0.0), (turned, 1.0)):
        null = null_by_effects(mine, table, slack, leads)
        assert null.judged[ABLATION].tolist() == [False, True, False, False]
        assert null.values[ABLATION]["wrong letters"][0, 1] == expected
    assert null_by_projection(mine, slack).judged[FULL_ABSORPTION].all()


def test_the_gate_takes_a_main_latent_as_on_above_its_level() -> None:
    """Above 0 latent 0 finds all four words of a with two of b; above .2 three of them, with none."""
    mine = by_hand()
    labels = torch.nn.functional.one_hot(mine.letters, 2).bool()
    main = {"a": [0], "b": [2]}
    asked: Any = {"names": "ab"}
    table: Any = gate(mine.csr, labels, mine.train, main, Thresholds(), **asked).set_index("letter")
    assert table.loc["a", ["recall", "precision"]].tolist() == pytest.approx([1.0, 4 / 6])
    level = calibrated_silence(mine)
    table = gate(mine.csr, labels, mine.train, main, Thresholds(), silence=level, **asked).set_index("letter")
    assert table.loc["a", ["recall", "precision"]].tolist() == pytest.approx([0.75, 1.0])


def test_a_rate_is_its_share_of_candidates_times_the_share_absorbed_among_them() -> None:
    table = with_factors(absorption_rates(under(WEAK), letters=["n", "t"], n_resamples=20))
    rows = table[table["definition"] == RELATIVE].set_index("letter")
    assert rows["share_candidates"].tolist() == pytest.approx(
        [0.1] * 3
    )  # 4 of 40 words of n and of t, and the mean
    assert rows.loc[["n", MEAN], "share_absorbed"].tolist() == pytest.approx(
        [1.0, 0.5]
    )  # t: a lead of 1 is too small
    assert table.loc[table["definition"] == FRACTION, "share_absorbed"].isna().all()

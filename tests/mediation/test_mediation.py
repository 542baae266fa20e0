"""Mediation on the planted model: each part's share, the curves, the layers and the edits are known by hand."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from tests.mediation.planted_letters import of_kind
from tests.planted_model import GAIN, planted
from tests.planted_model import planted_engine as engine
from tests.planted_model import planted_evidence as evidence

from absorption.ablation.effects import all_effects, clean_metrics
from absorption.definitions.thresholds import Thresholds
from absorption.mediation import editing as e
from absorption.mediation import removed_parts as p
from absorption.mediation.curve import AT_RANDOM, BY_EFFECT, BY_PROJECTION, curve_shares, removal_curve
from absorption.mediation.editing import edit_letters, letter_levels
from absorption.mediation.removed_parts import choose_words, mediate, mediation_shares
from absorption.one_sae import layers as y
from absorption.one_sae.layers import departure_depth, layer_effects

OFFSET = 1 - 1 / 26
"""A letter's projection less its mean over words: one word in 26 has the letter."""


def shares(kind: str, child: bool) -> dict[str, float]:
    """Each part's share of what removing the letter feature altogether costs."""
    table = mediate(engine(), evidence(), of_kind(kind, child))
    return {part: float(mine["effect"].mean()) / -GAIN for part, mine in table.groupby("part")}  # type: ignore[misc]


def test_the_main_latent_carries_all_where_it_is_on() -> None:
    found = shares("none", child=False)
    assert found[p.MAIN] == pytest.approx(1, abs=0.02)
    assert found[p.BOTH] == pytest.approx(1, abs=0.02)
    assert found[p.ALL] == pytest.approx(1, abs=0.02)
    assert found[p.RANDOM] == pytest.approx(0, abs=0.02)
    assert found[p.ABSORBING] == 0


def test_the_absorbing_latent_carries_all_where_the_main_latent_is_silent() -> None:
    found = shares("full", child=True)
    assert found[p.MAIN] == 0
    assert found[p.ABSORBING] == pytest.approx(1, abs=0.02)
    assert found[p.BOTH] == pytest.approx(1, abs=0.02)


def test_main_and_absorbing_latents_share_a_partially_absorbed_word() -> None:
    found = shares("partial", child=True)
    assert found[p.MAIN] == pytest.approx(0.4, abs=0.02)
    assert found[p.ABSORBING] == pytest.approx(0.6, abs=0.02)
    assert found[p.BOTH] == pytest.approx(1, abs=0.02)


def test_a_direction_is_moved_to_its_mean_over_words() -> None:
    found = shares("none", child=False)
    assert found[p.FILTER] == pytest.approx(OFFSET, abs=0.02)  # the filter here is the letter itself
    # The mean state speaks for all letters alike, so nothing is left of the metric.
    assert found[p.STATE] == pytest.approx(1, abs=0.01)


def test_random_latents_are_as_many_of_the_same_word_and_none_of_the_set() -> None:
    words = of_kind("two", child=True)
    sets = p.part_sets(engine(), evidence(), words, Thresholds(), seed=0)
    both, random = sets.members[p.BOTH], sets.members[p.RANDOM]
    assert not (both & random).any()
    counts = [torch.bincount(sets.where[m], minlength=len(words)) for m in (both, random)]
    assert counts[0].tolist() == [2] * len(words)
    assert counts[1].tolist() == [2] * len(words)  # each word has at least four others
    same = p.part_sets(engine(), evidence(), words, Thresholds(), seed=0).members[p.RANDOM]
    assert torch.equal(random, same)


def test_matched_latents_are_the_nearest_in_size() -> None:
    size = torch.tensor([5.0, 1.0, 4.5, 0.9, 3.0])
    taken = torch.tensor([True, True, False, False, False])
    where = torch.zeros(5, dtype=torch.long)
    chosen = p._matched(size, taken, where, np.random.default_rng(0))
    assert chosen.tolist() == [False, False, True, True, False]


def test_a_word_with_too_few_latents_borrows_none_from_another_word() -> None:
    size = torch.tensor([5.0, 4.0, 1.0, 5.0, 4.0])
    taken = torch.tensor([True, True, False, False, False])
    where = torch.tensor([0, 0, 0, 1, 1])
    chosen = p._matched(size, taken, where, np.random.default_rng(0))
    assert chosen.tolist() == [False, False, True, False, False]


def test_the_seed_decides_which_latent_is_matched_first() -> None:
    size = torch.tensor([5.0, 4.0, 4.4, 7.0, 2.0])
    taken, where = torch.tensor([True, True, False, False, False]), torch.zeros(5, dtype=torch.long)
    found = {
        tuple(p._matched(size, taken, where, np.random.default_rng(i)).nonzero()[:, 0].tolist())
        for i in range(9)
    }
    # Whichever comes first takes the 4.4; then 7 is the nearest to 5, and 2 the nearest to 4.
    assert found == {(2, 3), (2, 4)}


def test_shares_are_ratios_of_means_with_intervals_over_words() -> None:
    words = torch.cat([of_kind("none", child=False), of_kind("full", child=True)])
    parts = mediate(engine(), evidence(), words)
    table = mediation_shares(parts, whole=p.FILTER).set_index(["main_on", "part"])
    assert table.loc[(False, p.MAIN), "share"] == 0
    assert table.loc[(True, p.MAIN), "share"] == pytest.approx(1 / OFFSET, abs=0.02)
    assert table.loc[(False, p.BOTH), "share"] == pytest.approx(1 / OFFSET, abs=0.02)
    assert (table["low"] <= table["share"] + 1e-6).all()
    assert (table["share"] <= table["high"] + 1e-6).all()
    assert table.loc[(True, p.FILTER), "n_words"] == 24


def test_words_are_chosen_by_letter_and_by_whether_a_main_latent_is_on() -> None:
    words = choose_words(evidence(), 3, seed=0)
    frame = evidence().frame().iloc[words.numpy()]
    counts = frame.groupby(["letter", "candidate"]).size()
    assert (counts == 3).all()
    assert frame[~frame["candidate"]]["letter"].nunique() == 26
    assert torch.equal(words, choose_words(evidence(), 3, seed=0))
    assert not torch.equal(words, choose_words(evidence(), 3, seed=1))


def test_choosing_words_and_latents_warns_of_nothing() -> None:
    made, mine = engine(), evidence()
    torch.set_warn_always(
        True
    )  # PyTorch says most things once a process, which another test may have used up
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            words = choose_words(mine, 3, seed=0)
            p.part_sets(made, mine, words, Thresholds(), seed=0)
    finally:
        torch.set_warn_always(False)


def test_one_latent_removed_in_order_of_effect_costs_all_that_it_carries() -> None:
    effects = all_effects(engine(), planted().csr, of_kind("full", child=True), progress=False)
    curve = removal_curve(engine(), evidence(), effects, counts=(1, 50), seed=0)
    share = curve_shares(curve).set_index(["order", "n_latents"])["share"]
    assert share[BY_EFFECT, 1] == pytest.approx(1, abs=0.03)
    assert share[BY_PROJECTION, 1] == pytest.approx(1, abs=0.03)
    assert share[AT_RANDOM, 1] < 0.5
    assert share[AT_RANDOM, 50] == pytest.approx(1, abs=1e-5)


def test_an_unknown_order_is_refused() -> None:
    effects = all_effects(engine(), planted().csr, of_kind("full", child=True)[:1], progress=False)
    with pytest.raises(ValueError, match="order 'best' is unknown"):
        removal_curve(engine(), evidence(), effects, orders=("best",))


def test_the_words_token_matters_up_to_the_last_attention_layer() -> None:
    truth = planted()
    words = torch.arange(0, 1040, 40)
    acts = {0: truth.features, 1: truth.features}
    lines = {1: {y.FILTER: truth.directions}}
    table = layer_effects(truth.model, truth.prompts, words, acts, lines=lines, seed=0)
    effect = table.groupby(["depth", "kind"])["effect"].mean()
    # The mean state speaks for all letters alike; another word's state adds its own letter to the wrong ones.
    assert effect[0, y.MEAN] == pytest.approx(-GAIN, abs=0.02)
    assert effect[1, y.MEAN] == pytest.approx(-GAIN, abs=0.02)
    assert effect[1, y.OTHER] == pytest.approx(-GAIN * 26 / 25, abs=0.02)
    assert effect[1, y.FILTER] == pytest.approx(-GAIN * OFFSET, abs=0.02)
    assert (0, y.FILTER) not in effect.index
    metric = clean_metrics(engine(), words).numpy()
    assert table[(table["depth"] == 1) & (table["kind"] == y.MEAN)]["metric"].to_numpy() == pytest.approx(
        metric
    )


def test_other_words_are_of_another_letter_and_the_same_examples() -> None:
    prompts = planted().prompts
    words = torch.arange(0, 1040, 7)
    others = y.other_words(prompts, words, seed=0)
    assert (prompts.letters[others] != prompts.letters[words]).all()
    assert torch.equal(prompts.example_set[others], prompts.example_set[words])


def test_the_departure_is_where_the_effect_falls_through_half_of_its_largest() -> None:
    depths = [0, 10, 20, 30]
    curves = np.array([[-3.0, -4.0, -1.0, 0.0], [-5.0, -4.0, -1.0, 0.0]])
    rows = [(y.MEAN, word, d, curves[word, i]) for word in (0, 1) for i, d in enumerate(depths)]
    table = pd.DataFrame(rows, columns=["kind", "word", "depth", "effect"])
    found = departure_depth(table)
    # The mean falls from -4 at 10 to -1 at 20: through -2 at 16.67.
    assert found.value == pytest.approx(10 + 10 * 2 / 3)
    assert found.low <= found.value <= found.high
    flat = table.assign(effect=-1.0)
    assert departure_depth(flat).value == 30


def test_swapping_the_main_latents_moves_the_answer_by_both_letters() -> None:
    words = of_kind("none", child=False)
    table = edit_letters(engine(), evidence(), words, letter_levels(evidence(), evidence().words), seed=0)
    targets = table["target"].map(dict(zip(planted().words["letter"], planted().words["kind"], strict=False)))
    shift = table[targets.isin(["none", "full", "two", "partial"])].groupby("method")["shift"].mean()
    assert shift[e.NOTHING] == 0
    assert shift[e.SWAP_MAIN] == pytest.approx(2 * GAIN, abs=0.1)
    assert shift[e.SWAP_FILTER] == pytest.approx(2 * GAIN, abs=0.1)
    assert shift[e.OTHER_STATE] == pytest.approx(2 * GAIN, abs=0.1)
    assert ((table["answer"] == table["target"]) == table["edited"]).all()
    assert (table["target"] != table["letter"]).all()


def test_an_absorbed_word_needs_its_absorber_swapped_too() -> None:
    words = of_kind("full", child=True)
    table = edit_letters(engine(), evidence(), words, letter_levels(evidence(), evidence().words), seed=0)
    shift = table.groupby("method")["shift"].mean()
    assert shift[e.SWAP_MAIN] == pytest.approx(GAIN, abs=0.3)
    assert shift[e.SWAP_ALL] == pytest.approx(2 * GAIN, abs=0.3)


def test_levels_are_means_where_the_letter_is_present() -> None:
    levels = letter_levels(evidence(), torch.arange(1040))
    assert levels.filters.present.tolist() == pytest.approx([1.0] * 26)
    assert levels.filters.absent.tolist() == pytest.approx([0.0] * 26)
    assert (levels.means.present > levels.means.absent + 0.5).all()
    letters = planted().words["letter"].unique().tolist()
    assert float(levels.latent[letters.index("a")]) == pytest.approx(1.0, abs=1e-4)
    # t is on at full strength for 36 words and at .4 for 4.
    assert float(levels.latent[letters.index("t")]) == pytest.approx((36 + 4 * 0.4) / 40, abs=1e-4)


def test_swapping_needs_two_letters_with_a_main_latent() -> None:
    one = {letter: [] for letter in evidence().names} | {"a": [0]}
    with pytest.raises(ValueError, match="two are needed"):
        e.target_letters(replace(evidence(), main=one), torch.tensor([0]), seed=0)

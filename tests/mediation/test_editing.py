"""Letter edits as published: states, levels and probabilities by hand."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.planted_model import GAIN, planted
from tests.planted_model import planted_engine as engine

from absorption import plots
from absorption.ablation.engine import AblationEngine
from absorption.latents.sparse import SparseActs
from absorption.mediation import setting as s
from absorption.mediation.setting import LetterLatents, letter_latents, set_letters, words_a_letter
from absorption.one_sae.words import StudyWords
from absorption.probes.fit import ProbeSet
from absorption.probes.words import ProbedWords
from absorption.several_saes.published_edits import (
    best_sparsity,
    edited_by_letter,
    follows_f1,
    rate_texts,
    set_by_sae,
    set_rates,
)
from absorption.spelling.vocab import LETTERS


def probed() -> ProbedWords:
    """The planted words with the true probes; every second word is a test word."""
    words = planted().words.assign(split=np.where(np.arange(1040) % 2 == 0, "test", "train"))
    probes = ProbeSet(planted().directions, torch.full((26,), -0.5))
    return ProbedWords(words, planted().features, probes)


@cache
def found() -> LetterLatents:
    return letter_latents(planted().sae, probed(), SparseActs(planted().csr))


def test_the_own_latent_is_set_to_zero_and_the_new_one_to_its_level_not_added() -> None:
    latents = LetterLatents(
        latents=torch.tensor([5, 6, 5]),
        acts=torch.tensor([[2.0, 1.0, 2.0], [3.0, 0.0, 3.0]]),
        levels=torch.tensor([4.0, 5.0, 6.0]),
        f1=torch.zeros(3),
        decoder=torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]),
    )
    own, new = torch.tensor([0, 0]), torch.tensor([1, 2])
    states = s.set_states(torch.full((2, 2), 10.0), latents, torch.tensor([0, 1]), own, new, 2.0)
    # First: 2 of the own latent goes, the new one rises from 1 to 2 x 5. Second: one latent stands for both
    # letters, and rises from 3 to 2 x 6.
    assert states.tolist() == [[8.0, 19.0], [19.0, 10.0]]


def test_a_level_is_the_mean_over_the_letters_training_words_that_the_latent_is_on_for() -> None:
    letters = planted().words["letter"].unique().tolist()
    assert float(found().levels[letters.index("a")]) == pytest.approx(1.0, abs=1e-4)
    # t's latent is on at 1 for plain words and at .4 for its four child words, which are test words here.
    assert float(found().levels[letters.index("t")]) == pytest.approx(1.0, abs=1e-4)
    split = np.where(np.arange(1040) % 2 == 0, "train", "test")
    turned = ProbedWords(planted().words.assign(split=split), planted().features, probed().probes)
    levels = letter_latents(planted().sae, turned, SparseActs(planted().csr)).levels
    assert float(levels[letters.index("t")]) == pytest.approx((16 + 4 * 0.4) / 20, abs=1e-4)
    # m's latent is silent on its child words, which do not lower its level.
    assert float(levels[letters.index("m")]) == pytest.approx(1.0, abs=1e-4)


def test_f1_is_that_of_the_latent_being_on_at_the_test_words() -> None:
    letters = planted().words["letter"].unique().tolist()
    assert float(found().f1[letters.index("a")]) == pytest.approx(1.0)
    # Of m's 20 test words the latent is silent on 4, and it fires on no other letter's: 2 x 16 / (32 + 4).
    assert float(found().f1[letters.index("m")]) == pytest.approx(32 / 36)


def test_a_probability_is_that_among_the_answers() -> None:
    before, after = torch.zeros(2, 26), torch.zeros(2, 26)
    after[0, 3] = np.log(25.0)
    change = s.probability_change(before, after, torch.tensor([3, 3]))
    assert change.tolist() == pytest.approx([1 / 2 - 1 / 26, 0], abs=1e-6)


def test_probabilities_change_as_the_two_logits_change() -> None:
    words = torch.arange(1, 60)  # words of a, whose logit falls by GAIN; the new one rises by twice that
    table = set_letters(engine(), found(), words, strengths=(2.0, 0.0), seed=0)
    logits = engine().logits(words, engine().states(words)).double().numpy()
    names = planted().words["letter"].unique().tolist()
    for strength, mine in table.groupby("strength"):
        plain = mine["letter"].isin(["a"]).to_numpy() & mine["new"].isin(list("bcdef")).to_numpy()
        assert plain.sum() >= 5
        for at in np.flatnonzero(plain):
            new, changed = names.index(mine["new"].iloc[at]), logits[at].copy()
            changed[0] -= GAIN
            changed[new] += GAIN * float(strength)  # type: ignore[arg-type]
            was, now = (np.exp(x) / np.exp(x).sum() for x in (logits[at], changed))
            row = mine.iloc[at]
            assert row["p_own"] == pytest.approx(now[0] - was[0], abs=0.01)
            assert row["p_new"] == pytest.approx(now[new] - was[new], abs=0.01)
            assert row["edited"] or strength == 0  # ahead of all by GAIN
    assert not (table["edited"] & table["kept"]).any()


def test_an_absorbed_word_keeps_its_letter_when_its_latent_is_set_to_zero() -> None:
    words = torch.tensor(np.flatnonzero((planted().words["letter"] == "m") & (planted().words["child"] >= 0)))
    table = set_letters(engine(), found(), words, strengths=(0.0,))
    assert table["p_own"].to_numpy() == pytest.approx(0, abs=1e-6)
    assert table["kept"].tolist() == table["was_right"].tolist()


def test_words_are_drawn_by_letter_and_fewer_are_among_more() -> None:
    letters = engine().prompts.letters
    some, more = (words_a_letter(torch.arange(1040), letters, n, 0) for n in (3, 7))
    assert torch.bincount(letters[some]).tolist() == [3] * 26
    assert torch.bincount(letters[more]).tolist() == [7] * 26
    assert set(some.tolist()) < set(more.tolist())
    assert set(some.tolist()) != set(words_a_letter(torch.arange(1040), letters, 3, 1).tolist())


def test_new_letters_are_others_and_each_as_often_as_the_words_allow() -> None:
    own = torch.tensor([0] * 50 + [3] * 7)
    new = s.new_letters(own, 26, seed=0)
    assert (new != own).all()
    assert torch.bincount(new[:50], minlength=26).tolist() == [0] + [2] * 25
    assert len(set(new[50:].tolist())) == 7
    with pytest.raises(ValueError, match="two are needed"):
        s.new_letters(own, 1, seed=0)


def test_edits_by_sae_are_means_of_the_words_with_intervals() -> None:
    words = StudyWords(planted().model, planted().prompts, probed(), 0)
    chosen = words_a_letter(words.right, words.letters, 2, 0)
    table = set_by_sae(words, [planted().sae], chosen, strengths=(1.0,))
    alone = set_letters(
        AblationEngine(words.model, planted().sae, words.prompts), found(), chosen, strengths=(1.0,)
    )
    assert table["edited"].tolist() == alone["edited"].tolist()
    rates = set_rates(table).set_index("quantity")
    assert rates.loc["edited", "value"] == pytest.approx(table["edited"].mean())
    low, value, high = rates[["low", "value", "high"]].loc["p_own"].to_numpy(dtype=float).tolist()
    assert low < value < high
    assert rates["words"].tolist() == [len(chosen)] * 4
    assert rates["l0_text"].isna().all()


def cells(edited: list[float]) -> pd.DataFrame:
    """Two SAEs and four letters: F1 .1 to .8, with shares edited given in that order."""
    f1 = np.arange(1, 9) / 10
    return pd.DataFrame(
        {"sae": list("xy") * 4, "new": list("aabbccdd"), "f1": f1, "edited": edited, "words": 1}
    )


def test_edits_that_follow_f1_have_rank_correlation_one_and_those_against_it_minus_one() -> None:
    rising = follows_f1(cells([0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 0.9]))
    assert (rising.value, rising.low, rising.high) == pytest.approx((1, 1, 1))
    assert follows_f1(cells([0.9, 0.8, 0.6, 0.5, 0.3, 0.2, 0.1, 0.0])).high == pytest.approx(-1)
    mixed = follows_f1(cells([0.2, 0.9, 0.1, 0.8, 0.3, 0.7, 0.0, 0.6]))
    assert mixed.low < 0 < mixed.high
    assert np.isnan(follows_f1(cells([0.5] * 8).iloc[:2]).value)


def test_shares_by_letter_are_of_the_letter_put_in() -> None:
    table = pd.DataFrame(
        {
            "sae": "x", "letter": list("abab"), "new": list("ccdd"), "strength": [1.0, 1.0, 1.0, 3.0],
            "edited": [True, False, True, False], "f1_new": [0.4, 0.4, 0.6, 0.6], "word": range(4),
        }
    )  # fmt: skip
    rows = edited_by_letter(table, 1.0).set_index("new")
    assert rows["edited"].to_dict() == {"c": 0.5, "d": 1.0}
    assert rows["f1"].to_dict() == {"c": 0.4, "d": 0.6}


def edits_at(shares: dict[float, int]) -> pd.DataFrame:
    """100 words an SAE, of which so many are edited; SAEs by L0."""
    tables = [
        pd.DataFrame({"sae": f"l{l0}", "d_sae": 64, "l0_text": l0, "strength": 1.0, "word": range(100),
                      "edited": np.arange(100) < n})
        for l0, n in shares.items()
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def test_the_best_sparsity_lies_between_the_neighbours_of_the_best_tried() -> None:
    found = best_sparsity(edits_at({10.0: 10, 20.0: 90, 40.0: 30}), 100)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.1, 0.4))
    edge = best_sparsity(edits_at({10.0: 90, 20.0: 50, 40.0: 30}), 100)
    assert (edge.value, edge.low, edge.high) == pytest.approx((0.1, 0.0, 0.2))
    top = best_sparsity(edits_at({10.0: 10, 20.0: 50, 40.0: 90}), 100)
    assert (top.value, top.low, top.high) == pytest.approx((0.4, 0.2, 1.0))
    assert np.isnan(best_sparsity(edits_at({10.0: 10}), 100).value)


def test_every_letter_has_a_latent() -> None:
    assert len(found().latents) == len(LETTERS)
    roles = planted().latents.iloc[found().latents.tolist()]["role"]
    assert set(roles) <= {"main", "upper", "lower"}


def test_the_figures_show_every_sae_strength_and_letter() -> None:
    words = StudyWords(planted().model, planted().prompts, probed(), 0)
    chosen = words_a_letter(words.right, words.letters, 1, 0)
    table = set_by_sae(words, [planted().sae], chosen)
    rates = set_rates(table)
    drawn: Any = plots.mediation.set_edits(rates).data
    assert len(drawn) == 3 * len(s.STRENGTHS)
    shown = {trace.name: float(trace.x[0]) for trace in drawn}
    wanted = rates[(rates["quantity"] == "p_new") & (rates["strength"] == 3)]["value"].iloc[0]
    assert shown["P(new letter), 3 times the mean"] == pytest.approx(wanted)
    points: Any = plots.mediation.edited_by_f1(edited_by_letter(table, 1.0)).data
    assert sum(len(trace.x) for trace in points) == table["new"].nunique()
    texts = rate_texts(rates)
    assert texts["strength"].tolist() == [1.0, 3.0]
    assert texts["p_new"].iloc[1].startswith(f"{wanted:.2f} [")

"""Letter edits as published: states, levels and probabilities by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.mediation.planted_letters import found, probed
from tests.planted_model import GAIN, planted
from tests.planted_model import planted_engine as engine

from absorption.latents.sparse import SparseActs
from absorption.mediation import setting as s
from absorption.mediation.setting import LetterLatents, letter_latents, set_letters, words_a_letter
from absorption.probes.words import ProbedWords
from absorption.spelling.vocab import LETTERS


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


def test_every_letter_has_a_latent() -> None:
    assert len(found().latents) == len(LETTERS)
    roles = planted().latents.iloc[found().latents.tolist()]["role"]
    assert set(roles) <= {"main", "upper", "lower"}

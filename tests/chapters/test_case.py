"""Tables and figures of one absorbed word, on planted words where each value is known by construction."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from tests.planted_model import GAIN, planted
from tests.planted_model import planted_engine as engine
from tests.plots.reading import drawn_series

from absorption import ablation, latents, one_sae
from absorption.chapters.absorption.count import clean_first
from absorption.chapters.absorption.one_prompt import letter_words, prompt_activations
from absorption.chapters.absorption.roles import case_latents, letter_cosines, letter_roles, words_of
from absorption.one_sae.study import Study
from absorption.one_sae.words import StudyWords
from absorption.plots import case as figures
from absorption.plots import letters as letter_figures
from absorption.probes.fit import ProbeSet
from absorption.probes.words import ProbedWords
from absorption.spelling.vocab import LETTERS

pytestmark = pytest.mark.usefixtures("own_cache")


@cache
def mine() -> Study:
    truth = planted()
    split = np.where(np.arange(len(truth.words)) % 2 == 0, "test", "train")
    probes = ProbeSet(weights=truth.directions, biases=torch.full((26,), -0.5))
    probed = ProbedWords(truth.words.assign(split=split), truth.features, probes)
    return one_sae.study_saes(StudyWords(truth.model, truth.prompts, probed, seed=0), [truth.sae])[0]


def child_word(letter: str, child: int) -> int:
    words = planted().words
    return int(words.index[(words["letter"] == letter) & (words["child"] == child)][0])


def roles(letter: str, child: int) -> dict[str, int]:
    truth = planted()
    return {"main": truth.latent("main", letter), "absorbing": truth.latent("child", letter, child)}


@cache
def prompt() -> pd.DataFrame:
    """The word of letter m's second child, which is absorbed in full, among others of the letter."""
    words = letter_words(mine(), child_word("m", 1), n_words=7, seed=0)
    return prompt_activations(mine(), words, roles("m", 1))


def test_the_words_of_the_prompt_are_of_the_letter_with_the_case_in_the_middle() -> None:
    words = letter_words(mine(), child_word("m", 1), n_words=7, seed=0)
    table = planted().words.iloc[words.numpy()]
    assert len(set(words.tolist())) == 7
    assert set(table["letter"]) == {"m"}
    assert int(words[3]) == child_word("m", 1)
    assert letter_words(mine(), child_word("m", 1), n_words=99).shape == (40,)


def test_in_the_prompt_the_main_latent_is_off_on_the_absorbed_words_only_and_the_absorber_on_its_own() -> (
    None
):
    found = prompt().pivot(index="word", columns="role", values="activation")
    children = planted().words.set_index("word").loc[found.index, "child"]
    assert (found["main"] > 0.5).tolist() == (children == -1).tolist()
    assert (found["absorbing"] > 0.5).tolist() == (children == 1).tolist()
    assert prompt()["place"].tolist() == [place for place in range(1, 8) for _ in range(2)]


def test_decoder_cosines_are_those_computed_one_by_one() -> None:
    truth = planted()
    found = latents.decoder_cosines(truth.sae, truth.directions, roles("m", 1))
    assert found["letter"].tolist() == list(LETTERS) * 2
    for row in found.to_dict("records"):
        decoder = truth.sae.W_dec[row["latent"]]
        expected = float(decoder[LETTERS.index(row["letter"])] / decoder.norm())
        assert row["cosine"] == pytest.approx(expected, abs=1e-6)
    own = found[found["letter"] == "m"].set_index("role")["cosine"]
    assert own["main"] == pytest.approx(1, abs=1e-5)
    assert 0 < own["absorbing"] < 1


def test_all_cosines_mark_the_named_latents_and_hold_every_latent_once() -> None:
    truth = planted()
    named = {latent: role for role, latent in roles("m", 1).items()}
    found = latents.all_cosines(truth.sae, truth.directions[LETTERS.index("m")], named)
    assert sorted(found["latent"]) == list(range(truth.sae.d_sae))
    assert dict(found.tail(2)[["latent", "role"]].values.tolist()) == named
    assert set(found["role"][:-2]) == {"other"}
    encoder = truth.sae.W_enc[LETTERS.index("m")] / truth.sae.W_enc.norm(dim=0)
    by_latent = found.set_index("latent")["encoder_cosine"].sort_index()
    assert by_latent.to_numpy() == pytest.approx(encoder.numpy(), abs=1e-6)


def test_each_letter_s_largest_cosines_are_sorted_and_drawn() -> None:
    truth = planted()
    found = latents.cosines_by_letter(truth.sae, truth.directions, n_latents=3)
    assert len(found) == 26 * 3
    cosines = truth.sae.W_dec / truth.sae.W_dec.norm(dim=1, keepdim=True).clamp_min(1e-12)
    for letter, rows in found.groupby("letter"):
        expected = sorted(cosines[:, LETTERS.index(str(letter))].tolist(), reverse=True)[:3]
        assert rows["cosine"].tolist() == pytest.approx(expected, abs=1e-6)
        assert rows["rank"].tolist() == [1, 2, 3]
    drawn = drawn_series(letter_figures.cosines_by_letter(found))
    assert drawn["the largest"][0] == [letter.upper() for letter in LETTERS]
    assert drawn["the largest"][1] == found[found["rank"] == 1]["cosine"].tolist()
    assert drawn["the next"][1] == found[found["rank"] > 1]["cosine"].tolist()


def test_a_main_latent_stays_main_and_other_letters_absorbers_are_not_marked() -> None:
    found = pd.DataFrame({"word": [4.0, 9.0], "letter": ["m", "n"], "latent": [7, 8], "main_latent": [3, 2]})
    assert case_latents(found) == {"main": 3, "absorbing": 7}
    assert case_latents(found.iloc[:0]) == case_latents(found.assign(main_latent=np.nan)) == {}
    assert letter_roles([3, 7], found, "m") == {3: "main", 7: "main"}
    assert letter_roles([2], found, "n") == {2: "main", 8: "absorbing"}
    assert words_of(found, 1).tolist() == [4]
    assert words_of(found.iloc[:0], 5).shape == (0,)
    letter = letter_cosines(mine(), {"n": [2]}, found, "n")
    assert dict(letter.tail(2)[["latent", "role"]].values.tolist()) == {2: "main", 8: "absorbing"}


def test_the_best_wrong_letter_is_the_other_baseline() -> None:
    logits = torch.zeros(2, 26)
    logits[0, 3], logits[0, 7] = 5.0, 2.5
    logits[1] = torch.arange(26.0)
    assert ablation.margin_metric(logits, torch.tensor([3, 25])).tolist() == [2.5, 1.0]
    assert ablation.margin_metric(logits, torch.tensor([7, 0])).tolist() == [-2.5, -25.0]


@cache
def effects() -> pd.DataFrame:
    words = torch.tensor([child_word("m", 1), child_word("a", 0)])
    return ablation.effects_by_baseline(engine(), mine().acts.csr, words)


def test_effects_under_the_paper_s_baseline_are_those_of_the_engine() -> None:
    words = torch.tensor([child_word("m", 1), child_word("a", 0)])
    expected = ablation.all_effects(engine(), mine().acts.csr, words, progress=False)
    both = effects().merge(expected, on=["word", "letter", "latent"], validate="one_to_one")
    assert len(both) == len(expected) == len(effects())
    assert both["mean_effect"].to_numpy() == pytest.approx(both["effect"].to_numpy(), abs=1e-4)


def test_removing_the_whole_letter_costs_both_metrics_its_logit() -> None:
    """Only the right letter's logit falls, so it does not matter what it is compared with."""
    absorber = effects().query(f"latent == {roles('m', 1)['absorbing']}").iloc[0]
    assert absorber["mean_effect"] == pytest.approx(-GAIN, rel=0.02)
    assert absorber["max_effect"] == pytest.approx(-GAIN, rel=0.02)


def test_the_share_of_words_with_one_strongest_latent_is_counted_by_word() -> None:
    table = pd.DataFrame(
        {
            "word": [1, 1, 2, 2], "latent": [5, 6, 5, 6],
            "mean_effect": [-3.0, 1.0, -1.0, -2.0], "max_effect": [-1.0, -0.5, -2.0, 4.0],
        }
    )  # fmt: skip
    assert ablation.same_strongest(table).value == 0.5


def test_the_prompt_s_figure_draws_each_role_s_activations_at_its_words() -> None:
    fig = figures.prompt_activations(prompt(), planted().words["word"].iloc[child_word("m", 1)])
    drawn = drawn_series(fig)
    assert list(drawn) == ["main", "absorbing"]
    for role, (places, activations) in drawn.items():
        rows = prompt()[prompt()["role"] == role]
        assert [round(place) for place in places] == rows["place"].tolist()
        assert activations == rows["activation"].tolist()
    bold = [label.get_fontweight() == "bold" for label in fig.figure.axes[0].get_xticklabels()]
    assert [number for number, one in enumerate(bold) if one] == [3]


def test_the_cosine_figures_draw_the_tables() -> None:
    truth = planted()
    few = latents.decoder_cosines(truth.sae, truth.directions, roles("m", 1))
    fig = figures.decoder_cosines(few, "m")
    upper = [letter.upper() for letter in LETTERS]
    assert drawn_series(fig) == {
        role: (upper, few[few["role"] == role]["cosine"].tolist()) for role in ("main", "absorbing")
    }
    labels = fig.figure.axes[0].get_xticklabels()
    assert [label.get_text() for label in labels if label.get_fontweight() == "bold"] == ["M"]
    table = pd.DataFrame(
        {"latent": [0, 1, 2], "encoder_cosine": [0.1, 0.2, 0.3], "decoder_cosine": [0.4, 0.5, 0.6],
         "role": ["other", "main", "absorbing"]}
    )  # fmt: skip
    assert drawn_series(figures.all_cosines(table)) == {
        "other": ([0.1], [0.4]), "main": ([0.2], [0.5]), "absorbing": ([0.3], [0.6]),
    }  # fmt: skip


def test_the_figure_of_both_metrics_draws_every_effect_and_the_line_of_equality() -> None:
    table = pd.DataFrame({"latent": [1, 2], "mean_effect": [-3.0, 0.5], "max_effect": [-2.0, 1.0]})
    assert drawn_series(figures.two_baselines(table)) == {
        "equal": ([-3.0, 1.0], [-3.0, 1.0]),
        "a latent of a word": ([-3.0, 0.5], [-2.0, 1.0]),
    }


def test_words_of_letters_with_clean_main_latents_come_first_each_by_its_lead() -> None:
    """F1 of precision .9 and recall .6 is .72; of .8 and .6 it is .686."""
    gate = pd.DataFrame({"letter": ["a", "b", "c"], "precision": [0.8, 0.9, 0.0], "recall": [0.6, 0.6, 0.0]})
    absorbed = pd.DataFrame({"letter": ["a", "b", "c", "b"], "lead": [5.0, 4.0, 3.0, 2.0]})
    found = clean_first(absorbed, gate)
    assert found["lead"].tolist() == [4.0, 2.0, 5.0, 3.0]
    assert found["main_f1"].round(3).tolist() == [0.72, 0.72, 0.686, 0.0]
    assert clean_first(absorbed.iloc[:0], gate).empty

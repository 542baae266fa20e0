"""Which latents are asked about, and whether the letter is found in them, on an SAE in which all is known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from tests.composition.planted_rows import meta_of, words_and_letters
from tests.planted_model import D_MODEL, GAIN, planted, planted_engine
from tests.planted_study import true_evidence

from absorption.composition import asked as module
from absorption.composition.asked import ABSORBING, MATCHED, NO_LETTER, OTHERS, Heard, letter_cosines
from absorption.composition.judges import BY_DIRECTION, Judge, judge_latents, share_drawn, verdicts_of
from absorption.composition.parts import (
    BIAS,
    LEFT,
    LETTER,
    OTHER,
    WHOLE,
    Decoder,
    by_ablation,
    few_words,
    part_effects,
    share_of_parts,
)
from absorption.composition.replaced import Parts, replace_latents, replaceable
from absorption.composition.training import MetaRecipe, train_meta
from absorption.composition.weights import MetaSae
from absorption.definitions.apply import apply_projection_rules
from absorption.definitions.evidence import Evidence
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.spelling.vocab import LETTERS


@cache
def judged() -> pd.DataFrame:
    return apply_projection_rules(true_evidence(), Thresholds())


@cache
def true_meta() -> MetaSae:
    """The planted features themselves as meta-latents: each decoder row is exactly a sum of them."""
    rows = planted().sae.decoder_directions
    return meta_of(torch.eye(D_MODEL), rows)


def nothing_heard() -> Heard:
    n = planted().sae.d_sae
    return Heard(np.full(n, NO_LETTER), np.zeros(n, dtype=bool))


@cache
def true_judge() -> Judge:
    return Judge(true_meta(), nothing_heard(), letter_cosines(true_meta().decoder, planted().directions))


@cache
def absorbing() -> pd.DataFrame:
    return module.absorbing_latents(true_evidence(), judged(), list(LETTERS))


def test_absorbing_latents_are_the_planted_children() -> None:
    truth = planted().latents
    found = truth.loc[absorbing()["latent"]]
    assert set(found["role"]) <= {"child", "twin"}
    assert (found["letter"].to_numpy() == absorbing()["letter"].to_numpy()).all()
    full = truth[(truth["role"] == "child") & truth["letter"].isin(list("mnopqrs"))]
    assert set(full.index) <= set(absorbing()["latent"])
    assert not found["letter"].isin(list("abcdefghijkltuvwx")).any()
    assert absorbing()["words"].map(len).eq(1).all()
    only = module.absorbing_latents(true_evidence(), judged(), ["m"])
    assert set(only["letter"]) == {"m"}


def small_evidence(main: dict[str, list[int]]) -> Evidence:
    """Ten words of letters a and b, all both judged and trained on; five latents."""
    on = torch.zeros(10, 5)
    on[:4, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0])  # four words of a
    on[:3, 1] = 1.0
    on[5, 1] = 1.0  # three of a, one of b
    on[[0, 5, 6], 2] = 1.0  # one of a, two of b
    on[[4, 7], 3] = 1.0  # on for two words only
    eye = torch.eye(6)
    return Evidence(
        csr=on.to_sparse_csr(), letters=torch.tensor([0] * 5 + [1] * 5), words=torch.arange(10),
        train=torch.arange(10), acts=eye[:1].expand(10, -1), directions=eye[:2], decoder=eye[[0, 0, 1, 2, 3]],
        main=main, names=("a", "b"),
    )  # fmt: skip


def test_a_latent_is_a_letters_if_half_of_its_training_words_are() -> None:
    heard = module.hear(small_evidence({}))
    assert heard.letter.tolist() == [0, 0, 1, NO_LETTER, NO_LETTER]
    assert heard.known.tolist() == [True, True, True, False, False]


def test_others_are_of_the_letter_and_neither_main_nor_absorbing() -> None:
    evidence = small_evidence({"a": [3]})
    one = pd.DataFrame(
        {"group": [ABSORBING], "letter": ["a"], "latent": [1], "cosine": [0.9], "words": [[2]]}
    )
    others = module.other_latents(evidence, module.hear(evidence), one)
    assert others[["letter", "latent"]].values.tolist() == [["a", 0]]
    assert others["words"].iloc[0] == [3, 2, 1, 0]  # the strongest first
    none_left = module.other_latents(small_evidence({"a": [0]}), module.hear(evidence), one)
    assert none_left.empty


def test_matched_latents_are_the_nearest_in_cosine_each_once() -> None:
    given = pd.DataFrame(
        {"group": ABSORBING, "letter": list("aaab"), "latent": [0, 1, 2, 3], "cosine": [0.4, 0.395, 0.2, 0.3],
         "words": [[1]] * 4},
    )  # fmt: skip
    pool = pd.DataFrame(
        {"group": OTHERS, "letter": list("aaab"), "latent": [5, 6, 7, 8], "cosine": [0.393, 0.402, 0.2, 0.9],
         "words": [[1], [2], [], [3]]},
    )  # fmt: skip
    found = module.matched_latents(given, pool)
    # 6 is nearest to 0; 7 is on for no word; 8 is too far from 3
    assert found[["latent", "pair"]].to_numpy().tolist() == [[6, 0], [5, 1]]
    assert set(found["group"]) == {MATCHED}
    both = pd.concat([given, found], ignore_index=True)
    assert module.with_a_match(both)["latent"].tolist() == [0, 1]
    assert module.with_a_match(given.assign(pair=-1)).empty


def test_judges_ask_the_other_latents_and_the_direction() -> None:
    """Meta-latent 0 is on at latents 0 to 3, of which 0, 1 and 2 are a's; meta-latent 1 at 0, 4, 5 and 6."""
    weights = torch.zeros(7, 2)
    weights[:4, 0], weights[[0, 4, 5, 6], 1] = 1.0, 0.5
    heard = Heard(np.array([0, 0, 0, 1, 1, 1, -1]), np.array([True] * 6 + [False]))
    cosines = np.array([[0.05, 0.04], [0.1, 0.3]])
    judge = Judge(meta_of(torch.eye(2), weights), heard, cosines)
    np.testing.assert_allclose(
        judge.shares(0, 0), [2 / 3, np.nan]
    )  # of meta-latent 1 only two others are known
    assert judge.by_latents(0, 0)
    assert not judge.by_latents(0, 1)
    assert judge.by_latents(3, 0)  # all three others are a's
    assert not judge.by_latents(4, 1)
    assert judge.direction.tolist() == [-1, 1]
    assert judge.by_direction(0, 1)
    assert not judge.by_direction(0, 0)
    assert not judge.by_direction(1, 1)
    assert judge.base.tolist() == [0.5, 0.5]
    assert judge.by_lift(3, 0)  # 1 is twice one half
    assert not judge.by_lift(0, 0)


def test_a_trained_meta_sae_takes_word_and_letter_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    rows, letter, letters = words_and_letters()
    meta = train_meta(rows, MetaRecipe(n_latents=90, k=2, steps=700, batch=128, lr=3e-3))
    judge = Judge(
        meta, Heard(letter.numpy(), np.ones(len(rows), dtype=bool)), letter_cosines(meta.decoder, letters)
    )
    names = list("abcdef")
    asked = pd.DataFrame(
        {"group": ABSORBING, "latent": range(len(rows)), "letter": [names[i] for i in letter]}
    )
    right = judge_latents(judge, asked, names)
    wrong = judge_latents(judge, asked.assign(letter=[names[(i + 1) % 6] for i in letter]), names)
    assert right[BY_DIRECTION].mean() > 0.95
    assert wrong[BY_DIRECTION].mean() < 0.05


def test_shares_are_drawn_over_latents_and_seeds() -> None:
    tables = [
        pd.DataFrame({"group": ["x", "x", "y"], "z": held})
        for held in ([True, True, False], [False, False, True])
    ]
    verdicts = verdicts_of(tables, "z", "x")
    assert verdicts.tolist() == [[1.0, 1.0], [0.0, 0.0]]
    drawn = share_drawn(verdicts)
    assert drawn[0] == 0.5
    assert {0.0, 0.5, 1.0} == set(drawn[1:])
    assert np.isnan(share_drawn(np.zeros((2, 0)))).all()


def effects_of(meta: MetaSae) -> pd.DataFrame:
    judge = Judge(meta, nothing_heard(), letter_cosines(meta.decoder, planted().directions))
    rows = planted().sae.W_dec
    decoder = Decoder(planted().sae.decoder_directions, rows.norm(dim=1), true_evidence().csr)
    mine = absorbing()[absorbing()["letter"].isin(["m", "s"])]
    return part_effects(planted_engine(), decoder, judge, mine, LETTERS)


def test_the_letters_part_has_the_whole_effect() -> None:
    effects = effects_of(true_meta())
    for part, expected in ((WHOLE, -GAIN), (LETTER, -GAIN), (OTHER, 0.0), (BIAS, 0.0), (LEFT, 0.0)):
        found = effects.loc[effects["part"] == part, "effect"]
        assert len(found) == 8
        assert found.to_numpy() == pytest.approx(expected, abs=0.02), part
    verdicts = by_ablation(effects, lead=1.0)
    assert verdicts["holds"].all()
    assert len(verdicts) == 8
    assert verdicts["largest"].to_numpy() == pytest.approx(1.0, abs=0.01)
    assert by_ablation(effects, lead=2 * GAIN).empty
    shares = share_of_parts(effects, lead=1.0).set_index("part")["value"]
    assert shares.to_dict() == pytest.approx({LETTER: 1.0, OTHER: 0.0, BIAS: 0.0, LEFT: 0.0}, abs=0.01)


def test_a_meta_sae_without_the_letters_leaves_the_effect_over() -> None:
    blind = planted().sae.decoder_directions.clone()
    blind[:, :26] = 0
    effects = effects_of(meta_of(torch.eye(D_MODEL), blind))
    assert not by_ablation(effects, lead=1.0)["holds"].any()
    shares = share_of_parts(effects, lead=1.0).set_index("part")["value"]
    assert shares[LEFT] == pytest.approx(1.0, abs=0.01)
    assert shares[LETTER] == 0.0


def test_few_latents_and_words_are_drawn_of_each_group() -> None:
    table = pd.DataFrame(
        {"group": [ABSORBING] * 4 + [MATCHED], "letter": "a", "latent": range(5), "cosine": 0.1,
         "words": [[1, 2, 3], [4], [], [5, 6], [7, 8]]},
    )  # fmt: skip
    few = few_words(table, (ABSORBING, MATCHED), n_latents=2, n_words=2, seed=0)
    assert few["group"].tolist() == [ABSORBING, ABSORBING, MATCHED]
    assert 2 not in few["latent"].tolist()
    assert few["words"].map(len).max() == 2


def replaced(main: dict[str, list[int]] | None = None) -> Evidence:
    evidence = true_evidence()
    latents = replaceable(absorbing()["latent"].tolist(), evidence.main)
    found = replace_latents(evidence, latents, Parts(true_meta().weights, true_meta().decoder))
    return found if main is None else replace(found, main=main)


def test_replacing_latents_by_their_parts_changes_nothing_that_is_written() -> None:
    before, after = true_evidence(), replaced()
    n = before.decoder.shape[0]
    assert after.csr.shape == (before.csr.shape[0], n + D_MODEL)
    written = [one.csr.to_dense().float() @ one.decoder.float() for one in (before, after)]
    torch.testing.assert_close(*written, atol=1e-4, rtol=1e-4)
    assert after.csr.to_dense()[:, absorbing()["latent"].unique()].abs().max() == 0


def test_a_letters_meta_latent_is_an_absorber_until_it_is_a_main_latent() -> None:
    def rate(evidence: Evidence) -> pd.Series:
        table = apply_projection_rules(evidence, Thresholds())
        return table[table["definition"] == FULL_ABSORPTION].groupby("letter")["absorbed"].mean()

    before, kept = rate(true_evidence()), rate(replaced())
    assert before["m"] > 0
    assert kept["m"] == before["m"]  # one direction, with a cosine of 1, carries the letter now
    n = true_evidence().decoder.shape[0]
    main = {letter: [*mine, n + LETTERS.index(letter)] for letter, mine in true_evidence().main.items()}
    assert rate(replaced(main)).max() == 0


def test_main_latents_are_not_replaced() -> None:
    assert replaceable([3, 1, 3, 2], {"a": [2], "b": [9]}) == [1, 3]


def test_a_direction_that_two_latents_hold_gets_their_sum() -> None:
    evidence = replace(small_evidence({}), csr=torch.tensor([[2.0, 3.0, 1.0, 0.0, 0.0]] * 10).to_sparse_csr())
    weights = sp.csr_matrix(np.array([[0.5, 0.0], [1.0, 2.0], [0, 0], [0, 0], [0, 0]]))
    found = replace_latents(evidence, [0, 1], Parts(weights, torch.eye(6)[:2]))
    assert found.csr.to_dense()[0].tolist() == [0.0, 0.0, 1.0, 0.0, 0.0, 4.0, 6.0]

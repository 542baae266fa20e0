"""The words that the probe gets and the latent misses: exactly the absorbed one, carried by its absorber."""

import dataclasses

import pytest
import torch
from tests.latents.hand_made import ABSORBER, KEEPER, MAIN_A, encoded, probed, sae, sparse

from absorption.latents.select import SINGLE_LATENT_SELECTIONS
from absorption.latents.words import missed_words, top_words


@pytest.mark.parametrize("selection", SINGLE_LATENT_SELECTIONS)
def test_exactly_the_absorbed_word_is_missed(selection: str) -> None:
    table = missed_words(sae(), probed(), encoded(), selection=selection)
    assert table["word"].tolist() == [" absorbed"]
    row = table.iloc[0]
    assert (row["letter"], row["latent"], row["carrier"]) == ("a", MAIN_A, ABSORBER)
    assert row["probe_logit"] == pytest.approx(4 - 2)
    # It adds 1 along the probe; the word lies 1 - 10/260 beyond the mean word.
    assert row["instead"] == f"{ABSORBER} ({1 / (1 - 10 / 260):.0%})"


def test_a_word_that_the_probe_gets_wrong_is_not_counted() -> None:
    here = probed()
    here.acts[8, 0] = 0.4  # 4 * .4 - 2 is below 0
    assert missed_words(sae(), here, encoded()).empty


def test_a_training_word_is_not_counted() -> None:
    here = probed()
    words = here.words.copy()
    words.loc[8, "split"] = "train"
    assert missed_words(sae(), dataclasses.replace(here, words=words), encoded()).empty


def test_carriers_come_strongest_first_and_only_those_along_the_probe() -> None:
    here, made = probed(), sae()
    dense = encoded().csr.to_dense()
    dense[8, 30], dense[8, KEEPER], dense[8, 31] = 2.0, 1.0, 1.0
    made.sae.W_dec[30, 0] = 0.25  # carries half as much as the absorber
    made.sae.W_dec[31, 0] = -1.0  # speaks against the letter; the keeper's decoder is orthogonal
    row = missed_words(made, here, sparse(dense)).iloc[0]
    assert row["instead"].split(" ")[0] == str(ABSORBER)
    assert [part.split(" ")[0] for part in row["instead"].split(", ")] == [str(ABSORBER), "30"]
    assert missed_words(made, here, sparse(dense), top=1).iloc[0]["instead"].count("(") == 1


def test_a_word_with_nothing_along_the_probe_has_no_carrier() -> None:
    dense = encoded().csr.to_dense()
    dense[8] = 0
    row = missed_words(sae(), probed(), sparse(dense)).iloc[0]
    assert (row["instead"], row["carrier"]) == ("", -1)


def test_words_are_sorted_by_letter_and_word() -> None:
    dense = torch.zeros_like(encoded().csr.to_dense())
    dense[:40] = encoded().csr.to_dense()[:40]
    table = missed_words(sae(), probed(), sparse(dense), selection="encoder cosine")
    assert len(table) == 1 + 2 * 22
    assert table[["letter", "word"]].apply(tuple, axis=1).is_monotonic_increasing


def test_top_words_name_a_latent_by_the_words_it_is_strongest_on() -> None:
    dense = torch.zeros(260, 4)
    dense[[8, 9, 20, 30], 1] = torch.tensor([1.0, 4.0, 3.0, 2.0])
    names = top_words(sparse(dense), probed().words, [1, 2], n_words=3)
    assert names == {1: "kept, c0, d0", 2: "never on"}
    assert top_words(sparse(dense), probed().words, []) == {}


def test_the_same_word_with_and_without_a_space_is_named_once() -> None:
    words = probed().words
    words.loc[9, "word"] = "absorbed"
    dense = torch.zeros(260, 1)
    dense[[8, 9], 0] = torch.tensor([1.0, 2.0])
    assert top_words(sparse(dense), words, [0]) == {0: "absorbed"}

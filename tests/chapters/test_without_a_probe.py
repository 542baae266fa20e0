"""Scores of latent pairs by hand, ROC against scikit-learn, and planted pairs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from tests.settings_of import settings_of

from absorption.chapters.settings import WithoutProbeSettings
from absorption.chapters.without_a_probe import labelled_pairs, planted_pairs
from absorption.definitions.evidence import Evidence
from absorption.latents.sparse import SparseActs
from absorption.latents.unlabelled import SCORES
from absorption.planted.alphabet import Alphabet
from absorption.planted.saes import absorbing, merged, split
from absorption.toy import roc
from absorption.toy.worlds import four_features

WORLD = four_features(hierarchy=True)
SMALL = Alphabet(n_words=60, families=(3, 3, 2, 2), d_model=220)


def test_planted_truth_is_the_letters_and_their_absorbing_families() -> None:
    truth = planted_pairs.planted_truth(absorbing(SMALL, 1.0))
    assert truth.sum() == 26 * 2
    assert not planted_pairs.planted_truth(absorbing(SMALL, 0.4)).any()
    assert planted_pairs.planted_truth(absorbing(SMALL, 1.0, twins=True)).sum() == 26 * 4
    for case in (split(SMALL), merged(SMALL)):
        assert not planted_pairs.planted_truth(case).any()


def test_trained_truth_is_the_descendant_that_carries(plant) -> None:
    assert np.argwhere(planted_pairs._truth(plant(WORLD, 1.0), WORLD)).tolist() == [[0, 1]]
    assert not planted_pairs._truth(plant(WORLD, 0.2), WORLD).any()


def test_pairs_of_all_trained_saes_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planted_pairs, "TRIED", {"L1": 0.03, "TopK": 1.0})
    few = settings_of(WithoutProbeSettings, n_samples_fast=100 * 1024, n_seeds=1, workers=1)
    pairs = planted_pairs.trained_pairs(few).pairs
    assert list(pairs.columns) == planted_pairs.COLUMNS
    assert pairs["sae"].nunique() == len(planted_pairs.WORLDS) * len(planted_pairs.TRIED)
    assert (pairs["i"] != pairs["j"]).all()


def labelled_toy() -> tuple[labelled_pairs.Labelled, pd.DataFrame]:
    case = absorbing(SMALL, 1.0, hole=1.5)
    sae = case.sae()
    acts = SparseActs(sae.encode(SMALL.acts).to_sparse_csr())
    letters = torch.arange(len(SMALL.acts)) // SMALL.n_words
    main = {
        letter: [n for n, latent in enumerate(case.latents) if latent.role == "letter" and list(latent.writes) == [i]]
        for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz")
    }  # fmt: skip
    evidence = Evidence(
        csr=acts.csr, letters=letters, words=torch.arange(len(letters)),
        train=torch.arange(len(letters)), acts=SMALL.acts, directions=SMALL.directions[:26], decoder=sae.W_dec,
        main=main,
    )  # fmt: skip
    found = labelled_pairs.labelled_pairs(sae, evidence, acts, list(main))
    areas = roc.areas(found.pairs, list(SCORES), unit="letter")
    return found, areas.assign(pairs=labelled_pairs.LANGUAGE)


def test_the_labelled_metric_names_the_planted_pairs_and_the_scores_find_them() -> None:
    found, areas = labelled_toy()
    true = found.pairs[found.pairs["truth"]]
    assert len(true) == 26 * 2
    assert (true["words"] == 3).all()
    low = dict(zip(areas["score"], areas["auc_low"], strict=True))
    assert low["cosine and exclusion"] > 0.95
    assert found.quantiles.query("score == 'cosine and exclusion'")["quantile"].min() > 0.9
    first = labelled_pairs.strongest(
        replace(found, top_words=pd.Series({0: "x"})), "cosine and exclusion", n=10
    )
    assert (first["words"] > 0).mean() > 0.8


def test_the_page_claims_no_more_than_the_intervals() -> None:
    row = {"auc_low": 0.49, "precision": 0.9}
    assert "no better than chance" in labelled_pairs.conclusion(row)
    assert "no detector" in labelled_pairs.conclusion({"auc_low": 0.8, "precision": 0.1})
    assert "finds most" in labelled_pairs.conclusion({"auc_low": 0.8, "precision": 0.7})

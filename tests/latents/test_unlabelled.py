"""Scores of latent pairs by hand, ROC against scikit-learn, and planted pairs."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import average_precision_score, roc_auc_score

from absorption.latents.unlabelled import SCORES, SaeView
from absorption.planted.alphabet import Alphabet
from absorption.toy import roc
from absorption.toy.worlds import four_features

WORLD = four_features(hierarchy=True)
SMALL = Alphabet(n_words=60, families=(3, 3, 2, 2), d_model=220)


def view(plant, d: float) -> SaeView:
    sae = plant(WORLD, d)
    acts = sae.encode(WORLD.sample(20_000, 0) @ WORLD.directions)
    return SaeView(sae.W_enc.T.numpy(), sae.W_dec.numpy(), csr_matrix(acts.numpy()))


def test_scores_of_full_absorption_by_hand(plant) -> None:
    found = {name: values[0, 1] for name, values in view(plant, 1.0).scores().items()}
    half = 2**-0.5  # f1's latent writes f0 + f1
    assert found["decoder cosine"] == pytest.approx(half, abs=1e-5)
    assert found["asymmetry"] == pytest.approx(half, abs=1e-5)  # f0's latent reads nothing of it
    assert found["exclusive firing"] == 1
    assert found["carried and exclusion"] == pytest.approx(1, abs=1e-4)  # as long as f0's latent ever is


def test_the_true_dictionary_has_no_score_but_chance_exclusion(plant) -> None:
    found = view(plant, 0.0).scores()
    off = ~np.eye(4, dtype=bool)
    for name in set(SCORES) - {"exclusive firing"}:
        assert found[name][off].max() < 1e-4
    assert found["exclusive firing"][0, 1] == 0  # f1 never fires without f0


def test_the_pair_is_ordered_by_who_stopped_reading(plant) -> None:
    asymmetry = view(plant, 1.0).asymmetry
    assert asymmetry[0, 1] > 0.5  # f0's latent has learned not to read f1's row
    assert asymmetry[1, 0] == pytest.approx(
        0.7071, abs=1e-3
    )  # nor does f1's latent read f0: no order from this alone
    carried = view(plant, 0.3).carried
    assert carried[0, 1] == pytest.approx(0.3, abs=0.02)


def test_silent_latents_are_not_alive(plant) -> None:
    sae = plant(WORLD, 0.0)
    sae.b_enc[2] = -10
    acts = sae.encode(WORLD.sample(1000, 0) @ WORLD.directions)
    seen = SaeView(sae.W_enc.T.numpy(), sae.W_dec.numpy(), csr_matrix(acts.numpy()))
    assert seen.alive.tolist() == [True, True, False, True]
    assert np.isfinite(list(seen.scores().values())).all()


def test_areas_agree_with_scikit_learn_ties_and_weights_included() -> None:
    random = np.random.default_rng(0)
    truth = random.random(500) < 0.1
    values = np.round(random.random(500) + 0.3 * truth, 1)
    weights = random.integers(0, 3, 500).astype(float)
    found = roc._Ranked(values, truth).areas(weights)
    kept = weights > 0
    expected = [
        float(of(truth[kept], values[kept], sample_weight=weights[kept]))
        for of in (roc_auc_score, average_precision_score)
    ]
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_score_that_knows_nothing_is_at_chance() -> None:
    random = np.random.default_rng(1)
    pairs = pd.DataFrame({"truth": random.random(5000) < 0.05, "s": random.random(5000)})
    row = roc.areas(pairs.assign(unit=np.arange(5000) % 50), ["s"], unit="unit").iloc[0]
    assert row["auc_low"] < 0.5 < row["auc_high"]
    assert row["precision_low"] < row["base_rate"] * 1.3
    assert row["base_rate"] == pytest.approx(0.05, abs=0.01)


def test_without_true_pairs_areas_are_undefined() -> None:
    pairs = pd.DataFrame({"truth": [False] * 4, "s": [1.0, 2.0, 3.0, 4.0], "unit": [0, 0, 1, 1]})
    assert np.isnan(roc.areas(pairs, ["s"], unit="unit").iloc[0]["auc"])


def test_precision_at_k_counts_from_the_top() -> None:
    pairs = pd.DataFrame({"truth": [True, False, True, False], "s": [4.0, 3.0, 2.0, 1.0]})
    table = roc.precision_at(pairs, "s", [1, 2, 4, 100])
    assert table["precision"].tolist() == [1.0, 0.5, 0.5]
    assert table["base_rate"].unique().tolist() == [0.5]

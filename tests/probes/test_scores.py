"""Scores by letter: by hand, against scikit-learn, and with intervals that a seed reproduces."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score
from tests.probes.test_probed_words import words_with_acts

from absorption.probes.scores import (
    METRICS,
    auroc_samples,
    letter_scores,
    mean_scores,
    prevalence_f1,
    score_probes,
    score_splits,
)
from absorption.probes.words import PROBES
from absorption.spelling.vocab import LETTERS


def case(n_words: int = 300, n_levels: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores with many ties, and letters that they tell something about."""
    generator = torch.Generator().manual_seed(seed)
    letters = torch.randint(26, (n_words,), generator=generator)
    letters[:26] = torch.arange(26)
    labels = torch.nn.functional.one_hot(letters, 26).bool()
    raw = torch.randn(n_words, 26, generator=generator) + 2 * labels
    return (raw * n_levels / 4).round() - 1, labels


def cell(table: pd.DataFrame, letter: str, metric: str) -> pd.Series:
    return table[(table["letter"] == letter) & (table["metric"] == metric)].iloc[0]


def test_precision_recall_f1_and_auroc_by_hand() -> None:
    scores, labels = torch.full((6, 26), -1.0), torch.zeros(6, 26, dtype=torch.bool)
    labels[:3, 0] = True
    labels[3:, 1] = True
    scores[:, 0] = torch.tensor([2.0, 1.0, -1.0, 1.0, -1.0, -2.0])
    table = letter_scores(scores, labels, n_resamples=50)
    found = {metric: cell(table, "a", metric)["value"] for metric in METRICS}
    # Said: words 0, 1 and 3. Pairs won: 3 + 2.5 (a tie with word 3) + 1.5 (a tie with word 4) of 9.
    assert found == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "auroc": 7 / 9})
    assert set(table["letter"]) == {"a", "b", "mean"}
    # Nothing is said for b, all of whose scores are tied.
    assert [cell(table, "b", m)["value"] for m in METRICS] == pytest.approx([0, 0, 0, 0.5])
    assert cell(table, "mean", "auroc")["value"] == pytest.approx((7 / 9 + 1 / 2) / 2)


def test_all_scores_equal_those_of_scikit_learn_with_ties() -> None:
    scores, labels = case()
    table = letter_scores(scores, labels, n_resamples=20)
    wanted = precision_recall_fscore_support(labels.numpy(), (scores > 0).numpy())[:3]
    for number, metric in enumerate(("precision", "recall", "f1")):
        found = table[(table["metric"] == metric) & (table["letter"] != "mean")]["value"]
        np.testing.assert_allclose(found, np.asarray(wanted[number]), atol=1e-6)
    aurocs = [roc_auc_score(labels[:, i].numpy(), scores[:, i].numpy()) for i in range(26)]
    assert 0.6 < np.mean(aurocs) < 0.99
    found = table[(table["metric"] == "auroc") & (table["letter"] != "mean")]["value"]
    np.testing.assert_allclose(found, aurocs, atol=1e-6)


def test_auroc_of_a_resample_is_that_of_the_words_drawn() -> None:
    scores, labels = case(60)
    counts = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), size=4).astype(np.float32)
    found = auroc_samples(scores.numpy(), labels.numpy(), counts)
    letter = int(labels.sum(0).argmax())
    for row, count in enumerate(counts):
        drawn = np.repeat(np.arange(60), count.astype(int))
        wanted = roc_auc_score(labels[drawn, letter].numpy(), scores[drawn, letter].numpy())
        assert found[row, letter] == pytest.approx(wanted, abs=1e-6)


def test_the_prediction_can_be_given_apart_from_the_score() -> None:
    scores, labels = case()
    table = letter_scores(scores, labels, predicted=labels, n_resamples=20)
    assert (table[table["metric"] == "f1"]["value"] == 1).all()
    assert cell(table, "mean", "auroc")["value"] < 1


def test_intervals_hold_the_value_and_come_from_the_seed() -> None:
    scores, labels = case(1500)
    first, same, other = (letter_scores(scores, labels, seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first, same)
    assert not np.allclose(first["low"], other["low"])
    means = mean_scores(first)
    assert (means["low"] < means["value"]).all()
    assert (means["value"] < means["high"]).all()
    np.testing.assert_allclose(means["low"], mean_scores(other)["low"], atol=0.01)


def test_the_interval_narrows_with_more_words() -> None:
    widths = []
    for n_words in (400, 6400):
        means = mean_scores(letter_scores(*case(n_words)))
        widths.append(float((means["high"] - means["low"]).mean()))
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.4)


def test_always_saying_yes_is_the_floor_of_f1() -> None:
    labels = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [0, 0]]).bool()
    assert prevalence_f1(labels) == pytest.approx((2 * 2 / (6 + 2) + 2 * 3 / (6 + 3)) / 2)


def test_the_lr_probe_and_the_means_are_scored_on_test_words_only(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from absorption.probes.words import probe_words

    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    words, acts = words_with_acts()
    probed = probe_words(words, acts)
    table = score_probes(probed)
    assert set(table["method"]) == {"LR probe", "difference in means"}
    assert len(table) == 2 * len(METRICS) * (len(LETTERS) + 1)
    assert mean_scores(table[table["method"] == "LR probe"])["value"].min() > 0.9
    test = torch.from_numpy(probed.test)
    wanted = letter_scores(probed.probes.logits(acts[test]), probed.labels[test])
    found = table[table["method"] == "LR probe"].drop(columns="method").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, wanted)


def test_a_probe_that_knows_words_by_heart_loses_its_score_when_variants_stay_together(
    own_cache: None,
) -> None:
    """Each stem has a dimension of its own and says nothing of its letter: only a variant can be recognised."""
    bare = [f"{letter}{i}" for letter in LETTERS for i in range(10)]
    words = pd.DataFrame(
        {"word": [*bare, *(f" {word}" for word in bare)], "letter": [w[0] for w in bare] * 2}
    )
    table = score_splits(words, 5 * torch.eye(len(bare)).repeat(2, 1)).set_index(["split", "probe"])
    assert table["variants"].xs("stem").eq(0).all()
    assert table["variants"].xs("word").gt(0.6).all()
    for probe in PROBES:
        known, low, high = (float(table[name]["word", probe]) for name in ("value", "low", "high"))
        assert known > float(table["value"]["stem", probe]) + 0.3
        assert low < known < high

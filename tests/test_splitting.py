"""k-sparse probing: the ranking probe's optimum is checked against other solvers, splits against planted
ones."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from tests.planted import KINDS, planted

from absorption.probes.fit import one_hot
from absorption.splitting import (
    KSparse,
    describe_main,
    fit_sparse_probe,
    largest_and_flattest,
    main_by_encoder,
    probe_k_sparse,
    split_counts,
    unconverged_probe,
)
from absorption.splitting.ksparse import fit_balanced, kept_by_jump
from absorption.splitting.sparse_probe import L1, _Problem, to_scipy, violations
from absorption.vocab import LETTERS, split_words

pytestmark = pytest.mark.usefixtures("own_cache")


@cache
def sparse_data(n_words: int = 1500, n_latents: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """Sparse activations of which a few latents a letter are informative, and none settles it."""
    generator = torch.Generator().manual_seed(0)
    letters = torch.randint(26, (n_words,), generator=generator)
    acts = (torch.rand(n_words, n_latents, generator=generator) < 0.1) * torch.rand(n_words, n_latents) * 6
    for letter in range(26):
        hit = (letters == letter) & (torch.rand(n_words, generator=generator) < 0.5)
        acts[hit, letter] += 3
    return acts.double(), torch.nn.functional.one_hot(letters, 26).bool()


def objective(acts: torch.Tensor, truth: np.ndarray, weights: np.ndarray, bias: float) -> float:
    """The reference's objective for one letter, written out."""
    signs = np.where(truth, 1, -1)
    row_weights = np.where(truth, (~truth).sum() / truth.sum(), 1.0)
    losses = np.logaddexp(0, -signs * (acts.numpy() @ weights + bias))
    return float(np.mean(row_weights * losses) + L1 * np.abs(weights).sum())


def test_the_l1_probe_finds_the_optimum_that_a_smooth_reformulation_finds() -> None:
    acts, labels = sparse_data()
    probe = fit_sparse_probe(acts.to_sparse_csr(), labels, tolerance=1e-6)
    n = acts.shape[1]
    for letter in (0, 7):
        truth = labels[:, letter].numpy()
        signs, row_weights = np.where(truth, 1, -1), np.where(truth, (~truth).sum() / truth.sum(), 1.0)

        def split(v, signs=signs, row_weights=row_weights):
            margins = signs * (acts.numpy() @ (v[:n] - v[n:-1]) + v[-1])
            residual = -row_weights * signs * expit(-margins) / len(signs)
            slope = acts.numpy().T @ residual
            value = np.mean(row_weights * np.logaddexp(0, -margins)) + L1 * v[:-1].sum()
            return value, np.concatenate([slope + L1, L1 - slope, [residual.sum()]])

        bounds = [(0, None)] * (2 * n) + [(None, None)]
        options = {"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-10}
        found = minimize(split, np.zeros(2 * n + 1), jac=True, bounds=bounds, options=options)
        mine = probe.weights[letter].numpy()
        assert objective(acts, truth, mine, float(probe.biases[letter])) == pytest.approx(found.fun, abs=1e-9)
        assert mine == pytest.approx(found.x[:n] - found.x[n:-1], abs=1e-4)
        assert np.abs(mine).max() > 0.3


def test_the_l1_probe_agrees_with_scikit_learn() -> None:
    acts, labels = sparse_data()
    probe = fit_sparse_probe(acts.to_sparse_csr(), labels, tolerance=1e-5)
    truth = labels[:, 3].numpy()
    row_weights = np.where(truth, (~truth).sum() / truth.sum(), 1.0)
    # liblinear penalises the intercept; the scaling makes that negligible.
    theirs = LogisticRegression(
        l1_ratio=1.0,
        C=1 / (L1 * len(truth)),
        solver="liblinear",
        intercept_scaling=1000,
        tol=1e-9,
        max_iter=5000,
    ).fit(acts.numpy(), truth, sample_weight=row_weights)
    assert probe.weights[3].numpy() == pytest.approx(theirs.coef_[0], abs=2e-3)
    assert float(probe.biases[3]) == pytest.approx(float(np.ravel(theirs.intercept_)[0]), abs=5e-3)


def test_every_optimality_condition_holds_and_the_weights_are_sparse() -> None:
    acts, labels = sparse_data()
    probe = fit_sparse_probe(acts.to_sparse_csr(), labels)
    assert float(probe.violation.max()) <= 1e-3
    for letter in range(26):
        truth = labels[:, letter].numpy()
        signs, row_weights = np.where(truth, 1, -1), np.where(truth, (~truth).sum() / truth.sum(), 1.0)
        weights = probe.weights[letter].numpy()
        margins = signs * (acts.numpy() @ weights + float(probe.biases[letter]))
        slope = acts.numpy().T @ (-row_weights * signs * expit(-margins) / len(signs))
        assert violations(slope, weights, L1).max() <= 1e-3 * L1
    zero = probe.weights == 0
    assert zero.any(dim=1).all()
    assert not zero.all(dim=1).any()


def test_a_ranking_probe_that_does_not_converge_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    acts, labels = sparse_data()
    monkeypatch.setattr("absorption.splitting.sparse_probe.MAX_ROUNDS", 1)
    with pytest.raises(RuntimeError, match="violates its optimality conditions"):
        fit_sparse_probe(acts.to_sparse_csr(), labels)


def test_latents_join_the_working_set_until_none_violates(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one latent joining a round the optimum is the same, only later."""
    acts, labels = sparse_data()
    whole = fit_sparse_probe(acts.to_sparse_csr(), labels[:, :2], tolerance=1e-6)
    monkeypatch.setattr("absorption.splitting.sparse_probe.GROWTH", 1)
    matrix = to_scipy(acts.to_sparse_csr())
    weights, bias, _ = _Problem(matrix, matrix.tocsc(), labels[:, 0].numpy(), L1).solve(1e-6)
    assert weights == pytest.approx(whole.weights[0].numpy(), abs=1e-4)
    assert bias == pytest.approx(float(whole.biases[0]), abs=1e-4)


def test_the_refit_is_scikit_learns_balanced_logistic_regression() -> None:
    acts, labels = sparse_data()
    truth = labels[:, 5].numpy()
    columns = [5, 6, 30]
    theirs = LogisticRegression(class_weight="balanced", max_iter=5000, tol=1e-10)
    theirs.fit(acts[:, columns].numpy(), truth)
    weights, bias = fit_balanced(to_scipy(acts.to_sparse_csr())[:, columns], truth)
    assert weights == pytest.approx(theirs.coef_[0], abs=1e-4)
    assert bias == pytest.approx(float(np.ravel(theirs.intercept_)[0]), abs=1e-4)


def test_main_latents_stop_at_the_first_small_jump_even_if_a_larger_one_follows() -> None:
    table = pd.DataFrame({"k": [1, 2, 3, 4, 5], "latent": [9, 8, 7, 6, 5], "f1": [0.5, 0.6, 0.62, 0.9, 0.95]})
    assert kept_by_jump(table, 0.03) == [9, 8]
    assert kept_by_jump(table, 0.01) == [9, 8, 7, 6, 5]
    assert kept_by_jump(table, 0.2) == [9]
    assert kept_by_jump(table.sample(frac=1, random_state=1), 0.03) == [9, 8]


@cache
def planted_k_sparse() -> KSparse:
    truth = planted()
    split = split_words(truth.words, seed=0).to_numpy()
    train, test = (torch.from_numpy(np.flatnonzero(split == name)) for name in ("train", "test"))
    return probe_k_sparse(truth.csr, one_hot(truth.words), train, test, max_k=5)


def test_planted_splits_are_found_and_nothing_else_is_called_split() -> None:
    truth, found = planted(), planted_k_sparse().main_latents()
    for letter, kind in KINDS.items():
        expected = set(truth.main_latents()[letter])
        if kind == "split":
            assert set(found[letter]) == expected, letter
        else:
            assert found[letter][0] in expected, letter


def test_f1_jumps_at_two_latents_for_split_letters_only() -> None:
    scores = planted_k_sparse().scores.pivot(index="letter", columns="k", values="f1")
    jump = scores[2] - scores[1]
    split = jump.index.map(KINDS.get) == "split"
    assert jump[split].min() > 0.15
    # Where the main latent tells all, no second latent has a positive weight: there is no second k.
    assert jump[jump.index.map(KINDS.get) == "none"].fillna(0).abs().max() < 0.03
    assert scores[1][jump.index.map(KINDS.get) == "none"].min() > 0.99


def test_intervals_hold_the_value_and_every_letter_has_every_k() -> None:
    scores = planted_k_sparse().scores
    assert (scores["f1_low"] <= scores["f1"] + 1e-6).all()
    assert (scores["f1"] <= scores["f1_high"] + 1e-6).all()
    assert (scores["weight"] > 0).all()
    assert scores["letter"].nunique() == 26


def test_more_is_called_split_at_a_lower_threshold() -> None:
    counts = split_counts(planted_k_sparse().scores, [0.01, 0.03, 0.5])
    by_jump = counts.groupby("f1_jump")["n_main"].sum().to_dict()
    assert by_jump[0.01] >= by_jump[0.03] > by_jump[0.5]
    assert by_jump[0.5] == 26


def test_the_encoder_selects_the_planted_main_latent_where_there_is_one() -> None:
    truth = planted()
    found = main_by_encoder(truth.directions, truth.sae.encoder_directions)
    for letter, kind in KINDS.items():
        if kind == "none":
            assert found[letter] == truth.main_latents()[letter]


def test_split_latents_are_described_by_case() -> None:
    truth = planted()
    table = describe_main(truth.csr, truth.words.assign(leading_space=True), truth.main_latents())
    split = table[table["letter"].map(KINDS.get) == "split"]
    assert sorted(split.groupby("letter")["share_upper"].apply(tuple).unique()[0]) == [0.0, 1.0]
    assert (split["letter_upper"] == 0.5).all()
    assert (table["share_letter"] == 1).all()
    assert split["recall"].tolist() == pytest.approx([0.5] * len(split))


def test_few_adam_steps_rank_other_latents_first_than_the_optimum_does() -> None:
    truth = planted()
    labels = one_hot(truth.words)
    best = fit_sparse_probe(truth.csr, labels).weights.argmax(dim=1)
    early = unconverged_probe(truth.csr, labels, steps=3).weights.argmax(dim=1)
    late = unconverged_probe(truth.csr, labels, steps=400).weights.argmax(dim=1)
    mains = [truth.main_latents()[letter] for letter in LETTERS]
    hits = [sum(int(found[i]) in mains[i] for i in range(26)) for found in (best, early, late)]
    assert hits[0] == 26
    assert hits[1] < hits[2]


def test_the_largest_rise_and_the_flattest_letter_are_found_by_hand() -> None:
    jumps = pd.DataFrame(
        {
            "letter": ["a", "b", "c"],
            "jump": [0.2, -0.6, -0.02],
            "low": [0.1, -0.7, -0.05],
            "high": [0.3, -0.5, 0.01],
        }
    )
    largest, flattest = largest_and_flattest(jumps)
    assert (largest.value, largest.low, largest.high) == (0.2, 0.1, 0.3)
    assert (flattest.value, flattest.low, flattest.high) == (0.02, 0.01, 0.05)


def test_resampled_counts_are_those_of_the_leading_jumps() -> None:
    found = planted_k_sparse()
    counts = found.count_samples()
    assert counts.shape[1] == 26
    main = found.main_latents()
    middle = np.median(counts, axis=0)
    split = np.array([len(main[letter]) > 1 for letter in main])
    assert (middle[split] > 1).all()
    assert (middle[~split] == 1).all()

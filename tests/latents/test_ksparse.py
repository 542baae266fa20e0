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
from tests.planted_model import KINDS, planted

from absorption.base.statistics import Estimate
from absorption.latents.describe import describe_main
from absorption.latents.held_out_splits import FLATS, SPLITS, halves, held_out_splits, letters_that_pass
from absorption.latents.ksparse import KSparse, fit_balanced, kept_by_jump, probe_k_sparse
from absorption.latents.main import reference_steps, split_counts, unconverged_probe
from absorption.latents.sparse import take_rows
from absorption.probes.fit import one_hot
from absorption.probes.l1 import L1, _Problem, fit_sparse_probe, quadratic_step, to_scipy, violations
from absorption.spelling.vocab import LETTERS, split_words

pytestmark = pytest.mark.usefixtures("own_cache")


@cache
def sparse_data(n_words: int = 1500, n_latents: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """Sparse activations of which a few latents a letter are informative, and none settles it."""
    generator = torch.Generator().manual_seed(0)
    letters = torch.randint(26, (n_words,), generator=generator)
    on = torch.rand(n_words, n_latents, generator=generator) < 0.1
    acts = on * torch.rand(n_words, n_latents, generator=generator) * 6
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
    monkeypatch.setattr("absorption.probes.l1.MAX_ROUNDS", 1)
    with pytest.raises(RuntimeError, match="violates its optimality conditions"):
        fit_sparse_probe(acts.to_sparse_csr(), labels)


def test_latents_join_the_working_set_until_none_violates(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one latent joining a round the optimum is the same, only later."""
    acts, labels = sparse_data()
    whole = fit_sparse_probe(acts.to_sparse_csr(), labels[:, :2], tolerance=1e-6)
    monkeypatch.setattr("absorption.probes.l1.GROWTH", 1)
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


def test_halves_share_no_word_and_no_form_of_one_and_hold_all_test_words() -> None:
    words = pd.DataFrame(
        {"word": [" ab", "Ab", "ab", " ac", "Ad", "ae", " ba", "bb"], "letter": list("aaaaaabb")}
    )
    test = np.array([0, 1, 3, 4, 5, 6, 7])
    first, second = (half.tolist() for half in halves(words, test, seed=1))
    assert sorted(first + second) == test.tolist()
    assert (0 in first) == (1 in first)
    for letter in "ab":
        forms = [
            words["word"][half].str.strip().str.lower()[words["letter"][half] == letter]
            for half in (first, second)
        ]
        assert abs(forms[0].nunique() - forms[1].nunique()) <= 0
    assert halves(words, test, seed=1)[0].tolist() == first


def test_letters_are_picked_on_one_half_and_measured_on_the_other() -> None:
    """Latents 0 and 1 each tell half of the words of a, in both halves; those of b only in the first half."""
    n = 40
    labels = torch.nn.functional.one_hot(torch.arange(26).repeat_interleave(3 * n), 26).bool()
    within = torch.arange(26 * 3 * n) % (3 * n)
    part = within // n  # training words, first half, second half
    dense = torch.zeros(len(labels), 52)
    for letter in range(26):
        mine = labels[:, letter]
        dense[mine & (within % 2 == 0), 2 * letter] = 1.0
        dense[mine & (within % 2 == 1), 2 * letter + 1] = 0.9
    dense[labels[:, 1] & (part == 2) & (within % 2 == 0), 2] = 0  # the one of lesser weight, so the second
    train, first, second = (torch.from_numpy(np.flatnonzero(part == number)) for number in range(3))
    probe = fit_sparse_probe(take_rows(dense.to_sparse_csr(), train), labels[train])
    table = held_out_splits(dense.to_sparse_csr(), labels, train, (first, second), probe)
    rows = table[table["picked"] == SPLITS].set_index("letter")
    # One latent has precision 1 and recall 1/2: F1 is 2/3; both have all.
    assert [rows["rise"]["a"], rows["again"]["a"]] == pytest.approx([1 / 3, 1 / 3], abs=1e-6)
    assert [rows["rise"]["b"], rows["again"]["b"]] == pytest.approx([1 / 3, 0], abs=1e-6)
    assert rows["low"]["a"] > 0.03 >= rows["high"]["b"]
    assert letters_that_pass(table)[SPLITS] == Estimate(25, 25, 25)


def test_letters_that_surely_possibly_and_do_not_pass_are_counted_by_hand() -> None:
    rows = [
        ("a", SPLITS, 0.2, 0.1, 0.05, 0.2),  # surely
        ("b", SPLITS, 0.2, 0.04, -0.01, 0.08),  # passes, not surely
        ("c", SPLITS, 0.2, 0.01, -0.03, 0.05),  # may
        ("d", SPLITS, 0.2, 0.0, -0.01, 0.02),  # does not
        ("e", FLATS, 0.0, 0.005, 0.001, 0.009),  # surely
        ("f", FLATS, 0.0, -0.005, -0.02, 0.005),  # passes, not surely
        ("g", FLATS, 0.0, 0.02, 0.005, 0.04),  # may
        ("h", FLATS, 0.0, -0.3, -0.4, -0.2),  # does not
    ]
    table = pd.DataFrame(rows, columns=["letter", "picked", "rise", "again", "low", "high"])
    assert letters_that_pass(table) == {SPLITS: Estimate(2, 1, 3), FLATS: Estimate(2, 1, 3)}
    assert letters_that_pass(table.head(0)) == {SPLITS: Estimate(0, 0, 0), FLATS: Estimate(0, 0, 0)}


def test_many_letters_picked_by_noise_do_not_pass_on_the_other_half() -> None:
    """Labels and latents have nothing to do with each other: what rises on one half does not on the other."""
    generator = torch.Generator().manual_seed(3)
    acts = (torch.rand(1800, 60, generator=generator) < 0.2) * torch.rand(1800, 60, generator=generator)
    labels = torch.nn.functional.one_hot(torch.randint(26, (1800,), generator=generator), 26).bool()
    train, first, second = torch.arange(600), torch.arange(600, 1200), torch.arange(1200, 1800)
    csr = acts.to_sparse_csr()
    table = held_out_splits(
        csr, labels, train, (first, second), fit_sparse_probe(take_rows(csr, train), labels[train])
    )
    picked = table[table["picked"] == SPLITS]
    assert picked["rise"].max() > 0.03  # the old rule would have called this a split
    assert letters_that_pass(table)[SPLITS].low == 0


def test_the_reference_makes_one_step_an_epoch_on_fewer_words_than_its_batch() -> None:
    assert [reference_steps(n) for n in (26, 2000, 4096, 4097, 37662)] == [50, 50, 50, 100, 500]


def test_resampled_counts_are_those_of_the_leading_jumps() -> None:
    found = planted_k_sparse()
    counts = found.count_samples()
    assert counts.shape[1] == 26
    main = found.main_latents()
    middle = np.median(counts, axis=0)
    split = np.array([len(main[letter]) > 1 for letter in main])
    assert (middle[split] > 1).all()
    assert (middle[~split] == 1).all()


def test_a_weight_that_belongs_at_zero_gets_there_exactly() -> None:
    """With no slope, a curvature of h and a penalty above h * |weight|, the minimum is at zero.

    Left at a rounding of zero with the wrong sign, a weight breaks its condition by twice the penalty for ever.
    """
    points = np.append(np.random.default_rng(0).normal(size=200) * 1e-3, [5e-324, -5e-324])
    curvatures = np.random.default_rng(1).uniform(0.1, 9, size=len(points))
    for point, curvature in zip(points, curvatures, strict=True):
        step = quadratic_step(np.zeros(1), np.array([[curvature]]), np.array([point]), np.ones(1))
        assert point + step[0] == 0

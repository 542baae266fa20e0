"""The planted latent is chosen by all three selections, on training words only."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from tests.latents.hand_made import MAIN_A, NOT_A, OTHERS, encoded, probed, sae, sparse

from absorption.latents.select import (
    SINGLE_LATENT_SELECTIONS,
    _best_single_regression,
    _largest_weight,
    on_f1,
    select_latents,
)
from absorption.probes.fit import balanced_weights


@pytest.mark.parametrize("selection", SINGLE_LATENT_SELECTIONS)
def test_the_planted_latent_is_found(selection: str) -> None:
    found = select_latents(sae(), probed(), encoded())[selection]
    assert found.tolist() == [MAIN_A, *OTHERS]


@pytest.mark.parametrize("selection", SINGLE_LATENT_SELECTIONS)
def test_test_words_have_no_say(selection: str) -> None:
    here = probed()
    dense = encoded().csr.to_dense()
    test = torch.from_numpy(here.test)
    dense[test] = torch.rand(len(test), dense.shape[1], generator=torch.Generator().manual_seed(0))
    found = select_latents(sae(), here, sparse(dense))[selection]
    assert found.tolist() == [MAIN_A, *OTHERS]


def random_case(
    n_words: int = 400, n_latents: int = 60, n_letters: int = 4
) -> tuple[np.ndarray, torch.Tensor]:
    """Latents on at a tenth of the words, more or less so on a letter's words, at varying strength."""
    generator = np.random.default_rng(0)
    letter = generator.integers(2 * n_letters, size=n_words)
    labels = letter[:, None] == np.arange(n_letters)
    chance = generator.uniform(0.02, 0.15, size=(2 * n_letters, n_latents))
    for number in range(2 * n_letters):
        chance[number, generator.choice(n_latents, 3, replace=False)] = [0.85, 0.6, 0.5]
    on = generator.random((n_words, n_latents)) < chance[letter]
    strength = generator.gamma(2.0, 1.0, size=on.shape) * generator.uniform(0.1, 10, size=n_latents)
    return (on * strength).astype(np.float32), torch.from_numpy(labels)


def brute_force(acts: np.ndarray, labels: torch.Tensor) -> list[int]:
    """scikit-learn's logistic regression on every latent; lowest balanced loss of those with positive weight."""
    weights = balanced_weights(labels).numpy().astype(np.float64)
    chosen = []
    for letter in range(labels.shape[1]):
        truth, losses = labels[:, letter].numpy(), []
        for column in acts.T:
            x = (column / np.sqrt((column**2).mean()))[:, None]
            # C is 1 over the penalty of 1e-4, since each letter's weights sum to 1
            fitted = LogisticRegression(C=1e4, tol=1e-8, max_iter=1000)
            fitted.fit(x, truth, sample_weight=weights[:, letter])
            loss = log_loss(truth, fitted.predict_proba(x)[:, 1], sample_weight=weights[:, letter])
            losses.append(loss if fitted.coef_[0, 0] > 0 else np.inf)
        chosen.append(int(np.argmin(losses)))
    return chosen


def test_lowest_loss_is_the_best_of_all_single_latent_regressions() -> None:
    acts, labels = random_case()
    found = _best_single_regression(sparse(acts).csr, labels).tolist()
    assert found == brute_force(acts, labels)
    assert len(set(found)) > 1


def test_lowest_loss_takes_no_latent_that_speaks_against_the_letter() -> None:
    generator = np.random.default_rng(0)
    labels = torch.from_numpy(np.arange(200)[:, None] < 40)
    against = np.where(labels.numpy()[:, 0], generator.random(200) < 0.05, True)
    for_it = generator.random(200) < np.where(labels.numpy()[:, 0], 0.6, 0.2)
    acts = np.stack([against, for_it], axis=1).astype(np.float32)
    fitted = LogisticRegression(class_weight="balanced").fit(acts, labels.numpy()[:, 0])
    assert abs(fitted.coef_[0, 0]) > 2 * abs(fitted.coef_[0, 1])  # the other one would tell more
    assert _best_single_regression(sparse(acts).csr, labels).tolist() == [1]


def test_k1_probing_is_the_largest_weight_of_the_l1_probe_not_the_best_single_regression() -> None:
    acts, labels = random_case()
    acts[:, 7] = 0.05 * (
        labels[:, 0].numpy() & (np.arange(400) % 8 > 0)
    )  # tells most, but a weight on it is dear
    found = _largest_weight(sparse(acts).csr, labels).tolist()
    for letter in range(labels.shape[1]):
        truth = labels[:, letter].numpy()
        row_weights = np.where(truth, (~truth).sum() / truth.sum(), 1.0)
        theirs = LogisticRegression(
            l1_ratio=1.0, C=1 / (0.01 * len(truth)), solver="liblinear", intercept_scaling=1000, tol=1e-9,
            max_iter=5000,
        ).fit(acts, truth, sample_weight=row_weights)  # fmt: skip
        assert found[letter] == int(theirs.coef_[0].argmax())
    assert _best_single_regression(sparse(acts).csr, labels)[0] == 7
    assert found[0] != 7


def test_where_the_penalty_leaves_no_weight_the_latent_that_would_enter_first_is_taken() -> None:
    labels = torch.from_numpy(np.arange(200)[:, None] < 40)
    acts = np.zeros((200, 3), dtype=np.float32)
    acts[:2, 1] = 0.001  # the letter's words alone, and too weak to pay for a weight
    acts[40:, 0] = 0.001
    assert _largest_weight(sparse(acts).csr, labels).tolist() == [1]


def test_the_latent_of_all_other_letters_is_not_chosen_for_a() -> None:
    for found in select_latents(sae(), probed(), encoded()).values():
        assert NOT_A not in found.tolist()


def test_f1_of_being_on_equals_scikit_learn() -> None:
    acts, labels = random_case(n_latents=9)
    found = on_f1(sparse(acts).csr, labels)
    for letter in range(4):
        wanted = [f1_score(labels[:, letter], column > 0) for column in acts.T]
        np.testing.assert_allclose(found[letter], wanted, atol=1e-6)

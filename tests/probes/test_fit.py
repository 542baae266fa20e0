"""Probes are scikit-learn's optimum in raw activation space, and find directions that were planted."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from absorption.probes import ProbeSet, difference_in_means, fit_probes, one_hot, probe_words
from absorption.probes import fit as module
from absorption.probes.fit import L2, balanced_weights
from absorption.vocab import LETTERS

D = 40


def planted(n_words: int = 2000, noise: float = 0.3, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Activations, letters and the letters' directions: three orthogonal ones, a fourth kind of word has none.

    The dimensions have other scales and means, as a residual stream's have.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.linalg.qr(torch.randn(D, 3, generator=generator)).Q.T
    kind = torch.randint(4, (n_words,), generator=generator)
    labels = torch.nn.functional.one_hot(kind, 4).bool()[:, :3]
    acts = 4 * labels.float() @ directions + noise * torch.randn(n_words, D, generator=generator)
    return acts + 2, labels, directions


def skewed(acts: Tensor) -> Tensor:
    """Dimensions with scales from .1 to 100, so that standardising matters."""
    return acts * torch.logspace(-1, 2, acts.shape[1])


def test_planted_directions_are_found() -> None:
    acts, labels, directions = planted(n_words=20_000, noise=1.0)
    # With equal noise everywhere, the best direction for one letter is its own less the others' mean part.
    found = fit_probes(acts, labels, l2=1e-3)
    rest = (directions.sum(0) - directions) / 3
    cosines = torch.nn.functional.cosine_similarity(found.weights, directions - rest)
    single = fit_probes(acts[~labels[:, 1:].any(1)], labels[~labels[:, 1:].any(1)][:, :1], l2=1e-3)
    assert float(single.directions[0] @ directions[0]) > 0.99
    assert (cosines > 0.9).all()
    assert (found.predict(acts) == labels).float().mean() > 0.95


def test_weights_are_those_of_scikit_learn_brought_to_raw_space() -> None:
    acts, labels, _ = planted(noise=1.5)
    acts = skewed(acts)
    found = fit_probes(acts, labels)
    for letter in range(3):
        scaler = StandardScaler().fit(acts.double().numpy())
        fitted = LogisticRegression(
            C=1 / (L2 * len(acts)), class_weight="balanced", max_iter=5000, tol=1e-6
        ).fit(scaler.transform(acts.double().numpy()), labels[:, letter].numpy())
        wanted = torch.from_numpy(fitted.decision_function(scaler.transform(acts.double().numpy())))
        logits = found.logits(acts)[:, letter].double()
        assert wanted.abs().max() > 3
        assert np.corrcoef(logits, wanted)[0, 1] > 0.9999
        torch.testing.assert_close(logits, wanted, rtol=0.02, atol=0.1)  # both stop at a tolerance


def test_the_fit_is_at_the_optimum_of_the_balanced_loss() -> None:
    acts, labels, _ = planted(noise=1.5)  # classes overlap, so that the optimum is inside
    found = fit_probes(acts, labels, l2=1e-2)
    standard = ((acts - acts.mean(0)) / acts.std(0)).double()
    pull = balanced_weights(labels).double() * (torch.sigmoid(found.logits(acts).double()) - labels.double())
    weights = (found.weights * acts.std(0)).double()
    gradient = pull.T @ standard + 1e-2 * weights
    # scikit-learn's balanced weights sum to 1 over the mean loss, as ours do
    assert gradient.abs().max() < 2e-4  # the solver's tolerance is 1e-4
    assert (1e-2 * weights).abs().max() > 5e-3  # the two terms do cancel


def test_logits_in_raw_space_are_those_of_the_standardised_space(monkeypatch: pytest.MonkeyPatch) -> None:
    acts, labels, _ = planted()
    acts = skewed(acts)
    seen = []
    fit_one = module._fit_one
    monkeypatch.setattr(module, "_fit_one", lambda *given: seen.append(fit_one(*given)) or seen[-1])
    found = fit_probes(acts, labels)
    standard = ((acts - acts.mean(0)) / acts.std(0)).numpy()
    for letter, fitted in enumerate(seen):
        expected = torch.from_numpy(fitted.decision_function(standard)).float()
        torch.testing.assert_close(found.logits(acts)[:, letter], expected, rtol=1e-3, atol=1e-3)
    assert len(seen) == 3


def test_a_letter_without_words_gets_a_probe_that_never_says_it() -> None:
    acts, labels, _ = planted(200)
    labels[:, 1] = False
    assert not fit_probes(acts, labels).predict(acts)[:, 1].any()


def test_a_probe_that_does_not_converge_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    acts, labels, _ = planted(300)
    monkeypatch.setattr(module, "MAX_STEPS", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RuntimeError, match=r"did not converge in 1 steps; raise l2 \(now 0.0001\)"):
            fit_probes(acts, labels)


def test_balanced_weights_give_each_side_half() -> None:
    labels = torch.tensor([[1, 0], [0, 0], [0, 1], [1, 1], [0, 0]]).bool()
    weights = balanced_weights(labels)
    torch.testing.assert_close(weights[:, 0], torch.tensor([1 / 4, 1 / 6, 1 / 6, 1 / 4, 1 / 6]))
    torch.testing.assert_close((weights * labels).sum(0), torch.full((2,), 0.5))
    torch.testing.assert_close((weights * ~labels).sum(0), torch.full((2,), 0.5))


def test_difference_in_means_and_its_cut_by_hand() -> None:
    acts = torch.tensor([[4.0, 1.0], [6.0, 1.0], [1.0, 1.0], [0.0, 1.0], [2.0, 1.0], [5.0, 1.0]])
    labels = torch.tensor([[1], [1], [0], [0], [0], [0]]).bool()
    found = difference_in_means(acts, labels)
    # Means (5, 1) and (2, 1). Along (3, 0) the scores are 18, 15 (a word of the rest), 12, 6, ...
    torch.testing.assert_close(found.weights, torch.tensor([[3.0, 0.0]]))
    # Saying the best 1, 2, 3, 4 words gives F1 2/3, 2/4, 4/5, 4/6: cut halfway between 12 and 6.
    torch.testing.assert_close(found.biases, torch.tensor([-9.0]))
    assert found.predict(acts)[:, 0].tolist() == [True, True, False, False, False, True]


def test_where_saying_every_word_is_best_every_word_is_said() -> None:
    acts = torch.tensor([[0.0], [3.0], [1.0]])  # two of three words; the lowest is one of them
    labels = torch.tensor([[1], [1], [0]]).bool()
    found = difference_in_means(acts, labels)
    assert found.predict(acts).all()  # F1 4/5, against 2/3 for the best word alone


def test_directions_have_unit_norm_and_predictions_are_positive_logits() -> None:
    probes = ProbeSet(torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([-1.0, 0.0]))
    torch.testing.assert_close(probes.directions, torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    acts = torch.tensor([[1.0, 0.0], [0.0, -1.0]])
    torch.testing.assert_close(probes.logits(acts), torch.tensor([[2.0, 0.0], [-5.0, -2.0]]))
    assert probes.predict(acts).tolist() == [[True, False], [False, False]]


def words_with_acts(n_each: int = 10) -> tuple[pd.DataFrame, Tensor]:
    """Ten words a letter whose activations are their letter's dimension and noise."""
    letters = np.repeat(LETTERS, n_each)
    words = pd.DataFrame({"word": [f"{a}{n}" for n, a in enumerate(letters)], "letter": letters})
    noise = torch.randn(len(words), 30, generator=torch.Generator().manual_seed(0))
    return words, torch.nn.functional.pad(3.0 * one_hot(words).float(), (0, 4)) + 0.1 * noise


def test_one_hot_marks_the_first_letter() -> None:
    labels = one_hot(pd.DataFrame({"letter": ["b", "z", "a"]}))
    assert labels.nonzero().tolist() == [[0, 1], [1, 25], [2, 0]]


def test_probes_are_fitted_on_training_words_and_cached(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    words, acts = words_with_acts()
    found = probe_words(words, acts, seed=1)
    assert found.words["split"].value_counts().to_dict() == {"train": 208, "test": 52}
    assert (found.words.groupby("letter")["split"].apply(lambda s: (s == "test").sum()) == 2).all()
    train = torch.from_numpy(np.flatnonzero(found.words["split"] == "train"))
    expected = fit_probes(acts[train], one_hot(words)[train])
    torch.testing.assert_close(found.probes.weights, expected.weights)
    assert found.right[found.test].mean() > 0.95
    monkeypatch.setattr(module, "fit_probes", None)  # the second call reads the cache
    again = probe_words(words, acts, seed=1)
    assert torch.equal(again.probes.weights, found.probes.weights)
    with pytest.raises(TypeError):
        probe_words(words, acts, seed=2)


def test_a_word_is_right_if_its_own_probe_says_yes_whatever_the_others_say() -> None:
    words = pd.DataFrame({"word": ["a", "b", "c"], "letter": ["a", "b", "c"], "split": "test"})
    weights = torch.zeros(26, 2)
    weights[0, 0] = weights[1, 0] = 1.0  # the probes of a and of b say yes where dimension 0 is positive
    acts = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    probed = module.ProbedWords(words, acts, ProbeSet(weights, torch.zeros(26)))
    assert probed.right.tolist() == [True, False, False]
    assert probed.test.tolist() == [0, 1, 2]

"""Directions along which a letter is written: hand-computed means, and the pattern of a planted filter."""

import torch
from tests.probes.test_fit import planted, skewed

from absorption.probes.fit import ProbeSet, fit_probes
from absorption.probes.means import difference_in_means, pattern


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


def test_a_letter_without_words_has_no_direction_and_is_never_said() -> None:
    acts, labels, _ = planted(200)
    labels[:, 1] = False
    filters = fit_probes(acts, labels)
    for found in (difference_in_means(acts, labels), pattern(acts, labels, filters)):
        assert found.weights.isfinite().all()
        assert not found.predict(acts)[:, 1].any()
        assert found.predict(acts)[:, 0].any()


def test_the_pattern_is_the_covariance_times_the_weights() -> None:
    acts, labels, _ = planted(500)
    acts = skewed(acts)
    filters = fit_probes(acts, labels)
    covariance = torch.cov(acts.double().T, correction=0)
    wanted = torch.nn.functional.normalize(filters.weights.double() @ covariance, dim=1)
    found = pattern(acts, labels, filters)
    torch.testing.assert_close(found.weights.double(), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.weights.norm(dim=1), torch.ones(3))


def gaussian_letter(n_words: int = 40_000) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """One letter written along ``a``, in noise that is strong along another direction which overlaps with it.

    Returns activations, labels, ``a`` and the noise's covariance ``N``: the optimal filter is ``N^-1 a``.
    """
    generator = torch.Generator().manual_seed(0)
    a = torch.tensor([1.0, 0.0, 0.0])
    root = torch.tensor([[2.0, 0.0, 0.0], [3.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    labels = torch.rand(n_words, 1, generator=generator) < 0.3
    noise = torch.randn(n_words, 3, generator=generator) @ root.T
    return labels.float() * a + noise, labels, a, root @ root.T


def test_filter_and_pattern_of_a_gaussian_letter_are_those_of_the_closed_form() -> None:
    acts, labels, a, noise = gaussian_letter()
    filters = fit_probes(acts, labels)
    optimal = torch.nn.functional.normalize(torch.linalg.solve(noise, a), dim=0)
    assert float(filters.directions[0] @ optimal) > 0.999
    assert float(optimal @ a) < 0.91  # the filter subtracts the noise: it is not where the letter is written
    for found in (pattern(acts, labels, filters), difference_in_means(acts, labels)):
        assert float(found.directions[0] @ a) > 0.999


def test_the_pattern_is_cut_where_f1_on_the_training_words_is_best() -> None:
    acts = torch.tensor([[4.0, 1.0], [6.0, 1.0], [1.0, 1.0], [0.0, 1.0], [2.0, 1.0], [5.0, 1.0]])
    labels = torch.tensor([[1], [1], [0], [0], [0], [0]]).bool()
    found = pattern(acts, labels, ProbeSet(torch.tensor([[2.0, 0.0]]), torch.zeros(1)))
    torch.testing.assert_close(found.weights, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(found.biases, torch.tensor([-3.0]))  # between 4 and 2, as for the means

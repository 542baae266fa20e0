"""Probes are scikit-learn's optimum in raw activation space, and find directions that were planted."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from absorption.probes import fit as module
from absorption.probes.fit import L2, ProbeSet, balanced_weights, fit_probes

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


def test_directions_have_unit_norm_and_predictions_are_positive_logits() -> None:
    probes = ProbeSet(torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([-1.0, 0.0]))
    torch.testing.assert_close(probes.directions, torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    acts = torch.tensor([[1.0, 0.0], [0.0, -1.0]])
    torch.testing.assert_close(probes.logits(acts), torch.tensor([[2.0, 0.0], [-5.0, -2.0]]))
    assert probes.predict(acts).tolist() == [[True, False], [False, False]]

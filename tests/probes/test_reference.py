"""The published training, beside a plain re-implementation without autograd and without torch's optimiser."""

import numpy as np
import torch
from tests.probes.test_fit import planted

from absorption.probes import reference as module
from absorption.probes.fit import fit_probes
from absorption.probes.reference import fit_reference


def by_hand(
    acts: np.ndarray, labels: np.ndarray, start: tuple[np.ndarray, np.ndarray], orders: list
) -> np.ndarray:
    """Adam on the class-weighted cross-entropy, written out; weights with the bias as the last column."""
    x = np.column_stack([acts, np.ones(len(acts))]).astype(np.float64)
    w = np.column_stack([start[0], start[1]]).astype(np.float64)
    balance = (~labels).sum(0) / labels.sum(0)
    first, second, step = np.zeros_like(w), np.zeros_like(w), 0
    for epoch, order in enumerate(orders):
        rate = 0.01 * (1e-5 / 0.01) ** (epoch / 50)
        for batch in np.split(order, range(4096, len(order), 4096)):
            chance = 1 / (1 + np.exp(-(x[batch] @ w.T)))
            pull = np.where(labels[batch], -balance * (1 - chance), chance)
            gradient = pull.T @ x[batch] / pull.size + 1e-4 * w
            step += 1
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            scale = np.sqrt(second / (1 - 0.999**step)) + 1e-8
            w = w - rate * (first / (1 - 0.9**step)) / scale
    return w


def test_the_training_is_the_published_one_written_out() -> None:
    acts, labels, _ = planted(n_words=5000, noise=1.5)  # two batches an epoch
    torch.manual_seed(7)
    layer = torch.nn.Linear(acts.shape[1], 3)  # starts where a linear layer under this seed starts
    start = layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()
    orders = [torch.randperm(len(acts)).numpy() for _ in range(50)]
    wanted = by_hand(acts.numpy(), labels.numpy(), start, orders)
    found = fit_reference(acts, labels, seed=7)
    mine = np.column_stack([found.weights.numpy(), found.biases.numpy()])
    np.testing.assert_allclose(mine, wanted, rtol=1e-3, atol=1e-4)
    assert np.abs(mine - np.column_stack(start)).max() > 0.1  # a thousand times the tolerance


def test_the_seed_decides_and_torchs_own_generator_does_not() -> None:
    acts, labels, _ = planted(n_words=300)
    torch.manual_seed(0)
    one = fit_reference(acts, labels, seed=3)
    torch.manual_seed(1)
    again, other = fit_reference(acts, labels, seed=3), fit_reference(acts, labels, seed=4)
    assert torch.equal(one.weights, again.weights)
    assert torch.equal(one.biases, again.biases)
    assert not torch.equal(one.weights, other.weights)


def test_it_stops_before_the_optimum_that_the_converged_probe_reaches() -> None:
    acts, labels, _ = planted(n_words=2000, noise=1.5)
    acts = acts * torch.logspace(-1, 1, acts.shape[1])  # raw inputs: small dimensions move slowly
    reference, converged = fit_reference(acts, labels), fit_probes(acts, labels)
    cosines = (reference.directions * converged.directions).sum(dim=1)
    assert (cosines < 0.95).all()
    right = [(found.predict(acts) == labels).float().mean() for found in (reference, converged)]
    assert right[0] < right[1] - 0.1


def test_a_letter_without_words_is_never_said() -> None:
    acts, labels, _ = planted(300)
    labels[:, 1] = False
    found = fit_reference(acts, labels)
    assert found.weights.isfinite().all()
    assert not found.predict(acts)[:, 1].any()


def test_settings_are_the_published_ones() -> None:
    assert (module.EPOCHS, module.BATCH, module.WEIGHT_DECAY) == (50, 4096, 1e-4)
    assert (module.FIRST_RATE, module.LAST_RATE) == (0.01, 1e-5)

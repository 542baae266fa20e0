"""The published probe: 26 outputs on raw activations, trained by Adam for a fixed number of epochs.

Objective and schedule are those of the paper's code (sae-spelling, ``train_multi_probe`` as its experiments call
it) and of SAEBench, written anew; here initial weights and order of words have a seed. It stops
before the optimum: its directions differ from the converged probe's.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm.auto import tqdm

from absorption.probes.fit import ProbeSet

EPOCHS = 50
BATCH = 4096
FIRST_RATE, LAST_RATE = 1e-2, 1e-5
"""Adam's learning rate falls by the same factor after every epoch; it would be the last rate after all of them."""
WEIGHT_DECAY = 1e-4
"""Adam's: added to the gradient, of the biases too."""


def fit_reference(
    acts: Float[Tensor, "word d_model"], labels: Bool[Tensor, "word letter"], *, seed: int = 0
) -> ProbeSet:
    """Train the published probe.

    The loss is the mean over words and letters of the binary cross-entropy; a letter's own words weigh
    as much as all others together.

    Args:
        acts: training words' activations, as they are.
        labels: their letters.
        seed: of the initial weights and of the order of the words.
    """
    generator = torch.Generator().manual_seed(seed)
    weights, biases = _initial(labels.shape[1], acts.shape[1], generator)
    positives = labels.sum(0)
    balance = (len(labels) - positives) / positives.clamp_min(1)
    truth = labels.float()
    adam = torch.optim.Adam([weights, biases], lr=FIRST_RATE, weight_decay=WEIGHT_DECAY)
    fall = torch.optim.lr_scheduler.ExponentialLR(adam, (LAST_RATE / FIRST_RATE) ** (1 / EPOCHS))
    for _ in tqdm(range(EPOCHS), desc="Reference probe", unit="epoch", leave=False):
        for batch in torch.randperm(len(acts), generator=generator).split(BATCH):
            adam.zero_grad()
            logits = acts[batch] @ weights.T + biases
            binary_cross_entropy_with_logits(logits, truth[batch], pos_weight=balance).backward()
            adam.step()
        fall.step()
    return ProbeSet(weights=weights.detach(), biases=biases.detach())


def _initial(n_letters: int, d_model: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """As ``torch.nn.Linear`` starts: uniform within one over the root of the number of inputs."""
    bound = d_model**-0.5
    weights = torch.empty(n_letters, d_model).uniform_(-bound, bound, generator=generator)
    biases = torch.empty(n_letters).uniform_(-bound, bound, generator=generator)
    return weights.requires_grad_(), biases.requires_grad_()

"""Probe loss (Gao et al. 2024, section 4): the best logistic probe on one latent alone, over binary tasks.

If a latent stands for what a task asks, a probe of one weight and one bias on it has a low cross-entropy. Published is
the lowest over all latents; here the latent is the one with the lowest loss on training texts, and the loss is that on
others.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from absorption.saes.loaded import LoadedSae
from absorption.scaling.tasks import Tasks

N_SCREENED = 64
"""Latents to which a probe is fitted: those most correlated with the label. All others are worse on these texts."""
RIDGE = 0.01
"""Of the squared weight on a standardised latent, so that a latent that separates the training texts has a probe."""
N_STEPS = 40
LARGEST_STEP = 2.0


def probe_losses(sae: LoadedSae, tasks: Tasks) -> list[float]:
    """Cross-entropy in nats of the best latent's probe, for each task."""
    return [
        best_loss(sae.encode(acts), labels) for acts, labels in zip(tasks.acts, tasks.labels, strict=True)
    ]


def channel_losses(tasks: Tasks) -> list[float]:
    """The same of single dimensions of the residual stream."""
    return [best_loss(acts, labels) for acts, labels in zip(tasks.acts, tasks.labels, strict=True)]


@torch.inference_mode()
def best_loss(columns: Float[Tensor, "text column"], labels: Bool[Tensor, " text"]) -> float:
    """Loss on the second half of the texts of the probe that has the lowest one on the first half."""
    half = len(labels) // 2
    y = labels.double()
    screened = columns[:, screen(columns[:half], y[:half])].double()
    mean, spread = screened[:half].mean(0), screened[:half].std(0).clamp_min(1e-9)
    z = (screened - mean) / spread
    weights, biases = fit_each(z[:half], y[:half])
    best = int(losses(z[:half], y[:half], weights, biases).argmin())
    return float(losses(z[half:], y[half:], weights, biases)[best])


def screen(columns: Float[Tensor, "text column"], y: Float[Tensor, " text"]) -> Tensor:
    """The columns most correlated with the label, of either sign."""
    centred = columns - columns.mean(0)
    along = (centred.T @ (y - y.mean()).to(centred)).abs()
    spread = centred.norm(dim=0)
    correlation = torch.where(spread > 0, along / spread.clamp_min(1e-12), torch.zeros_like(along))
    return correlation.topk(min(N_SCREENED, columns.shape[1])).indices


def fit_each(
    z: Float[Tensor, "text column"], y: Float[Tensor, " text"]
) -> tuple[Float[Tensor, " column"], Float[Tensor, " column"]]:
    """Weight and bias of a logistic probe on each column alone, by Newton steps of limited size."""
    weights, biases = torch.zeros(z.shape[1]).double(), torch.zeros(z.shape[1]).double()
    for _ in range(N_STEPS):
        p = torch.sigmoid(z * weights + biases)
        off, curve = p - y[:, None], p * (1 - p)
        g_w, g_b = (off * z).mean(0) + RIDGE * weights, off.mean(0)
        h_ww, h_wb, h_bb = (curve * z * z).mean(0) + RIDGE, (curve * z).mean(0), curve.mean(0) + 1e-9
        det = h_ww * h_bb - h_wb * h_wb
        step_w, step_b = (h_bb * g_w - h_wb * g_b) / det, (h_ww * g_b - h_wb * g_w) / det
        size = (torch.maximum(step_w.abs(), step_b.abs()) / LARGEST_STEP).clamp_min(1.0)
        weights, biases = weights - step_w / size, biases - step_b / size
    return weights, biases


def losses(
    z: Float[Tensor, "text column"],
    y: Float[Tensor, " text"],
    weights: Float[Tensor, " column"],
    biases: Float[Tensor, " column"],
) -> Float[Tensor, " column"]:
    """Mean cross-entropy of each probe, in nats."""
    logits = z * weights + biases
    return (torch.nn.functional.softplus(logits) - y[:, None] * logits).mean(0)

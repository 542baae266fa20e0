"""What a toy SAE learned, against the planted truth: cosines, firing, absorption, quality.

Latents are named by features: the one-to-one matching with the largest sum of decoder cosines. A feature's
latent is its *main latent*. Activations are in units of decoder rows of norm 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd
import torch
from jaxtyping import Bool, Float
from sae_lens import SAE
from sae_lens.synthetic import eval_sae_on_synthetic_data
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from absorption.base.statistics import mean_interval
from absorption.latents.sparse import ACTIVE
from absorption.toy.worlds import World

N_SAMPLES = 20_000
N_BOOTSTRAPPED = 2_000
"""Samples that carry a rate's interval; more would only narrow it."""


def main_latents(sae: SAE[Any], world: World) -> dict[int, int]:
    """Feature -> its main latent; with fewer latents than features, some features have none."""
    cosines = _unit(sae.W_dec) @ world.directions.T
    latents, features = linear_sum_assignment(-cosines.numpy())
    return dict(sorted(zip(features.tolist(), latents.tolist(), strict=True)))


def cosines(sae: SAE[Any], world: World) -> pd.DataFrame:
    """Cosine of every main latent's encoder and decoder with every feature.

    Returns:
        Rows ``side`` ("encoder", "decoder"), ``latent`` and ``feature`` ("f0", ...), ``cosine``.
    """
    order = main_latents(sae, world)
    sides = {"encoder": _unit(sae.W_enc.T), "decoder": _unit(sae.W_dec)}
    return pd.DataFrame(
        [
            {"side": side, "latent": f"f{mine}", "feature": f"f{feature}", "cosine": value}
            for side, rows in sides.items()
            for mine, latent in order.items()
            for feature, value in enumerate((rows[latent] @ world.directions.T).tolist())
        ]
    )


def responses(
    sae: SAE[Any], world: World, patterns: Mapping[str, Tensor], *, l1: float = 0.0
) -> pd.DataFrame:
    """Every main latent's activation on given feature patterns.

    Args:
        patterns: name -> feature activations, shape ``feature`` (see ``World.pattern``).
        l1: the L1 coefficient that the SAE was trained with.

    Returns:
        Rows ``pattern``, ``latent``, ``activation``, and ``debiased``: the activation with what the L1 penalty
        takes off it put back.
    """
    acts = sae.encode(torch.stack(list(patterns.values())) @ world.directions)
    debiased = torch.stack([row + shrinkage(sae.W_dec, row > ACTIVE, l1) for row in acts])
    order = main_latents(sae, world)
    return pd.DataFrame(
        [
            {
                "pattern": name, "latent": f"f{mine}",
                "activation": float(acts[row, latent]), "debiased": float(debiased[row, latent]),
            }
            for row, name in enumerate(patterns)
            for mine, latent in order.items()
        ]
    )  # fmt: skip


def shrinkage(
    decoder: Float[Tensor, "latent d_in"], on: Bool[Tensor, " latent"], l1: float
) -> Float[Tensor, " latent"]:
    """What an L1 penalty takes off each active latent at the optimum; 0 for the others.

    With squared error summed over dimensions and unit decoder rows, the optimal activations of the active latents
    solve ``G a = D x - l1 / 2``, where ``G`` holds the rows' cosines: the penalty costs ``G^-1 (l1 / 2)``.
    """
    lost = torch.zeros(len(decoder))
    rows = decoder[on]
    lost[on] = torch.linalg.solve(rows @ rows.T, torch.full((len(rows),), l1 / 2))
    return lost


def absorption(sae: SAE[Any], world: World, *, n_samples: int = N_SAMPLES, seed: int = 0) -> pd.DataFrame:
    """How far each descendant's presence moves an ancestor from its own latent to others.

    Columns, one row a (descendant, ancestor):
        absorbed: with the descendant on, the share of what is written along the ancestor's direction that
            latents other than its main latent write; the ``d`` of the closed-form family.
        hedged: the same share on samples in which the ancestor fires with nothing below it. Absorption proper is
            ``absorbed`` where this is near 0.
        by_descendant: the part of ``absorbed`` that the descendant's own main latent writes; NaN if it has none.
        silent, low, high: share of the samples with both on in which the main latent is off, with its
            bootstrap interval over samples.
        recall_alone: share of the samples with the ancestor alone in which its main latent fires.
        n: samples with both on.
    """
    acts = world.sample(n_samples, seed)
    latents = sae.encode(acts @ world.directions)
    order = main_latents(sae, world)
    rows = [
        _pair(sae, world, acts > 0, latents, order, descendant, ancestor)
        for ancestor in order
        for descendant in world.descendants(ancestor)
    ]
    return pd.DataFrame(rows)


def _pair(
    sae: SAE[Any],
    world: World,
    on: Tensor,
    latents: Tensor,
    order: Mapping[int, int],
    descendant: int,
    ancestor: int,
) -> dict[str, Any]:
    main, below = order[ancestor], world.descendants(ancestor)
    path = {descendant, *world.ancestors(descendant)} & set(below)
    # Only the descendant and what lies between fires below the ancestor: other children have effects of their own.
    expected = torch.tensor([feature in path for feature in below])
    both = on[:, ancestor] & (on[:, below] == expected).all(dim=1)
    alone = on[:, ancestor] & ~on[:, below].any(dim=1)
    written = latents * (sae.W_dec @ world.directions[ancestor])
    silent = (latents[both, main] < ACTIVE).double().numpy()
    rate = mean_interval(silent[:N_BOOTSTRAPPED])
    return {
        "ancestor": f"f{ancestor}", "descendant": f"f{descendant}", "n": int(both.sum()),
        "absorbed": _share_of_others(written[both], main),
        "by_descendant": _share_of(written[both], order.get(descendant)),
        "hedged": _share_of_others(written[alone], main),
        "silent": float(silent.mean()) if len(silent) else float("nan"),
        "low": rate.low, "high": rate.high,
        "recall_alone": float((latents[alone, main] >= ACTIVE).double().mean()),
    }  # fmt: skip


def _share_of_others(written: Float[Tensor, "sample latent"], main: int) -> float:
    total = float(written.sum())
    return 1 - float(written[:, main].sum()) / total if total > 0 else float("nan")


def _share_of(written: Float[Tensor, "sample latent"], latent: int | None) -> float:
    total = float(written.sum())
    return float(written[:, latent].sum()) / total if total > 0 and latent is not None else float("nan")


def quality(sae: SAE[Any], world: World, *, n_samples: int = N_SAMPLES, seed: int = 0) -> dict[str, float]:
    """SAELens' own evaluation on planted features.

    Returns:
        ``mcc`` (mean cosine of matched decoder rows and features), ``explained_variance``, ``sae_l0``,
        ``true_l0``, ``dead_latents``, ``shrinkage``, ``uniqueness``, and ``precision``, ``recall``, ``f1_score``
        of latents as detectors of the feature closest to them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        result = eval_sae_on_synthetic_data(sae, world.dictionary(), world.generator(), n_samples)
    flat = asdict(result)
    return {**flat.pop("classification"), **flat}


def _unit(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows.detach(), dim=-1)


def closed_form(sae: SAE[Any], world: World) -> dict[str, float]:
    """The pair (f0, f1) in the terms of the closed-form family (``theory.closed_form_losses``).

    Returns:
        ``d``: what f1's latent writes along f0 for each unit along f1; ``hole``: what f0's latent reads
        along f1 for each unit along f0 (the family has ``-d``).
    """
    order = main_latents(sae, world)
    written = sae.W_dec[order[1]] @ world.directions.T
    read = sae.W_enc[:, order[0]] @ world.directions.T
    return {"d": float(written[0] / written[1]), "hole": float(read[1] / read[0])}

"""Children that are weaker or stronger than their parents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sae_lens import SAE

from absorption.chapters.co_occurrence.sweeps import FIXED_L1
from absorption.chapters.findings import OneTable
from absorption.chapters.settings import CoOccurrenceSettings
from absorption.latents.sparse import ACTIVE
from absorption.toy import measure
from absorption.toy.recipes import fast
from absorption.toy.train import Run, train_settled
from absorption.toy.worlds import World

PARENT_RATE, CHILD_RATE = 0.25, 0.05
"""Overall firing rates, as in the paper's hierarchy (section 3)."""


def world(magnitude: float) -> World:
    """The paper's hierarchy with a child whose activation is ``magnitude``; the parent's is 1."""
    return World(
        rates=(PARENT_RATE, CHILD_RATE, 0.05, 0.05),
        parents=(None, 0, None, None),
        magnitudes=(1.0, magnitude, 1.0, 1.0),
    )


def child_magnitudes(settings: CoOccurrenceSettings) -> OneTable:
    """Full hierarchy with a child that fires weaker or stronger than its parent, several seeds.

    Columns, one row a magnitude and seed: ``child_magnitude``, ``seed``; ``full_d``, what carries the whole parent
    (1 / magnitude), and those of ``child_of``.
    """
    cases = [(magnitude, seed) for magnitude in settings.child_magnitudes for seed in settings.seeds]
    recipe = fast("standard", 4, FIXED_L1, settings.n_samples_fast)
    runs = [Run(world(magnitude), recipe, seed) for magnitude, seed in cases]
    saes = train_settled(runs, workers=settings.workers)
    table = pd.DataFrame(
        [
            {"child_magnitude": magnitude, "seed": seed, "full_d": 1 / magnitude, **child_of(sae, world(magnitude))}
            for (magnitude, seed), sae in zip(cases, saes, strict=True)
        ]
    )  # fmt: skip
    return OneTable("toy-magnitudes", table, lost_children(table))


def child_of(sae: SAE[Any], world: World) -> dict[str, float]:
    """What became of the child.

    Returns:
        ``d`` (f0 that the child's latent writes for each unit of f1; NaN if it never fires: its row is what was left
        when it died), ``absorbed``, ``child_fires`` (share of the samples with the child in which its latent fires),
        ``parent_row`` (f1 in the parent's decoder row for each unit of f0), ``loss`` (squared error plus penalty).
    """
    features = world.sample(measure.N_SAMPLES, 0)
    inputs = features @ world.directions
    acts, order = sae.encode(inputs), measure.main_latents(sae, world)
    parent = sae.W_dec[order[0]] @ world.directions.T
    fires = float((acts[features[:, 1] > 0, order[1]] > ACTIVE).double().mean())
    error = (sae.decode(acts) - inputs).pow(2).sum(dim=1)
    return {
        "d": measure.closed_form(sae, world)["d"] if fires > 0 else float("nan"),
        "absorbed": float(measure.absorption(sae, world)["absorbed"].iloc[0]),
        "child_fires": fires,
        "parent_row": float(parent[1] / parent[0]),
        "loss": float((error + FIXED_L1 * acts.sum(dim=1)).mean()),
    }


def average_child(magnitude: float) -> float:
    """f1 for each unit of f0 in the one decoder row that best stands for the parent with and without its child.

    That row is the first principal direction (about 0) of the samples with the parent, of which the child is in a
    share ``CHILD_RATE / PARENT_RATE``; the penalty is left out.
    """
    share = CHILD_RATE / PARENT_RATE
    return float(np.tan(0.5 * np.arctan2(2 * share * magnitude, 1 - share * magnitude**2)))


def lost_children(table: pd.DataFrame) -> dict[str, Any]:
    """What the page says of the SAEs, by name: how many lost the child, and of those, what the parent's row shows.

    Args:
        table: as in ``child_magnitudes``.
    """
    dead = table["child_fires"] == 0
    lost, kept = table[dead], table[~dead]
    counts = lost.groupby("child_magnitude").size()
    expected = [f"{average_child(magnitude):.2f}" for magnitude in counts.index]
    return {
        "n_lost": int(dead.sum()),
        "n_magnitudes": len(table),
        "lost_at": "; ".join(f"{n} of magnitude {m:g}" for m, n in counts.items()) or "none",
        "lost_rows": ", ".join(f"{value:.2f}" for value in lost["parent_row"]) or "none",
        "average_rows": ", ".join(expected) or "none",
        "kept_absorbed": float(kept["absorbed"].min()),
        "kept_d_gap": float((kept["d"] / kept["full_d"] - 1).abs().max()),
    }

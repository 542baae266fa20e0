"""The published measures of an SAE's quality besides its error (Gao et al. 2024, section 4), at laptop size.

Next-token loss is measured of every SAE (``scaling.measure``). The three others cost more and are measured of the SAEs
of the base's width or of its number of active latents: the best probe on one latent, patterns of tokens that predict a
latent, and the share of logits that removing a latent moves. The rows are as in ``scaling.measure``; ``batch`` numbers
tasks, latents, or tokens at which latents are removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int
from torch import Tensor

from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.scaling import downstream, patterns, tasks
from absorption.scaling.measure import TEXT, table
from absorption.scaling.single_probes import channel_losses, probe_losses
from absorption.training.recipe import BASE, EXPERIMENTS, Recipe

VERSION = 1
PROBE_LOSS = "probe loss"
MATCHED, HIT, ON = "tokens matched", "tokens matched and on", "tokens on"
MOVED, REMOVED = "share of logits moved", "latents removed"


@dataclass(frozen=True)
class Subject:
    """What the measures are taken on, the same for all SAEs."""

    contexts: Sequence[downstream.Context]
    passages: patterns.Passages
    tasks: tasks.Tasks


def is_measured(recipe: Recipe) -> bool:
    """Whether an SAE is one of those that have these measures."""
    return recipe not in EXPERIMENTS and (recipe.d_sae == BASE.d_sae or recipe.k == BASE.k)


def read_subject(model: LanguageModel, hook_name: str, windows: Int[Tensor, "window position"]) -> Subject:
    """Read text and tasks once.

    Raises:
        ConnectionError: the package with the tasks cannot be had.
    """
    return Subject(
        downstream.read_contexts(model, hook_name, windows),
        patterns.read_passages(model, hook_name, windows),
        tasks.load_tasks(model, hook_name),
    )


def describe(subject: Subject) -> dict[str, Any]:
    """What was read, as a stamp holds it."""
    return {
        "tasks": list(subject.tasks.names), "texts": subject.tasks.acts.shape[1],
        "contexts": len(subject.contexts), "future": downstream.N_FUTURE,
        "windows": len(subject.passages.windows), "longest": patterns.LONGEST,
    }  # fmt: skip


def baselines(model: LanguageModel, subject: Subject) -> pd.DataFrame:
    """The same of the residual stream's own dimensions, where they can be measured so."""
    depth = model.site(BASE.hook_name).depth
    moved, removed = downstream.effects_of_channels(model, depth, subject.contexts)
    return table(
        TEXT,
        {
            PROBE_LOSS: channel_losses(subject.tasks), MOVED: moved, REMOVED: removed,
        },
    )  # fmt: skip


def measure_quality(model: LanguageModel, sae: LoadedSae, subject: Subject) -> pd.DataFrame:
    """All measures of one SAE."""
    moved, removed = downstream.effects_of_latents(model, sae, subject.contexts)
    matched, hit, on = patterns.score_patterns(model, sae, subject.passages).T
    return table(
        sae.name,
        {
            PROBE_LOSS: np.array(probe_losses(sae, subject.tasks)), MOVED: moved, REMOVED: removed,
            MATCHED: matched, HIT: hit, ON: on,
        },
    )  # fmt: skip

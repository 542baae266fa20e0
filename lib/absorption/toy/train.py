"""Train toy SAEs, several at a time, each kept in the cache under all its inputs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sae_lens import SAE
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import cache, timing
from absorption.toy.pool import run_all
from absorption.toy.recipes import BATCH_SIZE, Recipe
from absorption.toy.together import fit_together
from absorption.toy.worlds import World

STAGE = "toy-saes"
VERSION = 4
"""Raised when the training code changes its result."""
BIAS_LIMIT = 0.5
"""Norm of the decoder bias from which it holds a feature: features have norm 1."""
RETRIES, SEED_STEP = 3, 1000
TOGETHER = 12
"""SAEs that learn from the same samples in one process: more would leave the other processes without work."""


@dataclass(frozen=True)
class Run:
    """One toy SAE to train: the world it sees, how it learns, and its seed."""

    world: World
    recipe: Recipe
    seed: int = 0

    def inputs(self) -> dict[str, Any]:
        """Every input of the trained weights, as JSON values."""
        return {
            "world": self.world.inputs(), "recipe": self.recipe.inputs(), "seed": self.seed,
            "batch": BATCH_SIZE, "version": VERSION,
        }  # fmt: skip


def train(run: Run) -> SAE[Any]:
    """The trained SAE in SAELens' inference form, from the cache if it is there; see ``train_all``."""
    return train_all([run], workers=1)[0]


def train_all(runs: Sequence[Run], *, workers: int = 0) -> list[SAE[Any]]:
    """Train all runs that the cache lacks, and return all SAEs in the order given.

    A toy training step is too small for a second thread to help, so runs go side by side in processes of
    one thread each; runs of the same world and seed share their samples, which changes no result. Everything happens
    on the CPU: a GPU is slower at this size.

    Args:
        runs: what to train.
        workers: processes; 0: one for each CPU core.

    Returns:
        Inference-form SAEs with decoder rows of norm 1: an activation is the length of what the latent
        writes. BatchTopK and Matryoshka become JumpReLU, as SAELens saves them.
    """
    missing = [run for run in dict.fromkeys(runs) if not _is_cached(run)]
    if missing:
        with timing.stage("toy.train"):
            _train_missing(missing, workers or os.cpu_count() or 1)
    return [_inference_form(run.recipe, run.world.d_in, _weights(run)) for run in runs]


def train_settled(runs: Sequence[Run], *, workers: int = 0) -> list[SAE[Any]]:
    """Like ``train_all``, but an SAE whose decoder bias took in a feature is trained again with another seed.

    Some runs on the fast schedule end there (the first chapter counts them): the bias writes the parent always and a
    latent takes it away when the parent is *absent*, a worse minimum of the same loss. The worlds have no bias, so
    its norm tells, whatever the SAE absorbs.
    """
    runs = list(runs)
    saes = train_all(runs, workers=workers)
    for _ in range(RETRIES):
        again = [index for index, sae in enumerate(saes) if not has_settled(sae)]
        if not again:
            break
        for index in again:
            runs[index] = replace(runs[index], seed=runs[index].seed + SEED_STEP)
        for index, sae in zip(
            again, train_all([runs[index] for index in again], workers=workers), strict=True
        ):
            saes[index] = sae
    return saes


def has_settled(sae: SAE[Any]) -> bool:
    """Whether the decoder's bias is near its true value, 0."""
    return float(sae.b_dec.norm()) < BIAS_LIMIT


def _train_missing(missing: list[Run], workers: int) -> None:
    groups = sorted(_groups(missing), key=lambda group: -_samples(group))  # the longest first
    with tqdm(
        total=_samples(missing), desc=f"{len(missing)} toy SAEs", unit="sample", unit_scale=True
    ) as bar:
        if workers == 1 or len(groups) == 1:
            done = ((group, _train_group(group)) for group in groups)
        else:
            done = run_all(_train_group, groups, workers)
        for group, _ in done:
            bar.update(_samples(group))


def _groups(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that can learn from the same samples, a few at a time."""
    alike: dict[Any, list[Run]] = {}
    for run in runs:
        alike.setdefault((run.world, run.seed, run.recipe.n_steps), []).append(run)
    return [group[i : i + TOGETHER] for group in alike.values() for i in range(0, len(group), TOGETHER)]


def _samples(runs: Sequence[Run]) -> int:
    return sum(run.recipe.n_samples for run in runs)


def _train_group(runs: list[Run]) -> None:
    states = fit_together(runs[0].world, [run.recipe for run in runs], runs[0].seed)
    for run, state in zip(runs, states, strict=True):
        _weights(run, state)  # they reach the caller through the cache


def _is_cached(run: Run) -> bool:
    return (cache.root() / STAGE / f"{cache.key_of(run.inputs())}.safetensors").exists()


def _weights(run: Run, state: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    def compute() -> dict[str, Tensor]:
        return state or fit_together(run.world, [run.recipe], run.seed)[0]

    return cache.cached_tensors(STAGE, run.inputs(), compute)


def _inference_form(recipe: Recipe, d_in: int, weights: dict[str, Tensor]) -> SAE[Any]:
    config = recipe.build(d_in).cfg.get_inference_sae_cfg_dict()
    sae = SAE.from_dict(config)
    sae.load_state_dict(weights)
    if recipe.architecture != "topk":  # TopK is saved with its norms folded in, and refuses to do it twice
        sae.fold_W_dec_norm()
    return sae.eval().requires_grad_(False)

"""Train toy SAEs with SAELens' toy trainer, several at a time, each kept in the cache under all its inputs."""

from __future__ import annotations

import importlib.metadata
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from sae_lens import SAE
from sae_lens.synthetic import train_toy_sae
from torch import Tensor
from tqdm.auto import tqdm

from absorption import cache, timing
from absorption.toy.recipes import BATCH_SIZE, Recipe
from absorption.toy.worlds import World

STAGE = "toy-saes"
VERSION = 1
"""Raised when the training code changes its result."""
BIAS_LIMIT = 0.5
"""Norm of the decoder bias from which it holds a feature: features have norm 1."""
RETRIES, SEED_STEP = 3, 1000


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
            "batch": BATCH_SIZE, "sae_lens": importlib.metadata.version("sae-lens"), "version": VERSION,
        }  # fmt: skip


def train(run: Run) -> SAE[Any]:
    """The trained SAE in SAELens' inference form, from the cache if it is there; see ``train_all``."""
    return train_all([run], workers=1)[0]


def train_all(runs: Sequence[Run], *, workers: int = 0) -> list[SAE[Any]]:
    """Train all runs that the cache lacks, and return all SAEs in the order given.

    A toy training step is too small for a second thread to help, so runs go side by side in processes of
    one thread each. Everything happens on the CPU: a GPU is slower at this size.

    Args:
        runs: what to train.
        workers: processes; 0: one for each CPU core, but none beside this one for a single run.

    Returns:
        Inference-form SAEs with decoder rows of norm 1: an activation is the length of what the latent
        writes. BatchTopK and Matryoshka become JumpReLU, as SAELens saves them.
    """
    missing = [run for run in dict.fromkeys(runs) if not _is_cached(run)]
    workers = min(workers or os.cpu_count() or 1, len(missing))
    if missing:
        with timing.stage("toy.train"):
            _train_missing(missing, workers)
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
    if workers == 1:
        for run in missing:  # SAELens shows a bar for each
            _weights(run)
        return
    total = sum(run.recipe.n_samples for run in missing)
    # Forking a process that has used torch's threads can hang, so workers are spawned.
    context = multiprocessing.get_context("spawn")
    with (
        tqdm(total=total, desc=f"{len(missing)} toy SAEs", unit="sample", unit_scale=True) as bar,
        _quiet_children(),
        ProcessPoolExecutor(workers, mp_context=context) as pool,
    ):
        longest_first = sorted(missing, key=lambda run: -run.recipe.n_samples)
        waiting = {pool.submit(_work, run): run for run in longest_first}
        for done in as_completed(waiting):
            done.result()
            bar.update(waiting[done].recipe.n_samples)


def _work(run: Run) -> None:
    _weights(run)  # the weights reach the caller through the cache


def _is_cached(run: Run) -> bool:
    return (cache.root() / STAGE / f"{cache.key_of(run.inputs())}.safetensors").exists()


def _weights(run: Run) -> dict[str, Tensor]:
    return cache.cached_tensors(STAGE, run.inputs(), lambda: _fit(run))


def _fit(run: Run) -> dict[str, Tensor]:
    recipe = run.recipe
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        sae = recipe.build(run.world.d_in)
        train_toy_sae(
            sae,
            run.world.dictionary(),
            run.world.generator(),
            training_samples=recipe.n_samples,
            batch_size=BATCH_SIZE,
            lr=recipe.lr,
            lr_decay_steps=round(recipe.lr_decay * recipe.n_steps),
        )
    state = {name: tensor.detach().clone() for name, tensor in sae.state_dict().items()}
    sae.process_state_dict_for_saving_inference(state)
    return state


def _inference_form(recipe: Recipe, d_in: int, weights: dict[str, Tensor]) -> SAE[Any]:
    config = recipe.build(d_in).cfg.get_inference_sae_cfg_dict()
    sae = SAE.from_dict(config)
    sae.load_state_dict(weights)
    if recipe.architecture != "topk":  # TopK is saved with its norms folded in, and refuses to do it twice
        sae.fold_W_dec_norm()
    return sae.eval().requires_grad_(False)


@contextmanager
def _one_thread() -> Iterator[None]:
    """A toy step is so small that a second thread only waits for the first.

    The way of multiplying is set too: loading a model may have changed it (``models.arithmetic``), and the
    weights of a run must not depend on what the process did before.
    """
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


@contextmanager
def _quiet_children() -> Iterator[None]:
    """Processes started meanwhile show no progress bars of their own beside ours."""
    before = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TQDM_DISABLE"]
        else:
            os.environ["TQDM_DISABLE"] = before

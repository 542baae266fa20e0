"""Training that survives a kill: SAELens' trainer over stored activations, with exact resume.

SAELens' ``load_trainer_state`` brings back the optimiser and the counters, not the weights, the place in the
data or the random state, and its checkpoints can be cut off half-written. A checkpoint here is one file
that appears whole or not at all; a run that was killed and resumed ends in the same weights as one that was
not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sae_lens import __version__ as sae_lens_version
from sae_lens.config import LoggingConfig, SAETrainerConfig
from sae_lens.saes.sae import SAEMetadata, TrainingSAE
from sae_lens.training.optim import get_lr_scheduler
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import cache, seals
from absorption.base.reasons import is_memory
from absorption.training.architectures import untrained_sae
from absorption.training.harvest import StoredActivations
from absorption.training.recipe import Recipe

STATE_FILE = "state.pt"
RECORD_STEPS = 50


class CheckpointError(ValueError):
    """A checkpoint that cannot be gone on from."""


class ShuffledRows:
    """Batches of stored activations in a seeded order, one permutation a pass; ``position`` is all its state.

    Raises:
        ValueError: fewer rows than a batch takes.
    """

    def __init__(self, activations: StoredActivations, batch: int, seed: int, scale: float) -> None:
        if len(activations.rows) < batch:
            raise ValueError(
                f"{len(activations.rows)} stored activations are fewer than a batch of {batch}; "
                "use more text or a smaller batch."
            )
        self.activations = activations
        self.batch = batch
        self.seed = seed
        self.scale = scale
        self.position = 0
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=np.int64))

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        per_pass = len(self.activations.rows) // self.batch
        number, step = divmod(self.position, per_pass)
        if self._order[0] != number:
            generator = np.random.default_rng((self.seed, number))
            self._order = (number, generator.permutation(len(self.activations.rows)))
        self.position += 1
        index = np.sort(self._order[1][step * self.batch : (step + 1) * self.batch])
        return self.activations.batch(index) * self.scale


class ResumableTrainer(SAETrainer):
    """SAELens' trainer with whole-state checkpoints every ``checkpoint_steps`` steps."""

    data_provider: ShuffledRows

    def __init__(
        self,
        *,
        cfg: SAETrainerConfig,
        sae: TrainingSAE,
        rows: ShuffledRows,
        folder: Path,
        every: int,
        threshold_speed: float = 1.0,
        k_at: Callable[[int], float] | None = None,
    ) -> None:
        """``k_at``: active latents a token asked for at each step, of an SAE whose configuration has a ``k``."""
        super().__init__(cfg=cfg, sae=sae, data_provider=rows)
        self.k_at = k_at
        if threshold_speed != 1:
            self._speed_up_thresholds(threshold_speed)
        self.folder = folder
        self.every = every
        self.stop_after: int | None = None
        self.seconds = 0.0
        self.dead_over_time: list[tuple[int, int]] = []
        """Steps done and latents dead by then, every ``RECORD_STEPS`` steps."""
        for group in self.optimizer.param_groups:  # one pass over the weights instead of a dozen
            group.update(fused=True, foreach=False)

    def _speed_up_thresholds(self, factor: float) -> None:
        """Give the thresholds a learning rate of their own.

        Adam moves a parameter by at most the learning rate a step, and a JumpReLU threshold has a hundred times
        further to go than a weight: until it arrives, thousands of latents are on.
        """
        cfg = self.cfg
        thresholds = [p for name, p in self.sae.named_parameters() if name == "threshold"]
        others = [p for name, p in self.sae.named_parameters() if name != "threshold"]
        groups = [{"params": others}, {"params": thresholds, "lr": cfg.lr * factor}]
        self.optimizer = torch.optim.Adam(groups, lr=cfg.lr, betas=(cfg.adam_beta1, cfg.adam_beta2))
        self.lr_scheduler = get_lr_scheduler(
            cfg.lr_scheduler_name,
            lr=cfg.lr,
            optimizer=self.optimizer,
            warm_up_steps=cfg.lr_warm_up_steps,
            decay_steps=cfg.lr_decay_steps,
            training_steps=cfg.total_training_steps,
            lr_end=cfg.lr / 10 if cfg.lr_end is None else cfg.lr_end,
            num_cycles=cfg.n_restart_cycles,
        )

    def fit(self) -> TrainingSAE:
        """Train to the end of the recipe, from the last checkpoint if there is one."""
        if (self.folder / STATE_FILE).exists():
            try:
                self.restore()
            except CheckpointError as error:
                print(f"{error} Training starts anew.")
        total = self.cfg.total_training_steps
        end = min(total, self.stop_after or total)
        bar = tqdm(total=total, initial=self.n_training_steps, desc=self.folder.name, unit="step")
        clock = time.monotonic()
        while self.n_training_steps < end:
            self._set_k()
            output = self.step(next(self.data_provider))
            self.n_training_steps += 1
            bar.update()
            if self.n_training_steps % RECORD_STEPS == 0:
                dead = int(self.dead_neurons.sum())
                self.dead_over_time.append((self.n_training_steps, dead))
                bar.set_postfix(loss=f"{output.losses['mse_loss'].item():.1f}", dead=dead)
            if self.n_training_steps % self.every == 0 or self.n_training_steps == end:
                self.seconds += time.monotonic() - clock
                clock = time.monotonic()
                self.checkpoint()
        self._set_k()
        bar.close()
        self.set_final_sae_metadata()
        return self.sae

    def _set_k(self) -> None:
        if self.k_at is not None:
            k = self.k_at(self.n_training_steps)
            self.sae.cfg.k = round(k) if isinstance(self.sae.cfg.k, int) else k

    def checkpoint(self) -> None:
        """Write weights, optimiser, schedulers, counters, data position and random state as one file."""
        state = {
            "sae": self.sae.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "lr_scheduler": self.lr_scheduler.state_dict(),
            "coefficients": {name: vars(each).copy() for name, each in self.coefficient_schedulers.items()},
            "n_training_samples": self.n_training_samples,
            "n_training_steps": self.n_training_steps,
            "act_freq_scores": self.act_freq_scores,
            "n_forward_passes_since_fired": self.n_forward_passes_since_fired,
            "n_frac_active_samples": self.n_frac_active_samples,
            "position": self.data_provider.position,
            "seconds": self.seconds,
            "dead_over_time": self.dead_over_time,
            "rng": torch.get_rng_state(),
        }
        state["seal"] = seals.of_state(self.folder.name, state)
        # One file, replaced by one rename: swapping folders would take two, with no checkpoint between them.
        with cache.atomic_path(self.folder / STATE_FILE) as temporary, temporary.open("wb") as sink:
            torch.save(state, sink)  # to a file of Python's, whose errors say what is wrong with a disk

    def restore(self) -> None:
        """Continue from the checkpoint in the folder.

        Raises:
            CheckpointError: it is damaged, or another training's; nothing of it was taken over.
        """
        state = self._read()
        self.sae.load_state_dict(state["sae"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.lr_scheduler.load_state_dict(state["lr_scheduler"])
        for name, scheduler in self.coefficient_schedulers.items():
            vars(scheduler).update(state["coefficients"][name])
        for name in (
            "n_training_samples", "n_training_steps", "act_freq_scores",
            "n_forward_passes_since_fired", "n_frac_active_samples", "seconds",
        ):  # fmt: skip
            setattr(self, name, state[name])
        self.data_provider.position = state["position"]
        self.dead_over_time = list(state.get("dead_over_time", []))  # a checkpoint from before has none
        torch.set_rng_state(state["rng"].cpu())

    def _read(self) -> dict[str, Any]:
        path = self.folder / STATE_FILE
        try:
            state = torch.load(path, map_location=self.cfg.device, weights_only=True)
            seal = state.pop("seal", None)  # one from before there were seals has none
        except Exception as error:  # a damaged file can fail in any way
            if is_memory(error):
                raise
            raise CheckpointError(f"checkpoint {path} cannot be read.") from None
        if seal is not None and seal != seals.of_state(self.folder.name, state):
            raise CheckpointError(f"checkpoint {path} is not what was written there.")
        return state


def input_scale(activations: StoredActivations) -> float:
    """Factor that brings the mean squared norm of centred activations to ``d_model`` (SAEs expect unit scale)."""
    step = max(1, len(activations.rows) // 50_000)
    centred = torch.from_numpy(activations.rows[::step].astype(np.float32)) - activations.mean
    return float(math.sqrt(centred.shape[1]) / centred.pow(2).sum(-1).mean().sqrt())


def make_trainer(
    recipe: Recipe, activations: StoredActivations, folder: Path, *, model_name: str, every: int = 250
) -> ResumableTrainer:
    """Trainer of one recipe; ``folder`` holds its checkpoint.

    Raises:
        ValueError: an architecture that no recipe can train.
    """
    torch.manual_seed(recipe.seed)
    scale = input_scale(activations)
    sae = _training_sae(recipe, activations, model_name)
    with torch.no_grad():
        sae.b_dec.copy_(activations.mean * scale)  # type: ignore[attr-defined]
    total = int(len(activations.rows) * recipe.n_passes) // recipe.batch * recipe.batch
    cfg = SAETrainerConfig(
        total_training_samples=total,
        train_batch_size_samples=recipe.batch,
        lr=recipe.lr,
        lr_end=recipe.lr / 10,
        lr_warm_up_steps=recipe.warm_up_steps,
        lr_decay_steps=int(total / recipe.batch * recipe.decay_share),
        dead_feature_window=recipe.dead_steps,
        logger=LoggingConfig(log_to_wandb=False),
    )
    rows = ShuffledRows(activations, recipe.batch, recipe.seed, scale)
    return ResumableTrainer(
        cfg=cfg,
        sae=sae,
        rows=rows,
        folder=folder,
        every=every,
        threshold_speed=recipe.threshold_speed,
        k_at=recipe.k_at if recipe.first_k else None,
    )


def _training_sae(recipe: Recipe, activations: StoredActivations, model_name: str) -> TrainingSAE:
    metadata = SAEMetadata(
        model_name=model_name,
        hook_name=recipe.hook_name,
        context_size=recipe.context,
        prepend_bos=True,
        sae_lens_training_version=sae_lens_version,
    )
    return untrained_sae(recipe, activations.rows.shape[1], metadata)

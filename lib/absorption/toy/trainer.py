"""SAELens' trainer for toy SAEs, with the same arithmetic and a step that leaves out what only logging needs."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from sae_lens import TrainingSAE
from sae_lens.config import LoggingConfig, SAETrainerConfig
from sae_lens.saes.sae import TrainStepInput, TrainStepOutput
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor

from absorption.toy.recipes import BATCH_SIZE, Recipe


class ToyTrainer(SAETrainer[Any, Any]):
    """SAELens' trainer with the same arithmetic and a shorter step."""

    def __init__(self, sae: TrainingSAE[Any], recipe: Recipe) -> None:
        """As ``train_toy_sae`` sets it up.

        Args:
            sae: the new SAE.
            recipe: samples, learning rate and its schedule.
        """
        super().__init__(cfg=_config(recipe), sae=sae, data_provider=iter(()))
        for group in self.optimizer.param_groups:
            group["fused"] = True  # one call in place of a dozen for each parameter
        self.sae.train()
        self._parameters = list(sae.parameters())

    def _train_step(self, sae: TrainingSAE[Any], sae_in: Float[Tensor, "sample d_in"]) -> TrainStepOutput:
        output = sae.training_forward_pass(
            TrainStepInput(
                sae_in=sae_in,
                dead_neuron_mask=self.dead_neurons,
                coefficients=self.get_coefficients(),
                n_training_steps=self.n_training_steps,
                is_logging_step=False,
            )
        )
        with torch.no_grad():
            silent = ~output.feature_acts.bool().any(dim=0)
            self.n_forward_passes_since_fired.add_(1).mul_(silent)
        output.loss.backward()
        self._follow_gradients()
        return output

    def _follow_gradients(self) -> None:
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.lr_scheduler.step()
        for scheduler in self.coefficient_schedulers.values():
            scheduler.step()
        self.n_training_steps += 1


def _config(recipe: Recipe) -> SAETrainerConfig:
    return SAETrainerConfig(
        n_checkpoints=0,
        checkpoint_path=None,
        save_final_checkpoint=False,
        total_training_samples=recipe.n_samples,
        device="cpu",
        autocast=False,
        lr=recipe.lr,
        lr_end=recipe.lr,
        lr_scheduler_name="constant",
        lr_warm_up_steps=0,
        adam_beta1=0.9,
        adam_beta2=0.999,
        lr_decay_steps=round(recipe.lr_decay * recipe.n_steps),
        n_restart_cycles=1,
        train_batch_size_samples=BATCH_SIZE,
        dead_feature_window=1000,
        feature_sampling_window=2000,
        logger=LoggingConfig(log_to_wandb=False),
        n_batches_for_norm_estimate=1000,
    )

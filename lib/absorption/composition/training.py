"""Meta-SAEs: BatchTopK SAEs trained on the decoder rows of another SAE, as SAEBench's ``meta_structure`` does it.

The recipe is SAEBench's: SAELens' BatchTopK, batches of rows drawn with replacement, Adam at one learning rate. Which
meta-latents are on is chosen in bfloat16 there and here; the values of those that are on are float32 here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from sae_lens.config import LoggingConfig, SAETrainerConfig
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAEConfig
from sae_lens.training.sae_trainer import SAETrainer
from torch import Tensor
from tqdm.auto import tqdm

from absorption.base import cache
from absorption.composition.weights import MetaSae, chosen_weights
from absorption.training.topk import SparseBatchTopKTrainingSAE

STAGE = "meta-saes"
VERSION = 1


@dataclass(frozen=True)
class MetaRecipe:
    """How a meta-SAE is trained; the defaults are those of SAEBench's ``meta_structure``."""

    n_latents: int
    k: int = 4
    """Meta-latents on at a row, in the mean over a batch."""
    seed: int = 0
    steps: int = 1500
    batch: int = 1024
    lr: float = 5e-4
    dead_steps: int = 2000
    """Steps without firing after which a meta-latent counts as dead: more than there are, so that none does."""
    read_at_once: int = 4096
    """Rows among which the largest activations are kept when the trained meta-SAE is read."""


def meta_width(ratio: float, n_rows: int, name: str) -> int:
    """Number of meta-latents for a ratio to the decoder's rows, rounded up.

    Raises:
        ValueError: as many meta-latents as rows, or more: a meta-SAE could hold every row.
    """
    n_latents = math.ceil(ratio * n_rows)
    check_width(n_latents, n_rows, name)
    return n_latents


def check_width(n_latents: int, n_rows: int, name: str) -> None:
    """Raise ValueError, one line with both numbers, unless there are fewer meta-latents than rows."""
    if n_latents >= n_rows:
        raise ValueError(
            f"a meta-SAE of {n_latents:,} latents is asked of SAE {name!r}, which has {n_rows:,} decoder rows; "
            "allowed: fewer meta-latents than rows."
        )


def check_recipe(recipe: MetaRecipe) -> None:
    """Raise ValueError, one line with both numbers, for more meta-latents on than there are."""
    if not 1 <= recipe.k <= recipe.n_latents:
        raise ValueError(
            f"k is {recipe.k} and the meta-SAE has {recipe.n_latents} latents; allowed: k from 1 to {recipe.n_latents}."
        )


def train_meta(rows: Float[Tensor, "row d_model"], recipe: MetaRecipe, name: str = "") -> MetaSae:
    """Train a meta-SAE on decoder rows, or take it from the cache.

    Args:
        rows: decoder rows of unit norm.
        recipe: how.
        name: of the SAE, for messages.

    Raises:
        ValueError: more meta-latents on than there are, or as many meta-latents as rows.
    """
    check_recipe(recipe)
    check_width(recipe.n_latents, len(rows), name)
    inputs = {"rows": cache.array_hash(rows.numpy()), **asdict(recipe), "version": VERSION}
    found = cache.cached_tensors(STAGE, inputs, lambda: _trained(rows, recipe))
    return MetaSae.of(found, len(rows))


def _trained(rows: Tensor, recipe: MetaRecipe) -> dict[str, Tensor]:
    cfg = BatchTopKTrainingSAEConfig(d_in=rows.shape[1], d_sae=recipe.n_latents, k=float(recipe.k))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        sae = SparseBatchTopKTrainingSAE(cfg, products=torch.bfloat16)
        trainer = SAETrainer(cfg=_settings(recipe), sae=sae, data_provider=_batches(rows, recipe))
        for group in trainer.optimizer.param_groups:  # one pass over the weights instead of a dozen
            group.update(fused=True, foreach=False)
        for _ in tqdm(range(recipe.steps), desc=f"Meta-SAE of {recipe.n_latents:,}, seed {recipe.seed}"):
            trainer.step(next(trainer.data_provider))
            trainer.n_training_steps += 1
    with torch.no_grad():
        norms = sae.W_dec.norm(dim=1).clamp_min(1e-12)
        decoder, bias = sae.W_dec / norms[:, None], sae.b_dec.clone()
        encoder, thresholds = sae.W_enc * norms, sae.b_enc * norms
        parts = rows.split(recipe.read_at_once)
        kept = [chosen_weights((part - bias) @ encoder + thresholds, recipe.k) for part in parts]
    weights = torch.cat(kept).to_sparse_csr()
    return {
        "decoder": decoder, "bias": bias,
        "starts": weights.crow_indices(), "latents": weights.col_indices(), "values": weights.values(),
    }  # fmt: skip


def _settings(recipe: MetaRecipe) -> SAETrainerConfig:
    return SAETrainerConfig(
        total_training_samples=recipe.steps * recipe.batch,
        train_batch_size_samples=recipe.batch,
        lr=recipe.lr,
        lr_end=recipe.lr,
        dead_feature_window=recipe.dead_steps,
        logger=LoggingConfig(log_to_wandb=False),
    )


def _batches(rows: Tensor, recipe: MetaRecipe) -> Iterator[Tensor]:
    draw = torch.Generator().manual_seed(recipe.seed)
    while True:
        yield rows[torch.randint(len(rows), (recipe.batch,), generator=draw)]

"""The untrained SAE of a recipe: SAELens' configuration in our sparse-step classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAEConfig
from sae_lens.saes.jumprelu_sae import JumpReLUTrainingSAEConfig
from sae_lens.saes.matryoshka_batchtopk_sae import MatryoshkaBatchTopKTrainingSAEConfig
from sae_lens.saes.sae import SAEMetadata, TrainingSAE
from sae_lens.saes.standard_sae import StandardTrainingSAEConfig
from sae_lens.saes.topk_sae import TopKTrainingSAEConfig

from absorption.training.penalised import SparseJumpReLUTrainingSAE, SparseStandardTrainingSAE, Steering
from absorption.training.recipe import Recipe
from absorption.training.sparse import PRODUCTS
from absorption.training.topk import (
    SparseBatchTopKTrainingSAE,
    SparseMatryoshkaTrainingSAE,
    SparseTopKTrainingSAE,
)


def untrained_sae(recipe: Recipe, d_in: int, metadata: SAEMetadata) -> TrainingSAE[Any]:
    """SAE with its initial weights (PyTorch's random state decides them).

    Raises:
        ValueError: an architecture that no recipe can train, or a precision of its products that does not exist.
    """
    if recipe.architecture not in ARCHITECTURES:
        allowed = ", ".join(ARCHITECTURES)
        raise ValueError(f"architecture {recipe.architecture!r} has no recipe; allowed: {allowed}.")
    if recipe.products not in PRODUCTS:
        raise ValueError(f"products {recipe.products!r} do not exist; allowed: {', '.join(PRODUCTS)}.")
    shape = {"d_in": d_in, "d_sae": recipe.d_sae, "metadata": metadata}
    return ARCHITECTURES[recipe.architecture](recipe, shape)


def _topk(recipe: Recipe, shape: dict[str, Any]) -> TrainingSAE[Any]:
    cfg = TopKTrainingSAEConfig(**shape, k=int(recipe.k), aux_loss_coefficient=recipe.aux_coefficient)
    return SparseTopKTrainingSAE(cfg, aux_stride=recipe.aux_stride, products=PRODUCTS[recipe.products])


def _batchtopk(recipe: Recipe, shape: dict[str, Any]) -> TrainingSAE[Any]:
    cfg = BatchTopKTrainingSAEConfig(**shape, k=recipe.k, aux_loss_coefficient=recipe.aux_coefficient)
    return SparseBatchTopKTrainingSAE(cfg, aux_stride=recipe.aux_stride, products=PRODUCTS[recipe.products])


def _matryoshka(recipe: Recipe, shape: dict[str, Any]) -> TrainingSAE[Any]:
    cfg = MatryoshkaBatchTopKTrainingSAEConfig(
        **shape,
        k=recipe.k,
        aux_loss_coefficient=recipe.aux_coefficient,
        matryoshka_widths=[*recipe.matryoshka_widths],
    )
    return SparseMatryoshkaTrainingSAE(cfg, aux_stride=recipe.aux_stride, products=PRODUCTS[recipe.products])


def _standard(recipe: Recipe, shape: dict[str, Any]) -> TrainingSAE[Any]:
    cfg = StandardTrainingSAEConfig(
        **shape, l1_coefficient=recipe.penalty, l1_warm_up_steps=recipe.penalty_warm_up_steps
    )
    return SparseStandardTrainingSAE(cfg, Steering(recipe.k), PRODUCTS[recipe.products])


def _jumprelu(recipe: Recipe, shape: dict[str, Any]) -> TrainingSAE[Any]:
    cfg = JumpReLUTrainingSAEConfig(
        **shape,
        l0_coefficient=recipe.penalty,
        l0_warm_up_steps=recipe.penalty_warm_up_steps,
        jumprelu_bandwidth=recipe.bandwidth,
        jumprelu_init_threshold=recipe.first_threshold,
    )
    return SparseJumpReLUTrainingSAE(cfg, Steering(recipe.k), PRODUCTS[recipe.products])


ARCHITECTURES: dict[str, Callable[[Recipe, dict[str, Any]], TrainingSAE[Any]]] = {
    "standard": _standard,
    "jumprelu": _jumprelu,
    "topk": _topk,
    "batchtopk": _batchtopk,
    "matryoshka": _matryoshka,
}
"""What a recipe can train, by the name in ``Recipe.architecture``."""

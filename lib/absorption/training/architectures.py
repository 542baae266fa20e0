"""The untrained SAE of a recipe: SAELens' configuration in our sparse-step classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAEConfig
from sae_lens.saes.jumprelu_sae import JumpReLUTrainingSAEConfig
from sae_lens.saes.matryoshka_batchtopk_sae import MatryoshkaBatchTopKTrainingSAEConfig
from sae_lens.saes.sae import SAEMetadata, TrainingSAE
from sae_lens.saes.standard_sae import StandardTrainingSAEConfig
from sae_lens.saes.topk_sae import TopKTrainingSAEConfig

from absorption.training.penalised import SparseJumpReLUTrainingSAE, SparseStandardTrainingSAE, Steering
from absorption.training.recipe import Recipe
from absorption.training.remedies import (
    SimilarRows,
    SimilarRowsBatchTopKTrainingSAE,
    SimilarRowsTopKTrainingSAE,
    TiedBatchTopKTrainingSAE,
    TiedTopKTrainingSAE,
)
from absorption.training.sparse import PRODUCTS
from absorption.training.topk import (
    SparseBatchTopKTrainingSAE,
    SparseMatryoshkaTrainingSAE,
    SparseMultiTopKTrainingSAE,
    SparseTopKTrainingSAE,
)


def untrained_sae(recipe: Recipe, d_in: int, metadata: SAEMetadata) -> TrainingSAE[Any]:
    """SAE with its initial weights (PyTorch's random state decides them).

    Raises:
        ValueError: an architecture that no recipe can train, a precision of its products that does not
            exist, Multi-TopK for another architecture than TopK, or a remedy for another than its own.
    """
    if recipe.architecture not in ARCHITECTURES:
        allowed = ", ".join(ARCHITECTURES)
        raise ValueError(f"architecture {recipe.architecture!r} has no recipe; allowed: {allowed}.")
    if recipe.products not in PRODUCTS:
        raise ValueError(f"products {recipe.products!r} do not exist; allowed: {', '.join(PRODUCTS)}.")
    if recipe.also_k and recipe.architecture != "topk":
        raise ValueError(
            f"also_k={recipe.also_k} is not of architecture {recipe.architecture!r}; allowed: topk."
        )
    _check_remedy(recipe)
    shape = {"d_in": d_in, "d_sae": recipe.d_sae, "metadata": metadata}
    sae = ARCHITECTURES[recipe.architecture](recipe, shape)
    if recipe.encoder_start == "random":
        _draw_encoder(sae)
    return sae


def _check_remedy(recipe: Recipe) -> None:
    """Refuse a remedy that the architecture would not heed, and two that no class has together."""
    chosen = ("topk", "batchtopk")
    asked = {
        "level_weight": (("matryoshka",), recipe.level_weight != 1),
        "orthogonality": (chosen, recipe.orthogonality > 0),
        "consistency": (chosen, recipe.consistency > 0),
        "tied": (chosen, recipe.tied),
    }
    for name, (architectures, there) in asked.items():
        if there and recipe.architecture not in architectures:
            raise ValueError(
                f"{name}={getattr(recipe, name)} is not of architecture {recipe.architecture!r}; "
                f"allowed: {', '.join(architectures)}."
            )
    if recipe.also_k and (recipe.tied or recipe.orthogonality or recipe.consistency):
        raise ValueError(f"also_k={recipe.also_k} goes with no remedy; allowed: 0.")
    if recipe.tied and (recipe.orthogonality or recipe.consistency or recipe.encoder_start != "decoder"):
        raise ValueError(
            "tied=True; allowed beside it: orthogonality=0, consistency=0, encoder_start='decoder'."
        )


def _draw_encoder(sae: TrainingSAE[Any]) -> None:
    """Random encoder directions instead of the decoder's, each as long as it was."""
    with torch.no_grad():
        lengths = sae.W_enc.norm(dim=0)
        drawn = torch.randn_like(sae.W_enc)
        sae.W_enc.copy_(drawn / drawn.norm(dim=0) * lengths)


def _similar_rows(recipe: Recipe) -> SimilarRows | None:
    if not (recipe.orthogonality or recipe.consistency):
        return None
    return SimilarRows(recipe.orthogonality, recipe.consistency, recipe.cosine_stride, recipe.cosine_chunk)


def _topk(recipe: Recipe, shape: dict[str, Any]) -> TrainingSAE[Any]:
    cfg = TopKTrainingSAEConfig(**shape, k=int(recipe.k), aux_loss_coefficient=recipe.aux_coefficient)
    settings: dict[str, Any] = {"aux_stride": recipe.aux_stride, "products": PRODUCTS[recipe.products]}
    if recipe.tied:
        return TiedTopKTrainingSAE(cfg, **settings)
    if similar_rows := _similar_rows(recipe):
        return SimilarRowsTopKTrainingSAE(cfg, similar_rows=similar_rows, **settings)
    if recipe.also_k:
        return SparseMultiTopKTrainingSAE(
            cfg, also_k=recipe.also_k, also_weight=recipe.also_weight, **settings
        )
    return SparseTopKTrainingSAE(cfg, **settings)


def _batchtopk(recipe: Recipe, shape: dict[str, Any]) -> TrainingSAE[Any]:
    cfg = BatchTopKTrainingSAEConfig(**shape, k=recipe.k, aux_loss_coefficient=recipe.aux_coefficient)
    settings: dict[str, Any] = {"aux_stride": recipe.aux_stride, "products": PRODUCTS[recipe.products]}
    if recipe.tied:
        return TiedBatchTopKTrainingSAE(cfg, **settings)
    if similar_rows := _similar_rows(recipe):
        return SimilarRowsBatchTopKTrainingSAE(cfg, similar_rows=similar_rows, **settings)
    return SparseBatchTopKTrainingSAE(cfg, **settings)


def _matryoshka(recipe: Recipe, shape: dict[str, Any]) -> TrainingSAE[Any]:
    cfg = MatryoshkaBatchTopKTrainingSAEConfig(
        **shape,
        k=recipe.k,
        aux_loss_coefficient=recipe.aux_coefficient,
        matryoshka_widths=[*recipe.matryoshka_widths],
    )
    return SparseMatryoshkaTrainingSAE(
        cfg,
        level_weight=recipe.level_weight,
        aux_stride=recipe.aux_stride,
        products=PRODUCTS[recipe.products],
    )


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

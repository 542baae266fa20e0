"""SAEs in memory: any object of SAELens, put at its place on a model as one from disk would be."""

from __future__ import annotations

import copy
import tempfile
import warnings
from pathlib import Path
from typing import Any

from sae_lens import SAE, TrainingSAE

from absorption.base.reasons import first_line
from absorption.models.language_model import DTYPES
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import ModelOrSize, check_dtype, load_sae, place_sae
from absorption.saes.shipped import LOCAL

IN_MEMORY = "in memory"
"""What an SAE without a name is called."""


def wrap_sae(
    sae: SAE[Any],
    model: ModelOrSize,
    *,
    name: str = "",
    hook_name: str = "",
    dtype: str = "float32",
) -> LoadedSae:
    """Check that an SAE in memory fits the model, and copy it to the model's device.

    The object given stays as it is. An SAE in training is turned into what SAELens would save of it for use. Cache keys
    follow from weights and configuration, as for any other (``LoadedSae.identity``).

    Args:
        sae: an SAE of SAELens.
        model: the model whose residual stream it reads, loaded or as its configuration describes it.
        name: what pages call it; default its id on Neuronpedia if its metadata has one, else ``in memory``.
        hook_name: where it reads; default what its metadata says.
        dtype: type of the copy's weights.

    Raises:
        TypeError: not an SAE of SAELens.
        ValueError: wrong width for the model, no hook or one that the model lacks, an architecture or values that
            cannot be measured, an unknown dtype.
    """
    if not isinstance(sae, SAE):
        raise TypeError(
            f"sae is a {type(sae).__name__}; allowed: an SAE of SAELens, the folder of one, a shipped id, "
            "or a pair (release, id)."
        )
    check_dtype(dtype)
    name = name or _own_name(sae)
    if isinstance(sae, TrainingSAE):
        return _saved_and_loaded(sae, model, name, hook_name, dtype)
    copied = copy.deepcopy(sae).to(device=str(model.device), dtype=DTYPES[dtype])
    return place_sae(copied, name, model, hook_name)


def _own_name(sae: SAE[Any]) -> str:
    return str(sae.cfg.metadata.neuronpedia_id or IN_MEMORY)


def _saved_and_loaded(
    sae: TrainingSAE[Any], model: ModelOrSize, name: str, hook_name: str, dtype: str
) -> LoadedSae:
    """SAELens knows how each architecture is folded for use, and does so where it saves one."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            copy.deepcopy(sae).save_inference_model(Path(folder))
        except Exception as error:
            raise ValueError(
                f"SAE {name!r} is in training and SAELens cannot save it for use: {first_line(error)}"
            ) from error
        return load_sae(LOCAL, name, model, path=folder, hook_name=hook_name, dtype=dtype)

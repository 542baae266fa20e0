"""What a caller gives: a model and an SAE, each in memory or by name, in the order in which little is lost."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path

from absorption.base import cache_root
from absorption.base.devices import resolve_device
from absorption.base.writable import check_writable
from absorption.models.before_loading import model_size
from absorption.models.language_model import DTYPES, LanguageModel, load_model
from absorption.models.objects import wrap_object
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import ModelOrSize, load_sae
from absorption.saes.objects import wrap_sae
from absorption.saes.shipped import LOCAL, SHIPPED, shipped_ids, unknown_name


def load_inputs(
    sae: object,
    model: object,
    *,
    tokenizer: object = None,
    name: str = "",
    hook_name: str = "",
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[LanguageModel, LoadedSae]:
    """The model and the SAE; arguments as in ``measure``.

    A model that is named is loaded last: an SAE that does not fit is refused by the model's configuration.

    Raises:
        TypeError, ValueError, ConnectionError: as ``measure``.
    """
    check_writable(
        cache_root.root(), "cache folder", "set the environment variable ABSORPTION_CACHE to a folder"
    )
    if not isinstance(model, str | PathLike):
        wrapped = wrap_object(model, tokenizer)
        _check_place(wrapped, device, dtype)
        return wrapped, _sae(sae, wrapped, name, hook_name)
    if tokenizer is not None:
        raise ValueError(
            f"tokenizer is given, but model is {str(model)!r}, which brings its own; leave it out."
        )
    size = model_size(str(model), resolve_device(device or "auto"))
    found = _sae(sae, size, name, hook_name)
    return load_model(str(model), device or "auto", dtype or "float32"), found


def _check_place(model: LanguageModel, device: str | None, dtype: str | None) -> None:
    """A model in memory stays as it is; what was asked for must be what it is."""
    if device is not None and resolve_device(device) != model.device:
        raise ValueError(
            f"device is {device!r}, but the model is on {str(model.device)!r}; move it, or leave device out."
        )
    if dtype is not None and DTYPES.get(dtype) != model.dtype:
        raise ValueError(
            f"dtype is {dtype!r}, but the model has {model.dtype}; convert it, or leave dtype out."
        )


def release_of(sae: object) -> tuple[str, str] | None:
    """Release and id, if the SAE is named by both."""
    pair = isinstance(sae, tuple) and len(sae) == 2 and all(isinstance(part, str) for part in sae)
    return sae if pair else None  # type: ignore[return-value]


def _sae(sae: object, model: ModelOrSize, name: str, hook_name: str) -> LoadedSae:
    found = _load(sae, model, name, hook_name)
    return replace(found, name=name) if name else found


def _load(sae: object, model: ModelOrSize, name: str, hook_name: str) -> LoadedSae:
    if isinstance(sae, LoadedSae):
        return sae
    if pair := release_of(sae):
        return load_sae(*pair, model, hook_name=hook_name)
    if not isinstance(sae, str | PathLike):
        return wrap_sae(sae, model, name=name, hook_name=hook_name)  # type: ignore[arg-type]  # refuses what is no SAE
    if str(sae) in shipped_ids():
        return load_sae(SHIPPED, str(sae), model, hook_name=hook_name)
    if not Path(sae).expanduser().is_dir():
        raise ValueError(
            f"{unknown_name('sae', str(sae), shipped_ids(), 'the shipped SAEs')} Nor is it a folder."
        )
    return load_sae(LOCAL, "", model, path=str(sae), hook_name=hook_name)

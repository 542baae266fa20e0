"""Files of SAEs as they lie on disk, turned into what SAELens loads; no pickle is executed.

SAELens reads its own folders from disk, but Gemma Scope's and dictionary_learning's files only from the hub.
A format here is what a folder must hold, and a converter for ``SAE.load_from_disk``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sae_lens.constants import SAE_CFG_FILENAME
from sae_lens.loading.pretrained_sae_loaders import sae_lens_disk_loader
from torch import Tensor

from absorption.saes.archives import check_stored, npz_shapes
from absorption.saes.headers import (
    DICTIONARY_LEARNING,
    GEMMA_SCOPE,
    GEMMA_SCOPE_2,
    NEEDED,
    SAELENS,
    check_needed,
    check_shapes,
    find_files,
    hook_in_path,
    read_mapping,
    trainer_hook,
)

Converted = tuple[dict[str, Any], dict[str, Tensor]]
"""A SAELens configuration and the weights by SAELens' names."""
ARCHITECTURES = ("standard", "gated", "jumprelu", "topk")
"""Those whose latents are an activation times a decoder row; BatchTopK and Matryoshka SAEs are saved as jumprelu."""
IN_TRAINING = ("batchtopk", "matryoshka_batchtopk")
"""Architectures that only training checkpoints have."""


@dataclass(frozen=True)
class Format:
    """One way in which SAEs are kept."""

    name: str
    """Its files are in ``sae_headers.FILES``."""
    convert: Callable[..., Converted]


def find_format(folder: Path) -> Format:
    """The first format whose files are all in the folder (ValueError as in ``sae_headers.find_files``)."""
    name = find_files(folder)
    return next(form for form in FORMATS if form.name == name)


def checked(form: Format) -> Callable[..., Converted]:
    """The format's converter, which refuses weights whose shapes are not what the configuration says."""

    def convert(path: str | Path, device: str = "cpu", cfg_overrides: dict | None = None) -> Converted:
        config, weights = form.convert(path, device=device, cfg_overrides=cfg_overrides)
        shapes = {name: tuple(value.shape) for name, value in weights.items()}
        check_needed(
            shapes, SAELENS
        )  # by SAELens' names now; without them its sizes would be a config's word
        check_shapes(shapes, int(config["d_in"]), int(config["d_sae"]), "its configuration")
        return config, weights

    return convert


def _from_saelens(path: str | Path, device: str = "cpu", cfg_overrides: dict | None = None) -> Converted:
    config = json.loads((Path(path) / SAE_CFG_FILENAME).read_text(encoding="utf-8"))
    if config.get("architecture") in IN_TRAINING:
        raise ValueError("this is a training checkpoint; save the SAE with SAELens' save_inference_model.")
    # Files before SAELens 6 may lack a type; ours is asked for anyway.
    overrides = {"dtype": "float32", **(cfg_overrides or {})}
    return sae_lens_disk_loader(path, device=device, cfg_overrides=overrides)


def _from_gemma_scope(path: str | Path, device: str = "cpu", cfg_overrides: dict | None = None) -> Converted:
    """Gemma Scope (Gemma 2): one ``params.npz``; the hook is in the name of the folder, ``layer_3/width_16k/...``."""
    names = NEEDED[GEMMA_SCOPE]
    npz_shapes(Path(path) / "params.npz", names)  # refuses what is too large before it is inflated
    with np.load(Path(path) / "params.npz", allow_pickle=False) as data:
        raw = {name: torch.from_numpy(np.array(data[name])).float().to(device) for name in names}
    return _jump_relu(raw, hook_in_path(Path(path)), device, cfg_overrides)


def _from_gemma_scope_2(
    path: str | Path, device: str = "cpu", cfg_overrides: dict | None = None
) -> Converted:
    """Gemma Scope 2 (Gemma 3): ``params.safetensors`` beside a ``config.json`` that names the layer's output."""
    from safetensors.torch import load_file

    config = read_mapping(Path(path) / "config.json")
    if config.get("architecture") != "jump_relu":
        raise ValueError(
            f"config.json has architecture {config.get('architecture')!r}; allowed: 'jump_relu'."
        )
    found = re.fullmatch(r"model\.layers\.(\d+)\.output", str(config.get("hf_hook_point_in")))
    if found is None:
        raise ValueError(
            f"config.json reads {config.get('hf_hook_point_in')!r}; allowed: model.layers.N.output."
        )
    raw = {
        name: value.float().to(device) for name, value in load_file(Path(path) / "params.safetensors").items()
    }
    return _jump_relu(raw, f"blocks.{found[1]}.hook_resid_post", device, cfg_overrides)


def _jump_relu(raw: dict[str, Tensor], hook: str, device: str, overrides: dict | None) -> Converted:
    names = {"w_enc": "W_enc", "w_dec": "W_dec"}
    weights = {names.get(name.lower(), name): value for name, value in raw.items()}
    config = _config("jumprelu", weights, hook, device, overrides, apply_b_dec_to_input=False)
    return config, _only(weights, "W_enc", "W_dec", "b_enc", "b_dec", "threshold")


def _from_dictionary_learning(
    path: str | Path, device: str = "cpu", cfg_overrides: dict | None = None
) -> Converted:
    """dictionary_learning: ``ae.pt``, a pickle that is read for tensors only, and ``config.json``."""
    trainer = read_mapping(Path(path) / "config.json").get("trainer")
    if not isinstance(trainer, dict):
        raise ValueError("config.json has no entry 'trainer'.")
    if not str(trainer.get("submodule_name", "resid_post")).startswith("resid_post"):
        raise ValueError(f"config.json reads {trainer['submodule_name']!r}; allowed: the residual stream.")
    kind = trainer.get("dict_class")
    if kind not in DICTIONARIES:
        raise ValueError(f"config.json has dict_class {kind!r}; allowed: {', '.join(DICTIONARIES)}.")
    architecture, centred = DICTIONARIES[kind]
    weights = _renamed(_read_pickle(Path(path) / "ae.pt", device))
    names = ["W_enc", "W_dec", "b_dec", "b_enc"]
    if architecture == "gated":
        names = ["W_enc", "W_dec", "b_dec", "b_gate", "b_mag", "r_mag"]
    if architecture == "jumprelu":
        names.append("threshold")
        weights["threshold"] = weights["threshold"].expand(weights["W_enc"].shape[1]).contiguous()
    hook = trainer_hook(trainer)
    more = {"k": int(trainer["k"])} if architecture == "topk" else {}
    config = _config(architecture, weights, hook, device, cfg_overrides, apply_b_dec_to_input=centred, **more)
    return config, _only(weights, *names)


def _read_pickle(path: Path, device: str) -> dict[str, Tensor]:
    """Tensors of a pickle; nothing in it is executed, and none is larger than what the file holds of it."""
    check_stored(path)
    raw = torch.load(path, map_location=device, weights_only=True)
    if not isinstance(raw, dict) or not all(isinstance(value, Tensor) for value in raw.values()):
        raise ValueError(f"{path.name} must hold a mapping from names to tensors.")
    for name, value in raw.items():
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ValueError(f"{name} has shape {tuple(value.shape)}, but the file holds less of it.")
    return raw


DICTIONARIES = {
    "AutoEncoder": ("standard", True),
    "GatedAutoEncoder": ("gated", True),
    "AutoEncoderTopK": ("topk", True),
    "BatchTopKSAE": ("jumprelu", True),
    "MatryoshkaBatchTopKSAE": ("jumprelu", True),
    "JumpReluAutoEncoder": ("jumprelu", False),
}
"""dictionary_learning's classes: the architecture, and whether ``b_dec`` is taken off the input."""
RENAMED = {
    "bias": "b_dec", "decoder_bias": "b_dec", "encoder.bias": "b_enc", "mag_bias": "b_mag", "gate_bias": "b_gate",
}  # fmt: skip


def _renamed(raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """dictionary_learning's names as SAELens'; linear layers hold the transposed matrices."""
    weights = {RENAMED.get(name, name): value for name, value in raw.items()}
    for ours, theirs in (("W_enc", "encoder.weight"), ("W_dec", "decoder.weight")):
        if theirs in weights:
            weights[ours] = weights.pop(theirs).T.contiguous()
    return weights


def _config(
    architecture: str,
    weights: Mapping[str, Tensor],
    hook: str,
    device: str,
    overrides: dict | None,
    **more: Any,
) -> dict[str, Any]:
    d_in, d_sae = _only(weights, "W_enc")["W_enc"].shape
    return {
        "architecture": architecture, "d_in": d_in, "d_sae": d_sae, "dtype": "float32", "device": device,
        "hook_name": hook, "normalize_activations": "none", **more, **(overrides or {}),
    }  # fmt: skip


def _only(weights: Mapping[str, Tensor], *names: str) -> dict[str, Tensor]:
    if missing := [name for name in names if name not in weights]:
        raise ValueError(f"the weights lack {', '.join(missing)}; there are: {', '.join(sorted(weights))}.")
    return {name: weights[name].float() for name in names}


FORMATS = (
    Format(SAELENS, _from_saelens),
    Format(GEMMA_SCOPE, _from_gemma_scope),
    Format(GEMMA_SCOPE_2, _from_gemma_scope_2),
    Format(DICTIONARY_LEARNING, _from_dictionary_learning),
)

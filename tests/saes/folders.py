"""Writes SAEs to disk as their makers do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tests.saes.plain import D_IN, D_SAE, NAMES, K, Weights


def saelens(folder: Path, architecture: str, w: Weights, hook: str, **config: Any) -> Path:
    """SAELens 6: ``cfg.json`` and ``sae_weights.safetensors``, as ``save_inference_model`` writes them."""
    folder.mkdir(parents=True)
    more = {"k": K} if architecture == "topk" else {}
    metadata = {"sae_lens_version": "6.54.12", "hook_name": hook, **config.pop("metadata", {})}
    content = {
        "d_in": D_IN, "d_sae": D_SAE, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": True,
        "normalize_activations": "none", "reshape_activations": "none", "metadata": metadata, **more, **config,
        "architecture": architecture,
    }  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(content))
    dtype = getattr(torch, content["dtype"])
    names = NAMES[architecture]
    save_file({name: w[name].to(dtype).contiguous() for name in names}, folder / "sae_weights.safetensors")
    return folder


def saelens_old(folder: Path, w: Weights, hook: str, **config: Any) -> Path:
    """SAELens before version 6: one flat ``cfg.json``, older names, a scaling factor of ones."""
    folder.mkdir(parents=True)
    content = {
        "d_in": D_IN, "d_sae": D_SAE, "dtype": "torch.float32", "device": "cpu", "model_name": "gpt2-small",
        "hook_point": hook, "hook_point_layer": 1, "activation_fn_str": "relu", "prepend_bos": True,
        "context_size": 128, "dataset_path": "x", "sae_lens_training_version": None, **config,
    }  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(content))
    stored = {name: w[name].contiguous() for name in NAMES["standard"]}
    save_file({**stored, "scaling_factor": torch.ones(D_SAE)}, folder / "sae_weights.safetensors")
    return folder


def gemma_scope(folder: Path, w: Weights) -> Path:
    """Gemma Scope: one ``params.npz``; nothing else says what it is but the folder's name."""
    folder.mkdir(parents=True)
    np.savez(folder / "params.npz", **{name: w[name].numpy() for name in NAMES["jumprelu"]})  # type: ignore[arg-type]
    return folder


def gemma_scope_2(folder: Path, w: Weights, layer: int) -> Path:
    """Gemma Scope 2: ``params.safetensors`` with small letters, and ``config.json``."""
    folder.mkdir(parents=True)
    stored = {name.replace("W_", "w_"): w[name].contiguous() for name in NAMES["jumprelu"]}
    save_file(stored, folder / "params.safetensors")
    content = {"architecture": "jump_relu", "model_name": "gemma-v3-270m-pt", "width": D_SAE}
    content["hf_hook_point_in"] = f"model.layers.{layer}.output"
    (folder / "config.json").write_text(json.dumps(content))
    return folder


def dictionary_learning(folder: Path, kind: str, w: Weights, layer: int) -> Path:
    """dictionary_learning: ``ae.pt`` and ``config.json``, with each class's own names."""
    folder.mkdir(parents=True)
    linear = {"encoder.weight": w["W_enc"].T, "decoder.weight": w["W_dec"].T}
    own = {"W_enc": w["W_enc"], "W_dec": w["W_dec"], "b_enc": w["b_enc"], "b_dec": w["b_dec"]}
    one_threshold = torch.tensor(0.8)
    stored = {
        "AutoEncoder": {**linear, "encoder.bias": w["b_enc"], "bias": w["b_dec"]},
        "GatedAutoEncoder": {
            **linear, "decoder_bias": w["b_dec"], "r_mag": w["r_mag"], "gate_bias": w["b_gate"],
            "mag_bias": w["b_mag"],
        },
        "AutoEncoderTopK": {
            **linear, "encoder.bias": w["b_enc"], "b_dec": w["b_dec"], "k": torch.tensor(K),
            "threshold": one_threshold,
        },
        "BatchTopKSAE": {
            **linear, "encoder.bias": w["b_enc"], "b_dec": w["b_dec"], "k": torch.tensor(K),
            "threshold": one_threshold,
        },
        "MatryoshkaBatchTopKSAE": {**own, "k": torch.tensor(K), "threshold": one_threshold},
        "JumpReluAutoEncoder": {**own, "threshold": w["threshold"]},
    }[kind]  # fmt: skip
    torch.save(stored, folder / "ae.pt")
    trainer = {
        "dict_class": kind, "activation_dim": D_IN, "dict_size": D_SAE, "layer": layer, "k": K,
        "lm_name": "EleutherAI/pythia-70m-deduped", "submodule_name": f"resid_post_layer_{layer}",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"ctx_len": 128}}))
    return folder

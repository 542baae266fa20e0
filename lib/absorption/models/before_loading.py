"""What a model's configuration says of it, before its weights are read: layers and width.

An SAE that does not fit is refused by these, not after gigabytes were loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from absorption.base.data import data_root
from absorption.base.reasons import first_line
from absorption.base.settings import EMBEDDED_MODEL
from absorption.models import hub

if TYPE_CHECKING:
    import torch

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model",
)  # fmt: skip
"""A tokenizer is in at least one of these; without, transformers makes an empty one and says nothing."""
MOST_LAYERS, MOST_WIDTH = 1_000, 1_000_000
"""Far above any model's: a config with more is damaged, or made to fill the memory."""
ALLOWED = f"Allowed: {EMBEDDED_MODEL!r}, a folder saved by save_pretrained, or a Hugging Face id."


@dataclass(frozen=True)
class ModelSize:
    """A model as its configuration describes it; SAEs are checked against it as against a loaded one."""

    name: str
    n_layers: int
    """Number of decoder layers."""
    d_model: int
    """Width of the residual stream."""
    device: torch.device | str = "cpu"
    """Where the model will be."""


def model_size(model: str, device: torch.device | str = "cpu") -> ModelSize:
    """Size of the embedded model, of a folder, or of a Hugging Face id (whose config is downloaded, a few kB).

    Raises:
        ValueError: a folder that is not a model, or a model without layers and width.
        ConnectionError: a config that is neither on disk nor downloadable.
    """
    if model == EMBEDDED_MODEL:
        known = known_models()[EMBEDDED_MODEL]
        return ModelSize(model, known["n_layers"], known["d_model"], device)
    config = _config(model).get_text_config()
    try:
        size = ModelSize(model, int(config.num_hidden_layers), int(config.hidden_size), device)
    except (AttributeError, TypeError):
        raise ValueError(f"model {model!r}: its config names no number of layers or no width.") from None
    for what, found, most in (("layers", size.n_layers, MOST_LAYERS), ("width", size.d_model, MOST_WIDTH)):
        if not 1 <= found <= most:
            raise ValueError(f"model {model!r}: its config has {what} {found:,}; allowed: 1 to {most:,}.")
    return size


def known_models() -> dict[str, dict[str, int]]:
    """Published sizes of models: ``n_layers, d_model, block_parameters, parameters, n_words``, by Hugging Face id.

    ``n_words`` is counted for two of them, see ``data/models.yaml``; for the others the vocabulary, an upper bound.
    """
    return yaml.safe_load((data_root() / "models.yaml").read_text(encoding="utf-8"))


def model_source(model: str) -> str:
    """What transformers is to load for a model that is not the embedded one: its folder or its id.

    Raises:
        ValueError: a file, or a folder without config or tokenizer.
    """
    place = Path(model).expanduser()
    if place.is_file():
        more = " A GGUF becomes a folder by: absorption convert FILE FOLDER." if _is_gguf(place) else ""
        raise ValueError(f"model {model!r} is a file. {ALLOWED}{more}")
    if not place.is_dir():
        return model
    if not (place / "config.json").is_file():
        raise ValueError(f"model folder {model!r} has no config.json; save it with save_pretrained.")
    if not any((place / name).is_file() for name in TOKENIZER_FILES):
        raise ValueError(
            f"model folder {model!r} has no tokenizer (tokenizer.json or its like). "
            "Allowed: what save_pretrained wrote for model and tokenizer."
        )
    return str(place)


def _config(model: str) -> Any:
    """The model's configuration by transformers; no code of the model's own is run."""
    from transformers import AutoConfig

    source = model_source(model)
    try:
        return AutoConfig.from_pretrained(source, trust_remote_code=False)
    except Exception as error:
        if hub.is_download(error):
            raise ConnectionError(
                f"model {model!r} could not be loaded: {hub.explain(error, model)} {ALLOWED}"
            ) from error
        raise ValueError(  # whatever a config holds, transformers takes it at its word
            f"model {model!r} is damaged or not a causal language model: {first_line(error)} {ALLOWED}"
        ) from error


def _is_gguf(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(4) == b"GGUF"

"""A language model behind TransformerLens' bridge, with the few operations that the book needs."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from sae_lens.analysis.sae_transformer_bridge import SAETransformerBridge
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from absorption.base import cache
from absorption.base.devices import resolve_device
from absorption.base.reasons import first_line, is_memory
from absorption.models.arithmetic import use_fast_exact_float32
from absorption.models.before_loading import ALLOWED, model_size, model_source
from absorption.models.configuration import configuration, tokenizing
from absorption.models.embedded import EMBEDDED, embedded_folder
from absorption.models.hooks import Site, resolve_site
from absorption.models.hub import cached_revision, explain, is_download
from absorption.models.streams import residual_streams

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class LanguageModel:
    """A loaded model. ``bridge`` is TransformerLens' view of it, ``hf`` the Hugging Face model beneath."""

    name: str
    bridge: SAETransformerBridge
    tokenizer: PreTrainedTokenizerBase
    prefixes: dict[tuple[Any, ...], tuple[int, Any]] = field(default_factory=dict, compare=False, repr=False)
    """Prefixes run lately, see ``models.prefix.keep``."""

    @property
    def hf(self) -> PreTrainedModel:
        """The Hugging Face model; its decoder layers are the bridge's blocks."""
        return self.bridge.original_model  # type: ignore[return-value]

    @property
    def blocks(self) -> nn.ModuleList:
        """Decoder layers, in order."""
        return self.bridge.blocks  # type: ignore[return-value]

    @property
    def n_layers(self) -> int:
        """Number of decoder layers."""
        return len(self.blocks)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.bridge.cfg.d_model)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.hf.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return next(self.hf.parameters()).dtype

    @property
    def bos_token_id(self) -> int:
        """The token put once in front of every text (the end-of-text token where a model has no BOS)."""
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if isinstance(token, int):
                return token
        raise ValueError(f"The tokenizer of {self.name!r} has neither a BOS nor an EOS token.")

    @property
    def revision(self) -> str:
        """Commit of the hub's repository that it came from; empty where that is not known."""
        return getattr(self.hf.config, "_commit_hash", None) or ""

    @cached_property
    def weights_hash(self) -> str:
        """16 hex digits over all weights and buffers, in name order."""
        return cache.tensors_hash(self.hf.state_dict())

    @property
    def configuration_hash(self) -> str:
        """16 hex digits over all that decides the outputs besides the weights, see ``models.configuration``."""
        return cache.json_hash(configuration(self.hf))

    @property
    def identity(self) -> str:
        """16 hex digits over weights and configuration: what a cache key holds of the model."""
        return cache.json_hash([self.weights_hash, self.configuration_hash])

    @cached_property
    def tokenizer_hash(self) -> str:
        """16 hex digits over all that decides which tokens a text becomes, BOS included."""
        return cache.json_hash([self.bos_token_id, tokenizing(self.tokenizer)])

    def site(self, hook_name: str) -> Site:
        """The place on the residual stream that a hook name means (ValueError if there is none)."""
        return resolve_site(hook_name, self.n_layers)

    def residual_streams(
        self, tokens: Int[Tensor, "batch position"], depths: list[int], **forward: Any
    ) -> dict[int, Float[Tensor, "batch position d_model"]]:
        """Residual stream at each depth, computing no block beyond the deepest.

        Args:
            tokens: token ids, any device.
            depths: blocks applied, 0 (embedding) to ``n_layers``.
            forward: passed to the Hugging Face model (``past_key_values``, say).
        """
        return residual_streams(self.hf, self.blocks, tokens.to(self.device), depths, **forward)

    def residual_stream(
        self, tokens: Int[Tensor, "batch position"], hook_name: str
    ) -> Float[Tensor, "batch position d_model"]:
        """Residual stream at one hook."""
        depth = self.site(hook_name).depth
        return self.residual_streams(tokens, [depth])[depth]


def load_model(model: str = EMBEDDED, device: str = "auto", dtype: str = "float32") -> LanguageModel:
    """Load the embedded model, a local folder, or a Hugging Face id.

    Args:
        model: ``smollm2-135m-instruct``, a folder with ``config.json``, or an id like ``google/gemma-2-2b``.
        device: ``auto`` (CUDA if there is one), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        dtype: ``float32``, ``bfloat16`` or ``float16``.

    Raises:
        ValueError: an unknown dtype or device, a folder that is not a model or is damaged.
        ConnectionError: the model is neither on disk nor downloadable.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r} is unknown; allowed: {', '.join(DTYPES)}.")
    where = resolve_device(device)
    model_size(model)  # refuses a configuration of a million layers before any is made
    source = _source(model)
    # Weights and tokenizer are of the revision whose configuration was just read, also if it changes meanwhile.
    revision = "" if Path(source).is_dir() else cached_revision(source)
    try:
        # A model's own code is never run; unsaid, transformers would ask at the terminal.
        asked: dict[str, Any] = {"trust_remote_code": False} | ({"revision": revision} if revision else {})
        made: Any = AutoModelForCausalLM.from_pretrained(
            source, dtype=DTYPES[dtype], output_loading_info=True, **asked
        )
        hf, read = made
        tokenizer = AutoTokenizer.from_pretrained(source, **asked)
    except Exception as error:
        if is_download(error):
            raise ConnectionError(
                f"model {model!r} could not be loaded: {explain(error, model)} {ALLOWED}"
            ) from error
        if is_memory(error):
            raise
        raise ValueError(  # cut-off or foreign files, no tokenizer: they can fail in any way
            f"model {model!r} is damaged or not a causal language model: {first_line(error)} "
            "Allowed: what save_pretrained wrote for model and tokenizer."
        ) from error
    if absent := sorted(read["missing_keys"]):  # transformers fills them with random numbers, and goes on
        raise ValueError(
            f"model {model!r}: its files lack {len(absent)} of the weights that its config asks for, such as "
            f"{absent[0]!r}. Allowed: what save_pretrained wrote for model and tokenizer."
        )
    if revision:
        hf.config._commit_hash = revision
    return wrap_model(hf.to(where), tokenizer, name=model)  # type: ignore[arg-type]


def _source(model: str) -> str:
    return str(embedded_folder()) if model == EMBEDDED else model_source(model)


def wrap_model(
    hf: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str = "in-memory"
) -> LanguageModel:
    """Put a Hugging Face model that is already loaded behind the bridge."""
    hf.eval().requires_grad_(False)
    use_fast_exact_float32()
    logging.getLogger("transformer_lens").setLevel(logging.ERROR)
    bridge = SAETransformerBridge.boot_transformers(
        name, hf_model=hf, tokenizer=tokenizer, device=str(hf.device), dtype=hf.dtype
    )
    return LanguageModel(name=name, bridge=bridge, tokenizer=tokenizer)

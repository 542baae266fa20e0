"""Tiny models with random weights, one an architecture, in float64 so that agreement can be asked to be
tight."""

from __future__ import annotations

import torch
from sae_lens import StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata
from tests.planted_model import word_table, word_tokenizer
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedModel,
)

from absorption.models.hooks import resolve_site
from absorption.models.language_model import LanguageModel, wrap_model
from absorption.saes.loaded import LoadedSae

SMALL = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
    "initializer_range": 0.3, "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0,
}  # fmt: skip
GROUPED = {**SMALL, "num_key_value_heads": 2, "head_dim": 8}
CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**GROUPED),
    # Windows shorter than the prompt, and caps low enough to bend the logits, or nothing would be tested.
    "gemma2": Gemma2Config(
        **GROUPED, sliding_window=9, attn_logit_softcapping=3.0, final_logit_softcapping=4.0,
        query_pre_attn_scalar=8, layer_types=["sliding_attention", "full_attention"] * 2,
    ),
    "gemma3": Gemma3TextConfig(
        **GROUPED, sliding_window=9, query_pre_attn_scalar=8,
        layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
    ),
    "gpt2": GPT2Config(n_embd=32, n_layer=4, n_head=4, initializer_range=0.3, bos_token_id=1, eos_token_id=1),
    "pythia": GPTNeoXConfig(**SMALL, use_parallel_residual=True),
}  # fmt: skip


def tiny_model(
    architecture: str, *, dtype: torch.dtype = torch.float64, seed: int = 0
) -> tuple[LanguageModel, PreTrainedModel]:
    """A model behind the bridge, and another with the same weights that the bridge has not touched."""
    words = word_table()["word"].tolist()
    tokenizer = word_tokenizer(words)
    config = CONFIGS[architecture]
    config.vocab_size = len(tokenizer)
    torch.manual_seed(seed)
    untouched = AutoModelForCausalLM.from_config(config, attn_implementation="eager").to(dtype).eval()
    bridged = AutoModelForCausalLM.from_config(config, attn_implementation="eager").to(dtype)
    bridged.load_state_dict(untouched.state_dict())
    bridged.config.architectures = [type(bridged).__name__]
    return wrap_model(bridged, tokenizer, name=f"tiny-{architecture}"), untouched.requires_grad_(False)


def random_sae(model: LanguageModel, hook_name: str, d_sae: int = 96, seed: int = 0) -> LoadedSae:
    """A ReLU SAE with random weights: about half of the latents are on."""
    generator = torch.Generator().manual_seed(seed)
    metadata = SAEMetadata(hook_name=hook_name)
    sae = StandardSAE(StandardSAEConfig(d_in=model.d_model, d_sae=d_sae, dtype="float64", metadata=metadata))
    with torch.no_grad():
        sae.W_enc.copy_(torch.randn(model.d_model, d_sae, generator=generator) * 0.3)
        sae.W_dec.copy_(torch.randn(d_sae, model.d_model, generator=generator) * 0.3)
    site = resolve_site(hook_name, model.n_layers)
    return LoadedSae("random", sae.requires_grad_(False), site)

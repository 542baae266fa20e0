"""Tiny models with prompts, a random SAE and its engine, made once an architecture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pytest
import torch
from tests.ablation.architectures import random_sae, tiny_model
from tests.planted_model import word_table
from torch import Tensor, nn
from transformers import PreTrainedModel

from absorption.ablation.engine import AblationEngine
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.spelling.prompts import SpellingPrompts, make_prompts

WORDS = torch.tensor([3, 42, 45, 300, 305, 776])
"""Some words of both example sets."""


@dataclass(frozen=True)
class Tiny:
    """One tiny model with all that an ablation needs; ``untouched`` never saw the bridge."""

    model: LanguageModel
    untouched: PreTrainedModel
    prompts: SpellingPrompts
    sae: LoadedSae
    engine: AblationEngine
    csr: Tensor


@cache
def make_tiny(architecture: str, hook_name: str) -> Tiny:
    """Model, prompts, SAE, engine, and the latent activations of every word."""
    model, untouched = tiny_model(architecture)
    words = word_table()
    words["token_id"] = model.tokenizer.convert_tokens_to_ids(words["word"].tolist())
    prompts = make_prompts(model, words, n_examples=3, n_sets=2)
    assert len(prompts.example_set[WORDS].unique()) == 2
    sae = random_sae(model, hook_name)
    engine = AblationEngine(model, sae, prompts, batch=16)
    csr = sae.encode(engine.states(torch.arange(len(words)))).to_sparse_csr()
    return Tiny(model, untouched, prompts, sae, engine, csr)


@pytest.fixture(params=["llama", "gemma2", "gemma3", "gpt2", "pythia"])
def tiny(request: pytest.FixtureRequest) -> Tiny:
    """Each architecture, with an SAE after the second of four blocks."""
    return make_tiny(request.param, "blocks.1.hook_resid_post")


@pytest.fixture
def llama() -> Tiny:
    """One architecture, for what does not depend on it."""
    return make_tiny("llama", "blocks.1.hook_resid_post")


def whole_pass_metric(tiny: Tiny, word: int, removed: Tensor) -> float:
    """The metric with a vector taken from the word's residual stream, by a plain pass written out here.

    Nothing of the engine or the bridge is used: the untouched model, the whole prompt, all logits.
    """
    layers = next(m for m in tiny.untouched.modules() if isinstance(m, nn.ModuleList) and len(m) == 4)
    depth, at = tiny.sae.site.depth, tiny.prompts.word_position

    def edit(stream: Tensor) -> Tensor:
        changed = stream.clone()
        changed[0, at] -= removed.double()
        return changed

    def before(_layer, args, kwargs):
        if args:
            return (edit(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": edit(kwargs["hidden_states"])}

    handle = layers[depth].register_forward_pre_hook(before, with_kwargs=True)
    with torch.no_grad():
        logits = tiny.untouched(tiny.prompts.tokens(torch.tensor([word])), use_cache=False).logits[0, -1]
    handle.remove()
    answers = logits[tiny.prompts.answer_ids].tolist()
    right = answers.pop(int(tiny.prompts.letters[word]))
    return right - sum(answers) / 25

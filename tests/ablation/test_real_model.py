"""On the embedded model and a shipped SAE: exact effects against whole passes of a model loaded apart."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from absorption.ablation.effects import all_effects
from absorption.ablation.engine import SHARED_PREFIX, AblationEngine
from absorption.ablation.gradients import integrated_gradients
from absorption.ablation.labels import label_words
from absorption.ablation.ranking import AblationRule
from absorption.base.settings import DEFAULT_SAE
from absorption.models.embedded import embedded_folder
from absorption.models.language_model import load_model
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.spelling.prompts import SpellingPrompts, make_prompts
from absorption.spelling.vocab import load_vocab

ASKED = [" scale", " Monday", " adding"]
AGREE = 2e-3
"""Float32 sums in another order, through 30 layers; effects are compared that are a hundred times larger."""


@cache
def setting() -> tuple[AblationEngine, LoadedSae, SpellingPrompts, Tensor, Tensor]:
    """Engine, SAE, prompts, the words' latent activations, and the rows of the words asked."""
    model = load_model(device="cpu")
    words = load_vocab(model.tokenizer, leading_space_only=True, min_letters=3)
    asked = words[words["word"].isin(ASKED)]
    words = pd.concat([asked, words.drop(asked.index).head(500)], ignore_index=True)
    prompts = make_prompts(model, words, n_sets=2, seed=0, example_pool=words.iloc[len(asked) :])
    sae = load_sae("shipped", DEFAULT_SAE, model)
    engine = AblationEngine(model, sae, prompts)
    rows = torch.arange(len(asked))
    csr = sae.encode(engine.states(torch.arange(20))).to_sparse_csr()
    return engine, sae, prompts, csr, rows


@cache
def plain_model() -> Any:
    """The same weights through Hugging Face alone."""
    return AutoModelForCausalLM.from_pretrained(embedded_folder(), dtype=torch.float32).eval()


def whole_pass_metric(prompts: SpellingPrompts, depth: int, word: int, removed: Tensor) -> float:
    """A whole prompt through all layers with a vector taken from the word's residual stream."""

    def edit(_layer: Any, _args: Any, stream: Tensor) -> Tensor:
        changed = stream.clone()
        changed[0, prompts.word_position] -= removed
        return changed

    handle = plain_model().model.layers[depth - 1].register_forward_hook(edit)
    with torch.no_grad():
        logits = plain_model()(prompts.tokens(torch.tensor([word])), use_cache=False).logits[0, -1]
    handle.remove()
    answers = logits[prompts.answer_ids].tolist()
    right = answers.pop(int(prompts.letters[word]))
    return right - sum(answers) / 25


@cache
def effects() -> pd.DataFrame:
    engine, _, _, csr, rows = setting()
    return all_effects(engine, csr, rows, progress=False)


def test_the_embedded_model_takes_the_fast_way() -> None:
    engine = setting()[0]
    assert engine.mode == SHARED_PREFIX, engine.reason
    assert engine.difference < 1e-4


def test_the_strongest_effects_agree_with_whole_passes() -> None:
    _, sae, prompts, _, rows = setting()
    for word in rows.tolist():
        mine = effects()[effects()["word"] == word]
        clean = whole_pass_metric(prompts, sae.site.depth, word, torch.zeros(sae.W_dec.shape[1]))
        assert mine["metric"].iloc[0] == pytest.approx(clean, abs=AGREE)
        strongest = mine.reindex(mine["effect"].abs().sort_values(ascending=False).index).head(3)
        columns = (strongest[name].tolist() for name in ("latent", "activation", "effect"))
        for latent, activation, effect in zip(*columns, strict=True):
            removed = activation * sae.W_dec[latent]
            whole = whole_pass_metric(prompts, sae.site.depth, word, removed) - clean
            assert effect == pytest.approx(whole, abs=AGREE)
        assert strongest["effect"].abs().iloc[0] > 100 * AGREE


def test_some_latents_help_the_answer_and_labels_agree_with_all_effects() -> None:
    engine, sae, _prompts, csr, rows = setting()
    strongest = effects().groupby("word")["effect"].min()
    assert (strongest < 0).all()
    assert strongest.min() < -1  # logits; agreement is asked for to 2e-3
    # With every latent eligible, a word is absorbed where its most negative effect leads the next.
    everything = torch.ones(26, sae.d_sae)
    labels = label_words(engine, csr, rows, everything, AblationRule(0.0, 0.05))
    for word, absorbed in zip(labels["word"], labels["absorbed"], strict=True):
        mine = effects()[effects()["word"] == word]["effect"]
        first, second = mine.clip(upper=0).nsmallest(2)
        assert absorbed == (first < 0 and second - first >= 0.05)


def test_integrated_gradients_rank_the_latents_much_as_exact_effects_do() -> None:
    engine, _, _, csr, rows = setting()
    guess = integrated_gradients(engine, csr, rows)
    both = effects().merge(guess, on=["word", "latent"], suffixes=("", "_guess"))
    assert len(both) == len(effects())
    assert both["effect"].corr(both["effect_guess"], method="spearman") > 0.5

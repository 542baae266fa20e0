"""Activations over a shared prefix are those of whole prompts, whatever the architecture and the batches."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch
from tests.ablation.architectures import CONFIGS, tiny_model
from tests.planted_model import word_table
from torch import Tensor

from absorption.models.language_model import LanguageModel, load_model
from absorption.models.prefix import Prefix
from absorption.spelling import activations
from absorption.spelling.activations import word_activations
from absorption.spelling.prompts import SpellingPrompts, make_prompts
from absorption.spelling.vocab import load_vocab, sample_words

HOOKS = [
    f"blocks.{layer}.hook_resid_{place}"
    for layer, place in ((0, "pre"), (0, "post"), (2, "pre"), (3, "post"))
]

FLOAT32 = 1e-6
"""Results are kept as float32, and Gemma's norms compute in it even in a float64 model."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    return tmp_path


@cache
def tiny(architecture: str, seed: int = 0) -> LanguageModel:
    """A tiny model in float64."""
    return tiny_model(architecture, seed=seed)[0]


def _prompts(model: LanguageModel, words: pd.DataFrame | None = None) -> SpellingPrompts:
    words = word_table().iloc[::20] if words is None else words
    words = words.assign(token_id=model.tokenizer.convert_tokens_to_ids(words["word"].tolist()))
    return make_prompts(model, words, n_examples=3, n_sets=3)


def _error(found: Tensor, expected: Tensor) -> float:
    """Largest error of a word, relative to its norm."""
    return float(((found - expected).norm(dim=1) / expected.norm(dim=1)).max())


def _whole(model: LanguageModel, prompts: SpellingPrompts, depths: list[int]) -> dict[int, Tensor]:
    """Residual stream at the word's token from whole prompts, without any cache of keys and values."""
    tokens = prompts.tokens(torch.arange(len(prompts.word_ids)))
    seen = model.residual_streams(tokens, depths, use_cache=False)
    return {depth: acts[:, prompts.word_position].float() for depth, acts in seen.items()}


@pytest.mark.parametrize("architecture", CONFIGS)
def test_a_shared_prefix_changes_nothing(architecture: str) -> None:
    model = tiny(architecture)
    prompts = _prompts(model)
    assert prompts.word_position > 9  # longer than the sliding windows
    found = word_activations(model, prompts, HOOKS, batch=16)
    whole = _whole(model, prompts, [0, 1, 2, 4])
    for hook, depth in zip(HOOKS, (0, 1, 2, 4), strict=True):
        assert _error(found[hook], whole[depth]) < FLOAT32
        assert found[hook].std(0).min() > 1e-3  # the words differ in every dimension


@pytest.mark.parametrize("architecture", CONFIGS)
def test_the_prefix_matters(architecture: str) -> None:
    model = tiny(architecture)
    prompts = _prompts(model)
    word = prompts.rows(torch.zeros(3, dtype=torch.long))
    under_each = dataclasses.replace(word, example_set=torch.arange(3))
    acts = word_activations(model, under_each, [HOOKS[3]])[HOOKS[3]]
    assert torch.pdist(acts).min() > 1e-3


@pytest.fixture(scope="module")
def embedded() -> LanguageModel:
    """The embedded model, loaded before the tests get an empty cache."""
    return load_model(device="cpu")


def test_on_the_embedded_model_a_shared_prefix_changes_nothing_beyond_rounding(
    embedded: LanguageModel,
) -> None:
    model = embedded
    words = sample_words(load_vocab(model.tokenizer, leading_space_only=True, min_letters=2), 26, seed=0)
    prompts = make_prompts(model, words).rows(torch.arange(0, 130, 16))
    hooks = ["blocks.0.hook_resid_pre", "blocks.8.hook_resid_post"]
    found = word_activations(model, prompts, hooks)
    whole = _whole(model, prompts, [0, 9])
    for hook, depth in zip(hooks, (0, 9), strict=True):
        assert _error(found[hook], whole[depth]) < 1e-5  # nine blocks in float32
        assert torch.pdist(found[hook]).min() > 0.1 * found[hook].norm(dim=1).mean()


def test_batches_and_the_order_of_the_words_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, hook = tiny("gemma2"), HOOKS[3]
    prompts = _prompts(model)
    order = torch.randperm(len(prompts.word_ids), generator=torch.Generator().manual_seed(0))
    one = word_activations(model, prompts, [hook])[hook]
    shuffled = word_activations(model, prompts.rows(order), [hook], batch=5)[hook]
    assert _error(shuffled, one[order]) < FLOAT32
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "other"))
    assert _error(word_activations(model, prompts, [hook], batch=1)[hook], one) < FLOAT32


def test_one_prefix_serves_many_batches_without_being_changed() -> None:
    model = tiny("gemma3")
    prompts = _prompts(model)
    prefix = Prefix(model, prompts.prefixes[0])
    ids = prompts.word_ids[:6, None]
    first, again = (
        model.residual_streams(ids, [4], past_key_values=prefix.expand(6), use_cache=True)[4]
        for _ in range(2)
    )
    assert torch.equal(first, again)
    alone = model.residual_streams(ids[:1], [4], past_key_values=prefix.expand(1), use_cache=True)[4]
    torch.testing.assert_close(alone, first[:1])


def test_a_prefix_of_the_lower_blocks_is_run_again_when_deeper_ones_are_asked_for() -> None:
    model = tiny_model("llama", seed=3)[0]
    prompts = _prompts(model)
    for hook, depth in ((HOOKS[1], 1), (HOOKS[3], 4)):
        whole = _whole(model, prompts, [depth])[depth]
        torch.testing.assert_close(
            word_activations(model, prompts, [hook])[hook], whole, rtol=1e-6, atol=1e-6
        )


def test_a_second_call_does_no_model_work(monkeypatch: pytest.MonkeyPatch) -> None:
    model, hook = tiny("llama"), HOOKS[2]
    first = word_activations(model, _prompts(model), [hook])
    monkeypatch.setattr(activations, "_compute", lambda *_: pytest.fail("the model was run again"))
    assert torch.equal(word_activations(model, _prompts(model), [hook])[hook], first[hook])
    same = word_activations(model, _prompts(model), ["blocks.1.hook_resid_post"])
    assert torch.equal(same["blocks.1.hook_resid_post"], first[hook])


@pytest.mark.parametrize("change", ["weights", "words", "examples", "depth"])
def test_any_other_input_is_computed_anew(change: str) -> None:
    model, hook = tiny("llama"), HOOKS[2]
    prompts = _prompts(model)
    first = word_activations(model, prompts, [hook])[hook]
    if change == "weights":
        model = tiny("llama", seed=1)
    elif change == "words":
        prompts = prompts.rows(torch.arange(len(first)).flip(0))
    elif change == "examples":
        prompts = dataclasses.replace(prompts, prefixes=prompts.prefixes.flip(0))
    else:
        hook = HOOKS[3]
    assert not torch.allclose(word_activations(model, prompts, [hook])[hook], first)


def test_a_cut_off_entry_is_computed_again(folder: Path) -> None:
    model = tiny("llama")
    prompts = _prompts(model)
    first = word_activations(model, prompts, HOOKS)
    paths = sorted((folder / "activations").iterdir())
    assert len(paths) == len(HOOKS)
    damaged = paths[1].read_bytes()
    paths[1].write_bytes(damaged[:-7])
    again = word_activations(model, prompts, HOOKS)
    assert all(torch.equal(first[hook], again[hook]) for hook in HOOKS)
    assert sorted((folder / "activations").iterdir()) == paths
    assert paths[1].read_bytes() == damaged


@pytest.mark.parametrize(
    "hook", ["blocks.4.hook_resid_post", "blocks.1.mlp.hook_out", "blocks.1.hook_resid_mid"]
)
def test_an_unknown_hook_is_refused_before_any_work(hook: str, folder: Path) -> None:
    model = tiny("llama")
    with pytest.raises(ValueError, match=hook.replace(".", r"\.")):
        word_activations(model, _prompts(model), [HOOKS[0], hook])
    assert not list(folder.iterdir())

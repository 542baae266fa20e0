"""The engine agrees with plain whole passes on every architecture, and its effects are far from zero."""

from __future__ import annotations

import pytest
import torch
from tests.ablation.architectures import CONFIGS, random_sae, tiny_model
from tests.ablation.conftest import WORDS, Tiny, make_tiny, whole_pass_metric

from absorption.ablation.effects import all_effects
from absorption.ablation.engine import BATCH, FULL_PASSES, SHARED_PREFIX, AblationEngine, StateEngine
from absorption.models.continuations import SharedPrefixModel
from absorption.models.hooks import Site

AGREE = 1e-5
"""Weights are float64; attention patterns are float32 in every implementation, hence not tighter."""


def test_every_architecture_takes_the_fast_way(tiny: Tiny) -> None:
    assert tiny.engine.mode == SHARED_PREFIX, tiny.engine.reason
    assert tiny.engine.difference < AGREE


def test_all_effects_agree_with_plain_whole_passes_and_are_far_from_zero(tiny: Tiny) -> None:
    effects = all_effects(tiny.engine, tiny.csr, WORDS, progress=False)
    some = effects.groupby("word").head(5)
    columns = [some[name].tolist() for name in ("word", "latent", "activation", "metric", "effect")]
    for word, latent, activation, metric, effect in zip(*columns, strict=True):
        clean = whole_pass_metric(tiny, word, torch.zeros(tiny.model.d_model))
        ablated = whole_pass_metric(tiny, word, activation * tiny.sae.W_dec[latent])
        assert metric == pytest.approx(clean, abs=AGREE)
        assert effect == pytest.approx(ablated - clean, abs=AGREE)
    assert some["effect"].abs().median() > 100 * AGREE
    assert some["word"].nunique() == len(WORDS)


@pytest.mark.parametrize("architecture", CONFIGS)
@pytest.mark.parametrize("hook_name", ["blocks.0.hook_resid_pre", "blocks.2.hook_resid_post"])
def test_the_first_and_the_last_possible_place_agree_too(architecture: str, hook_name: str) -> None:
    tiny = make_tiny(architecture, hook_name)
    assert tiny.engine.mode == SHARED_PREFIX, tiny.engine.reason
    effects = all_effects(tiny.engine, tiny.csr, WORDS[:1], progress=False)
    row = int(effects["effect"].abs().argmax())
    word, latent, activation, effect = (
        effects[name].tolist()[row] for name in ("word", "latent", "activation", "effect")
    )
    clean = whole_pass_metric(tiny, word, torch.zeros(tiny.model.d_model))
    ablated = whole_pass_metric(tiny, word, activation * tiny.sae.W_dec[latent])
    assert abs(effect) > 100 * AGREE
    assert effect == pytest.approx(ablated - clean, abs=AGREE)


def test_a_sliding_window_shorter_than_the_prompt_is_kept() -> None:
    """With the window opened the answers change, so the agreement above says something about windows."""
    tiny = make_tiny("gemma2", "blocks.1.hook_resid_post")
    before = whole_pass_metric(tiny, 3, torch.zeros(tiny.model.d_model))
    windows = [m for m in tiny.untouched.modules() if getattr(m, "sliding_window", None)]
    assert windows
    assert tiny.untouched.config.sliding_window < tiny.prompts.word_position
    kept, tiny.untouched.config.sliding_window = tiny.untouched.config.sliding_window, 10**6
    try:
        opened = whole_pass_metric(tiny, 3, torch.zeros(tiny.model.d_model))
    finally:
        tiny.untouched.config.sliding_window = kept
    assert abs(before - opened) > 100 * AGREE


def test_whole_passes_give_the_same_effects(tiny: Tiny) -> None:
    slow = AblationEngine(tiny.model, tiny.sae, tiny.prompts, mode=FULL_PASSES)
    fast_table = all_effects(tiny.engine, tiny.csr, WORDS[:2], progress=False)
    slow_table = all_effects(slow, tiny.csr, WORDS[:2], progress=False)
    assert slow.mode == FULL_PASSES
    assert fast_table["effect"].to_numpy() == pytest.approx(slow_table["effect"].to_numpy(), abs=AGREE)


def test_order_and_size_of_batches_do_not_matter(llama: Tiny) -> None:
    one_by_one = AblationEngine(llama.model, llama.sae, llama.prompts, batch=1)
    shuffled = WORDS[torch.tensor([4, 0, 5, 2, 1, 3])]
    a = all_effects(llama.engine, llama.csr, WORDS, progress=False)
    b = all_effects(one_by_one, llama.csr, shuffled, progress=False)
    b = b.sort_values(["word", "latent"], ignore_index=True)
    assert a.drop(columns=["metric", "effect"]).equals(b.drop(columns=["metric", "effect"]))
    assert a["effect"].to_numpy() == pytest.approx(b["effect"].to_numpy(), abs=1e-6)


def test_the_same_call_twice_gives_the_same_table(llama: Tiny) -> None:
    first = all_effects(llama.engine, llama.csr, WORDS, progress=False)
    assert first.equals(all_effects(llama.engine, llama.csr, WORDS, progress=False))


def test_bfloat16_takes_the_fast_way_and_keeps_the_effects_order(llama: Tiny) -> None:
    model, _ = tiny_model("llama", dtype=torch.bfloat16)
    assert model.dtype == torch.bfloat16
    engine = AblationEngine(model, llama.sae, llama.prompts)
    assert engine.mode == SHARED_PREFIX, engine.reason
    rough = all_effects(engine, llama.csr, WORDS, progress=False)["effect"]
    exact = all_effects(llama.engine, llama.csr, WORDS, progress=False)["effect"]
    assert rough.corr(exact) > 0.98


def test_a_prefix_is_run_once_whatever_the_depth(llama: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, run_prefix = [], SharedPrefixModel._run
    monkeypatch.setattr(
        SharedPrefixModel, "_run", lambda self, tokens: runs.append(1) or run_prefix(self, tokens)
    )
    llama.model.prefixes.clear()
    two = [int((llama.prompts.example_set == number).nonzero()[0]) for number in (0, 1)]
    for depth in (0, 2):
        StateEngine(llama.model, llama.prompts, Site(depth), mode=SHARED_PREFIX).states(torch.tensor(two))
    assert len(runs) == 2  # one an example set


def test_a_model_that_cannot_take_the_fast_way_says_so(llama: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise NotImplementedError("attention with s_aux")

    monkeypatch.setattr("absorption.models.continuations.plain_twin", refuse)
    engine = AblationEngine(llama.model, llama.sae, llama.prompts)
    assert engine.mode == FULL_PASSES
    assert engine.reason == "NotImplementedError: attention with s_aux"
    table = all_effects(engine, llama.csr, WORDS[:1], progress=False)
    expected = all_effects(llama.engine, llama.csr, WORDS[:1], progress=False)
    assert table["effect"].to_numpy() == pytest.approx(expected["effect"].to_numpy(), abs=AGREE)


def test_a_fast_way_that_gives_other_answers_is_not_taken(
    llama: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "absorption.ablation.passes.FastPass.logits",
        lambda self, words, states: torch.zeros(len(words), 26),
    )
    engine = AblationEngine(llama.model, llama.sae, llama.prompts)
    assert engine.mode == FULL_PASSES
    assert "differs from whole passes" in engine.reason


def test_an_sae_behind_the_last_attention_layer_is_refused(llama: Tiny) -> None:
    sae = random_sae(llama.model, "blocks.3.hook_resid_post")
    with pytest.raises(ValueError, match=r"up to blocks\.2\.hook_resid_post"):
        AblationEngine(llama.model, sae, llama.prompts)


def test_an_sae_whose_latents_add_no_fixed_direction_is_refused(llama: Tiny) -> None:
    sae = random_sae(llama.model, "blocks.1.hook_resid_post")
    sae.sae.cfg.normalize_activations = "layer_norm"
    with pytest.raises(ValueError, match="layer_norm"):
        AblationEngine(llama.model, sae, llama.prompts)


def test_the_twin_shares_the_weights_memory_and_the_bridge_still_works(llama: Tiny) -> None:
    twin = llama.engine._pass.twin  # type: ignore[attr-defined]
    mine = {p.data_ptr() for p in twin.parameters()}
    assert mine <= {p.data_ptr() for p in llama.model.hf.parameters()}
    tokens = llama.prompts.tokens(WORDS[:1])
    logits = llama.model.hf(tokens).logits
    assert logits.shape[-1] == len(llama.model.tokenizer)
    assert torch.allclose(logits, llama.untouched(tokens).logits, atol=AGREE)


def test_with_another_words_embedding_the_answer_is_the_other_words(tiny: Tiny) -> None:
    """Exact, since at depth 0 the word's own token has left no other trace."""
    engine = StateEngine(tiny.model, tiny.prompts, Site(0))
    same_set = (tiny.prompts.example_set == 0).nonzero()[:6, 0]
    donors = same_set.roll(1)
    with torch.no_grad():
        whole = tiny.untouched(tiny.prompts.tokens(donors), use_cache=False).logits[:, -1]
    expected = whole[:, tiny.prompts.answer_ids].float()
    patched = engine.logits(same_set, engine.states(donors))
    torch.testing.assert_close(patched, expected, rtol=AGREE, atol=AGREE)
    clean = engine.logits(same_set, engine.states(same_set))
    assert (patched - clean).abs().max(1).values.median() > 1e-2


def test_the_batch_follows_the_environment_variable(llama: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABSORPTION_BATCH", "32")
    assert AblationEngine(llama.model, llama.sae, llama.prompts).batch == BATCH["cpu"] // 8
    assert AblationEngine(llama.model, llama.sae, llama.prompts, batch=5).batch == 5

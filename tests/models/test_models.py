"""Models load or say why not; hook names mean one place each; what is read there is the residual stream."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from tests.ablation.architectures import CONFIGS, tiny_model

from absorption.models import arithmetic
from absorption.models.hooks import Site, resolve_site
from absorption.models.language_model import LanguageModel

TOKENS = torch.arange(40, 64).reshape(2, 12)
BAD_HOOKS = ["blocks.8.hook_mlp_out", "blocks.8.hook_resid_mid", "blocks.x.hook_resid_pre", "hook_resid_post",
             "blocks.8.hook_resid_post.extra", "xblocks.8.hook_resid_post", "blocks.-1.hook_in", ""]  # fmt: skip


@cache
def tiny(architecture: str, dtype: torch.dtype = torch.float64) -> LanguageModel:
    """A tiny model with random weights."""
    return tiny_model(architecture, dtype=dtype)[0]


def _is_short(error: BaseException) -> bool:
    return len(str(error).splitlines()) <= 2


def bridge_name(depth: int) -> str:
    """The canonical hook of TransformerLens' bridge, which has no aliases in ``SAETransformerBridge``."""
    return f"blocks.{depth - 1}.hook_out" if depth else "blocks.0.hook_in"


@pytest.mark.parametrize(
    ("hook", "depth"),
    [
        ("blocks.0.hook_resid_pre", 0),
        ("hook_embed", 0),
        ("blocks.0.hook_in", 0),
        ("blocks.0.hook_resid_post", 1),
        ("blocks.1.hook_resid_pre", 1),
        ("blocks.8.hook_resid_post", 9),
        ("blocks.8.hook_out", 9),
        ("blocks.29.hook_resid_post", 30),
    ],
)
def test_a_hook_name_means_a_depth(hook: str, depth: int) -> None:
    site = resolve_site(hook, 30)
    assert site == Site(depth)
    assert resolve_site(site.name, 30) == resolve_site(bridge_name(site.depth), 30) == site


@pytest.mark.parametrize("hook", BAD_HOOKS)
def test_an_unknown_hook_is_named_with_what_is_allowed(hook: str) -> None:
    with pytest.raises(
        ValueError, match=r"is not on the residual stream; allowed: blocks\.L\.hook_resid_p"
    ) as caught:
        resolve_site(hook, 30)
    assert repr(hook) in str(caught.value)
    assert "0 to 29" in str(caught.value)
    assert _is_short(caught.value)


@pytest.mark.parametrize(
    "hook", ["blocks.30.hook_resid_post", "blocks.30.hook_resid_pre", "blocks.99.hook_out"]
)
def test_a_layer_that_the_model_lacks_is_named_with_those_it_has(hook: str) -> None:
    with pytest.raises(ValueError, match=r"names layer (30|99), but the model has layers 0 to 29") as caught:
        resolve_site(hook, 30)
    assert hook in str(caught.value)
    assert _is_short(caught.value)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_the_residual_stream_is_what_the_bridge_caches_at_the_canonical_hook(architecture: str) -> None:
    model = tiny(architecture)
    names = [bridge_name(depth) for depth in range(5)]
    _, cached = model.bridge.run_with_cache(TOKENS, names_filter=names)
    seen = model.residual_streams(TOKENS, list(range(5)))
    for depth, name in enumerate(names):
        torch.testing.assert_close(seen[depth], cached[name])
        assert seen[depth].flatten(0, 1).std(0).min() > 1e-3  # no dimension is constant over the tokens
    steps = [(seen[depth + 1] - seen[depth]).abs().max() for depth in range(4)]
    assert min(steps) > 1e-2  # every block does something, so that the depths cannot be confused


@pytest.mark.parametrize("architecture", CONFIGS)
def test_a_resolved_hook_fires_once_a_pass(architecture: str) -> None:
    model = tiny(architecture)
    for depth in range(5):
        fired: list[torch.Tensor] = []
        hook = (bridge_name(depth), lambda acts, hook, fired=fired: fired.append(acts.clone()))
        model.bridge.run_with_hooks(TOKENS, fwd_hooks=[hook])
        assert len(fired) == 1
        torch.testing.assert_close(fired[0], model.residual_stream(TOKENS, Site(depth).name))


@pytest.mark.parametrize("architecture", CONFIGS)
def test_after_one_block_is_before_the_next(architecture: str) -> None:
    model = tiny(architecture)
    after = model.residual_stream(TOKENS, "blocks.1.hook_resid_post")
    assert torch.equal(after, model.residual_stream(TOKENS, "blocks.2.hook_resid_pre"))
    assert not torch.allclose(after, model.residual_stream(TOKENS, "blocks.1.hook_resid_pre"))


def test_blocks_beyond_the_deepest_place_are_not_computed() -> None:
    model, ran = tiny("llama"), []
    handles = [
        block.register_forward_pre_hook(lambda *_, number=number: ran.append(number))
        for number, block in enumerate(model.blocks)
    ]
    model.residual_streams(TOKENS, [0, 2])
    for handle in handles:
        handle.remove()
    assert ran == [0, 1]


def test_reading_leaves_no_hooks_behind() -> None:
    model = tiny("llama")
    before = model.hf(TOKENS).logits
    model.residual_streams(TOKENS, [0, 1, 4])
    with pytest.raises(IndexError):
        model.residual_streams(torch.full((1, 3), 10**6), [0, 1])  # a token that the model lacks
    assert torch.equal(model.hf(TOKENS).logits, before)
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in model.blocks)


def test_the_weights_hash_changes_with_any_weight_and_only_then() -> None:
    first, same = (tiny_model("llama", dtype=torch.float32)[0] for _ in range(2))
    assert first.weights_hash == same.weights_hash
    weight = list(same.hf.parameters())[-1]
    weight.data.view(-1)[-1] += 1e-4
    del same.__dict__["weights_hash"]  # computed once a model
    assert first.weights_hash != same.weights_hash


def test_the_size_of_a_model_is_read_from_it() -> None:
    for architecture in CONFIGS:
        model = tiny(architecture)
        assert (model.n_layers, model.d_model, model.dtype) == (4, 32, torch.float64)
        assert model.bos_token_id == 1  # the tokenizer has no BOS, so its end-of-text token serves


@pytest.fixture
def precision():
    """Puts PyTorch's setting for products back."""
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("precision")
def test_fast_products_are_still_float32_products() -> None:
    arithmetic.use_fast_exact_float32()
    left, right = torch.randn(2, 300, 300, generator=torch.Generator().manual_seed(5))
    exact = left.double() @ right.double()
    assert ((left @ right).double() - exact).norm() / exact.norm() < arithmetic.FLOAT32_ERROR


@pytest.mark.usefixtures("precision")
def test_products_that_are_not_exact_enough_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "FLOAT32_ERROR", 0.0)
    assert arithmetic.use_fast_exact_float32() is False
    assert torch.get_float32_matmul_precision() in (
        "highest",
        "high" if torch.cuda.is_available() else "highest",
    )

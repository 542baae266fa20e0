"""Single latents inserted while the model runs: checked against whole passes with the stream replaced by hand."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.ablation.architectures import tiny_model
from tests.stitching.hand_set import random_sae

from absorption.saes.loaded import LoadedSae
from absorption.stitching import single_losses, splicing
from absorption.stitching.above import Above
from absorption.stitching.pairs import Pair

HOOK = "blocks.1.hook_resid_post"
TOKENS = torch.randint(3, 90, (6, 12), generator=torch.Generator().manual_seed(4))


def losses_by_hand(untouched: Any, acts: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """Loss of each window with the stream behind the second block replaced, in one whole pass."""
    layers = untouched.model.layers if hasattr(untouched, "model") else untouched.transformer.h

    def put(_block: Any, _args: Any, out: Any) -> Any:
        return (acts, *out[1:]) if isinstance(out, tuple) else acts

    handle = layers[1].register_forward_hook(put)
    logits = untouched(windows).logits[:, :-1]
    handle.remove()
    return torch.nn.functional.cross_entropy(logits.transpose(1, 2), windows[:, 1:], reduction="none").mean(1)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2"])
def test_the_blocks_above_alone_say_what_the_whole_model_says(architecture: str) -> None:
    model, untouched = tiny_model(architecture, dtype=torch.float32)
    acts = torch.randn(6, 12, 32, generator=torch.Generator().manual_seed(0))
    above = Above(model, 2)
    found = above.losses(TOKENS, acts, batch=4).mean(1)
    assert found.tolist() == pytest.approx(losses_by_hand(untouched, acts, TOKENS).tolist(), abs=1e-4)
    clean = model.residual_stream(TOKENS, HOOK)
    again = above.losses(TOKENS, clean).mean(1)
    logits = untouched(TOKENS).logits[:, :-1]
    whole = torch.nn.functional.cross_entropy(logits.transpose(1, 2), TOKENS[:, 1:], reduction="none").mean(1)
    assert again.tolist() == pytest.approx(whole.tolist(), abs=1e-4)
    assert model.residual_stream(TOKENS, HOOK).equal(clean)  # the model itself is left as it was


def test_saes_at_the_embedding_are_refused() -> None:
    model, _ = tiny_model("llama", dtype=torch.float32)
    with pytest.raises(ValueError, match=r"^Losses are measured for SAEs behind a block"):
        Above(model, 0)


def random_pair() -> Pair:
    smaller, larger = (
        random_sae(name, width, seed, 32) for name, width, seed in (("s", 40, 0), ("l", 90, 1))
    )
    with torch.no_grad():
        weights: Any = larger.sae
        weights.W_dec[:30] = smaller.W_dec[:30]
        weights.W_enc[:, 3] = 0
        weights.b_enc[3] = -1.0  # never on
    return Pair(at_second_block(smaller), at_second_block(larger))


def at_second_block(sae: LoadedSae) -> LoadedSae:
    from absorption.models.hooks import resolve_site

    return LoadedSae(sae.name, sae.sae, resolve_site(HOOK, 4), sae.card)


def test_a_row_is_what_inserting_that_latent_alone_does_to_error_and_loss() -> None:
    model, untouched = tiny_model("llama", dtype=torch.float32)
    pair = random_pair()
    table = single_losses.insert_each(model, (pair,), TOKENS, n=3, seed=5)
    assert table["kind"].tolist() == ["novel"] * 3 + ["similar"] * 3
    acts = model.residual_stream(TOKENS, HOOK).clone()
    rows = acts[:, 1:].flatten(0, 1)
    before = splicing.insert(pair, rows, torch.zeros(90, dtype=torch.bool)).view(6, 11, 32)
    on = (pair.larger.encode(rows).view(6, 11, 90) > 0).any(1)
    for row in table.to_dict("records"):
        only = torch.arange(90) == row["latent"]
        after = splicing.insert(pair, rows, only).view(6, 11, 32)
        assert row["latent"] != 3
        assert row["windows"] == min(single_losses.MOST, int(on[:, row["latent"]].sum()))
        losses = [
            losses_by_hand(untouched, torch.cat([acts[:, :1], given], dim=1), TOKENS)
            for given in (before, after)
        ]
        loss = losses[1] - losses[0]
        error = ((acts[:, 1:] - after) ** 2 - (acts[:, 1:] - before) ** 2).sum((1, 2)) / 11
        of = on[:, row["latent"]].nonzero()[:, 0].tolist()
        pairs = [(error[list(w)].mean(), loss[list(w)].mean()) for w in combinations(of, row["windows"])]
        close = [
            abs(e - row["error"]) < 1e-3 + 1e-4 * abs(e) and abs(c - row["loss"]) < 1e-4 for e, c in pairs
        ]
        assert sum(close) == 1


def test_latents_are_drawn_of_either_kind_with_the_seed_and_only_if_on_often_enough() -> None:
    model, _ = tiny_model("llama", dtype=torch.float32)
    pair = random_pair()
    spliced = single_losses.splice(pair, model.residual_stream(TOKENS, HOOK))
    drawn = {seed: single_losses.draw_latents(spliced, 4, np.random.default_rng(seed)) for seed in (0, 1)}
    assert drawn[0] == single_losses.draw_latents(spliced, 4, np.random.default_rng(0))
    assert drawn[0] != drawn[1]
    for latent, windows in drawn[0]:
        assert len(windows) >= single_losses.LEAST
        assert all(bool(spliced.on[window, latent]) for window in windows)
    few = single_losses.draw_latents(spliced, 90, np.random.default_rng(0))
    assert len(few) == int((spliced.on.sum(0) >= single_losses.LEAST).sum())


def test_agreement_is_the_share_of_equal_signs_beside_chance() -> None:
    table = pd.DataFrame(
        {
            "kind": ["novel", "novel", "similar", "similar"],
            "error": [-2.0, -1.0, 1.0, 5.0], "loss": [-0.1, 0.2, 0.3, 0.1],
        }
    )  # fmt: skip
    found: Any = single_losses.agreement(table).set_index(["kind", "quantity"])["value"]
    assert found["all", "same sign"] == 0.75
    assert found["all", "lower the error"] == 0.5
    assert found["all", "lower the loss"] == 0.25
    assert found["all", "same sign by chance"] == 0.5 * 0.25 + 0.5 * 0.75
    assert found["all", "rank correlation"] == pytest.approx(0.4)  # ranks 1 2 3 4 and 1 3 4 2: 1 - 6 * 6 / 60
    assert found["novel", "same sign"] == 0.5
    one: Any = single_losses.agreement(table[:1]).set_index("kind")
    assert one["value"].isna().all()

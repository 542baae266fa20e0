"""Contexts of latents in a text: each computed again, token by token, from the definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.ablation.architectures import CONFIGS, random_sae, tiny_model

from absorption import latents
from absorption.latents.contexts import TextActivations

pytestmark = pytest.mark.usefixtures("own_cache")


class Numbers:
    """A tokenizer whose text is the token's number; 7 is a line break."""

    def decode(self, ids: list[int]) -> str:
        return "".join("\n" if token == 7 else f" {token}" for token in ids)


def text() -> TextActivations:
    windows = torch.tensor([[1, 10, 11, 12], [1, 20, 7, 22], [1, 30, 31, 32]])
    acts = torch.zeros(3, 4, 2)
    acts[:, 0] = 99.0  # BOS, which is never shown
    acts[0, 2, 0], acts[0, 3, 0], acts[1, 2, 0] = 5.0, 4.0, 6.0
    return TextActivations(windows, [41, 42], acts)


def test_contexts_are_the_strongest_token_of_each_window_strongest_first() -> None:
    found = latents.strongest_contexts(text(), Numbers(), n_contexts=8, around=1)
    assert found.values.tolist() == [
        [41, 1, 6.0, "↵", " 20⟦↵⟧ 22"],
        [41, 2, 5.0, " 11", " 10⟦ 11⟧ 12"],
    ]  # fmt: skip
    assert len(latents.strongest_contexts(text(), Numbers(), n_contexts=1)) == 1


def test_the_share_of_tokens_leaves_out_the_first_of_each_window() -> None:
    assert text().share_on() == pytest.approx({41: 3 / 9, 42: 0.0})


def test_no_text_has_no_contexts() -> None:
    none = TextActivations(torch.zeros(0, 4, dtype=torch.long), [41], torch.zeros(0, 4, 1))
    assert latents.strongest_contexts(none, Numbers()).empty
    assert none.share_on() == {}


def test_activations_over_a_text_are_those_of_the_sae_on_the_model_s_stream() -> None:
    model, untouched = tiny_model("llama")
    sae = random_sae(model, "blocks.1.hook_resid_post")
    windows = torch.arange(60).reshape(20, 3) + 5  # more windows than a batch
    found = latents.text_activations(model, sae, windows, [3, 50])
    assert found.acts.shape == (20, 3, 2)
    with torch.no_grad():
        stream = untouched(windows, output_hidden_states=True).hidden_states[2]
        expected = torch.relu((stream - sae.sae.b_dec) @ sae.W_enc + sae.sae.b_enc)[..., [3, 50]]
    torch.testing.assert_close(found.acts, expected.float(), rtol=1e-4, atol=1e-4)
    assert (found.acts > 0).any()


@pytest.mark.parametrize("architecture", CONFIGS)
def test_favoured_tokens_are_those_whose_logits_the_row_moves(architecture: str) -> None:
    """Through norm and unembedding of a model that the bridge has not touched, less what a zero row gives."""
    model, untouched = tiny_model(architecture)
    sae = random_sae(model, "blocks.1.hook_resid_post")
    found = latents.favoured_tokens(model, sae, {"main": 3}, n_tokens=2).iloc[0]
    base = untouched.base_model
    norm = next(getattr(base, name) for name in ("norm", "ln_f", "final_layer_norm") if hasattr(base, name))
    row = torch.stack([sae.decoder_directions[3], torch.zeros(model.d_model)]).double()
    with torch.no_grad():
        unembedding: Any = untouched.get_output_embeddings()
        with_row, without = norm(row) @ unembedding.weight.T
    order = (with_row - without).argsort(descending=True).tolist()
    text = [repr(model.tokenizer.decode([token])) for token in order]
    assert found["raises"] == " ".join(text[:2])
    assert found["lowers"] == " ".join(text[:-3:-1])

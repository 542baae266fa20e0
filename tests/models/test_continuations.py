"""Continuations that share one prefix have the states of whole texts; a model that cannot share says so."""

from __future__ import annotations

import warnings

import pytest
import torch
from tests.ablation.architectures import CONFIGS, tiny_model
from torch import Tensor

from absorption.models import continuations
from absorption.models.continuations import CopiedPrefixModel, SharedPrefixModel, continuing
from absorption.models.language_model import LanguageModel

PREFIX = torch.arange(2, 16)
"""Longer than the sliding windows of the tiny models."""
TOKENS = torch.tensor([[20, 21], [30, 31], [5, 6]])
DEPTHS = [0, 1, 4]
FLOAT32 = 1e-6
"""Attention patterns and Gemma's norms are float32 even in a float64 model."""


def _error(found: Tensor, expected: Tensor) -> float:
    """Largest error of a state, relative to its norm."""
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max())


def _texts() -> Tensor:
    return torch.cat([PREFIX.expand(len(TOKENS), -1), TOKENS], dim=1)


def _whole(model: LanguageModel) -> dict[int, Tensor]:
    return {
        depth: seen[:, len(PREFIX) :]
        for depth, seen in model.residual_streams(_texts(), DEPTHS, use_cache=False).items()
    }


@pytest.mark.parametrize("architecture", CONFIGS)
def test_both_ways_give_the_states_of_whole_texts(architecture: str) -> None:
    model = tiny_model(architecture)[0]
    expected, answers = _whole(model), model.hf(_texts(), use_cache=False).logits[:, -1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = continuing(model, PREFIX, TOKENS, 4)
    assert isinstance(chosen, SharedPrefixModel)
    for way in (chosen, CopiedPrefixModel(model, 4)):
        found = way.residual_streams(PREFIX, TOKENS, DEPTHS)
        assert sorted(found) == DEPTHS
        for depth in DEPTHS:
            assert _error(found[depth], expected[depth]) < FLOAT32
        assert _error(way.logits(PREFIX, TOKENS), answers) < FLOAT32


def test_a_model_that_cannot_be_rebuilt_is_used_as_it_is_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise ValueError("weight 'x' of Llama is not in the loaded model")

    model = tiny_model("llama")[0]
    monkeypatch.setattr(continuations, "plain_twin", refuse)
    with pytest.warns(UserWarning, match=r"tiny-llama: .* slower \(ValueError: weight 'x' of Llama"):
        way = continuing(model, PREFIX, TOKENS, 4)
    assert isinstance(way, CopiedPrefixModel)
    assert _error(way.residual_streams(PREFIX, TOKENS, [4])[4], _whole(model)[4]) < FLOAT32


def test_a_fast_way_that_gives_other_states_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    model, right = tiny_model("llama")[0], SharedPrefixModel.residual_streams

    def wrong(self: SharedPrefixModel, *args: object) -> dict[int, Tensor]:
        return {depth: seen * 1.01 for depth, seen in right(self, *args).items()}  # type: ignore[arg-type]

    monkeypatch.setattr(SharedPrefixModel, "residual_streams", wrong)
    with pytest.warns(UserWarning, match=r"states differ by 1\.0e-02 of their norm"):
        assert isinstance(continuing(model, PREFIX, TOKENS, 4), CopiedPrefixModel)


def test_the_choice_is_made_once_and_again_only_for_a_deeper_place(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tried, choose = tiny_model("llama")[0], [], continuations._choose
    monkeypatch.setattr(continuations, "_choose", lambda *args: tried.append(args[-1]) or choose(*args))
    for depth in (1, 1, 0, 4, 2):
        continuing(model, PREFIX, TOKENS, depth)
    assert tried == [1, 4]

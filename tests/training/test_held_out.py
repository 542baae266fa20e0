"""Held-out text: the shipped SAEs' own, or one line that says why there is none."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from tests.ablation.architectures import tiny_model

from absorption.models.language_model import LanguageModel
from absorption.training import corpus, held_out


@cache
def model() -> LanguageModel:
    return tiny_model("llama")[0]


def test_the_text_is_the_beginning_of_what_training_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def windows(_tokenizer: Any, _hash: str, **how: Any) -> corpus.Windows:
        asked.update(how)
        return corpus.Windows(torch.zeros(0, 128, dtype=torch.long), torch.ones(3, 128, dtype=torch.long))

    monkeypatch.setattr(corpus, "load_windows", windows)
    found = held_out.held_out_text(model(), 300)
    assert asked == {"n_train": 0, "n_held_out": 300, "length": 128, "seed": 0}
    assert found.windows.shape == (3, 128)
    assert found.note == "384 tokens of held-out text."


def test_without_the_wheel_the_note_says_why_and_there_are_no_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(*_given: Any, **_how: Any) -> corpus.Windows:
        raise ConnectionError("pip could not download sae-probes==0.4.2: no network")

    monkeypatch.setattr(corpus, "load_windows", unreachable)
    found = held_out.held_out_text(model(), 300)
    assert found.windows.shape == (0, 128)
    assert found.note == "No held-out text: pip could not download sae-probes==0.4.2: no network"
    assert "\n" not in found.note


def test_no_tokens_fetch_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "load_windows", lambda *_given, **_how: pytest.fail("fetched"))
    found = held_out.held_out_text(model(), 0)
    assert len(found.windows) == 0
    assert found.note == "No held-out text was asked for (text_tokens is 0)."


def test_text_that_is_needless_is_not_fetched_and_the_note_gives_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(corpus, "load_windows", lambda *_given, **_how: pytest.fail("fetched"))
    for n_tokens in (300, 0):
        found = held_out.held_out_text(model(), n_tokens, needless="no word was absorbed")
        assert len(found.windows) == 0
        assert found.note == "No held-out text was read: no word was absorbed."

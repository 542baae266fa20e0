"""Curves of a latent's activations: hand-set activations, where silence and levels are known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch

from absorption.chapters.recall_gap import when_on as module
from absorption.latents.sparse import SparseActs

VALUES = [0.0, 0.0, 1.0, 4.0, 0.0, 0.5, 0.0, 9.0]
"""Of latent 1: four words with S, three with C, and one training word that must not be counted."""


WORDS = ["sea", "sun", "sit", "sob", "cat", "cow", "cup", "sky"]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> module.Activations:
    dense = torch.zeros(8, 3)
    dense[:, 1] = torch.tensor(VALUES)
    monkeypatch.setattr(module, "encode_words", lambda *_: SparseActs(dense.to_sparse_csr()))
    probed = SimpleNamespace(
        words=pd.DataFrame({"letter": list("sssscccs"), "word": WORDS}), test=np.arange(7)
    )
    scores = pd.DataFrame(
        [
            ("s", 1, "best F1", "f1"), ("c", 1, "best F1", "f1"), ("s", 2, "lowest loss", "f1"),
            ("s", 0, "best F1", "recall"),
        ],
        columns=["letter", "latent", "selection", "metric"],
    )  # fmt: skip
    scored = SimpleNamespace(probed=probed, mine=SimpleNamespace(scores=scores, sae=None), acts=None)
    return module.activations(cast(Any, scored), cast(Any, SimpleNamespace(selection="best F1", seed=0)))


def test_a_curve_begins_at_the_share_of_words_on_which_the_latent_is_silent(
    found: module.Activations,
) -> None:
    assert {letter: share.value for letter, share in found.silent.items()} == {
        "S": 0.5,
        "C": pytest.approx(2 / 3),
    }
    assert found.numbers()["silent_letters"].startswith("S 0.500 [0.000, 1.000], C 0.667 [")
    own = found.table.query("letter == 's' and words == 'words with the letter'")
    assert own.loc[own["activation"] == 0, "share"].max() == pytest.approx(0.5)
    assert own["activation"].max() == 4.0


def test_other_words_are_those_of_all_other_letters_and_training_words_are_left_out(
    found: module.Activations,
) -> None:
    others = found.table.query("letter == 'c' and words == 'other words'").set_index("share")["activation"]
    assert [others.iloc[at] for at in (0, 50, 51, 75, 76, 100)] == [0, 0, 1, 1, 4, 4]
    assert set(found.table["latent"]) == {1}

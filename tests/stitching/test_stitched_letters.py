"""Letters followed from SAE to SAE on planted words, where what became of each latent is known."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
import pytest
import torch
from tests.planted_model import CASE, CHILD, D_MODEL, N_CHILDREN
from tests.planted_study import words
from tests.stitching.hand_set import make_sae

from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import LETTERS
from absorption.stitching import letters
from absorption.stitching.letters import (
    ABSORBED,
    GONE,
    KEPT,
    NARROWER,
    SPLIT,
    count_fates,
    fate,
    follow_letters,
)
from absorption.stitching.pairs import Pair

UNIT = torch.eye(D_MODEL)
UPPER, LOWER = UNIT[CASE], UNIT[CASE + 1]
OTHERS = UNIT[CHILD + 26 * N_CHILDREN + 5]


def child(letter: int, number: int) -> torch.Tensor:
    return UNIT[CHILD + letter * N_CHILDREN + number]


def small_sae() -> LoadedSae:
    """A latent a letter, on for all of its words and no others."""
    return make_sae("small", UNIT[:26], UNIT[:26], b_enc=torch.full((26,), -0.5))


def large_sae() -> LoadedSae:
    """a kept; b split by case; c absorbed by its words' own latents; d on for capitals alone; e has nothing like it."""
    rows: list[tuple[torch.Tensor, torch.Tensor, float]] = []
    for letter in range(26):
        own = UNIT[letter]
        if letter == 1:
            rows += [(own + UPPER, own + 0.5 * UPPER, -1.5), (own + LOWER, own + 0.5 * LOWER, -1.5)]
        elif letter == 2:
            children = torch.stack([child(letter, number) for number in range(N_CHILDREN)])
            rows.append((own - children.sum(0), own, -0.5))
            rows += [(one, 2 * (own + 2 * one), -0.5) for one in children]
        elif letter == 3:
            rows.append((own + UPPER, own, -1.5))
        elif letter == 4:
            rows.append((own, own + 2 * OTHERS, -0.5))
        else:
            rows.append((own, own, -0.5))
    encoder, decoder, bias = zip(*rows, strict=True)
    return make_sae("large", torch.stack(encoder), torch.stack(decoder), b_enc=torch.tensor(bias))


@cache
def followed() -> pd.DataFrame:
    saes = [small_sae(), large_sae()]
    return follow_letters(words(), saes, [Pair(*saes)])


def by(selection: str) -> pd.DataFrame:
    return followed()[followed()["selection"] == selection]


def test_the_planted_fates_are_found() -> None:
    table = by("best F1").set_index("letter")
    assert table["fate"][:5].tolist() == [KEPT, SPLIT, ABSORBED, NARROWER, GONE]
    assert set(table["fate"][5:]) == {KEPT}
    assert table["latent"].tolist() == list(range(26))
    assert set(table["f1"]) == {1.0}


def test_successors_and_lost_words_are_counted_by_hand() -> None:
    table = {row["letter"]: row for row in by("best F1").to_dict("records")}

    def of(letter: str, *columns: str) -> list[Any]:
        return [table[letter][column] for column in columns]

    # 20 test words a letter, 10 of them capitals, 4 with a latent of their own.
    assert of("b", "successors", "f1_all", "lost") == [2, 1.0, 0]
    assert table["b"]["f1_best"] == pytest.approx(2 / 3)
    assert of("c", "successors", "lost", "taken") == [1, 4, 1.0]
    assert table["c"]["f1_best"] == pytest.approx(2 * 16 / 36)
    assert of("d", "lost", "taken") == [10, 0.0]
    assert of("e", "successors", "lost", "f1_best") == [0, 20, 0.0]


def test_fates_are_counted_a_row_a_pair() -> None:
    counts = count_fates(followed())
    assert counts["pair"].tolist() == ["26 to 31"] * 2
    assert counts["selection"].tolist() == list(letters.SELECTIONS)
    assert counts[list(letters.FATES)].to_numpy().tolist() == [[22, 1, 1, 1, 1]] * 2
    assert counts["f1_all"].tolist() == pytest.approx([(23 + 2 * 16 / 36 + 2 / 3) / 26] * 2)
    assert len(LETTERS) == 26


def test_main_latents_of_a_letter_are_followed_together() -> None:
    wide, narrow = large_sae(), small_sae()
    table: Any = follow_letters(words(), [wide, wide], [Pair(wide, wide)], ["L1 k-sparse"]).set_index(
        "letter"
    )
    assert table.loc["b", ["followed", "successors", "f1", "f1_best", "fate"]].tolist() == [
        2,
        2,
        1.0,
        1.0,
        KEPT,
    ]
    alone: Any = follow_letters(words(), [wide, wide], [Pair(wide, wide)], ["best F1"]).set_index("letter")
    assert alone.loc["b", ["followed", "f1"]].tolist() == [1, pytest.approx(2 / 3)]
    assert set(follow_letters(words(), [narrow, narrow], [Pair(narrow, narrow)])["followed"]) == {1}


def test_a_fate_asks_for_the_f1_that_was_there() -> None:
    found = {"successors": 1, "f1": 0.5, "f1_best": 0.46, "f1_all": 0.46, "taken": float("nan")}
    assert fate(found) == KEPT
    assert fate(found | {"f1_best": 0.44}) == SPLIT
    assert fate(found | {"f1_best": 0.44, "f1_all": 0.44}) == NARROWER
    assert fate(found | {"f1_best": 0.44, "f1_all": 0.44, "taken": 0.6}) == ABSORBED

"""The absorption fraction of SAEBench 0.3.2, by hand and by an independent re-implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.planted_model import planted_evidence

from absorption.definitions.evidence import Evidence
from absorption.definitions.rules import DEFINITIONS
from absorption.definitions.versions import (
    FRACTION_UNTHRESHOLDED,
    SOURCES,
    apply_unthresholded,
    null_unthresholded,
    unthresholded_fraction,
)


def by_hand() -> Evidence:
    """One letter along the first axis, latent 0 its main one; words by row as in the test below."""
    decoder = torch.tensor([[1.0, 0.0], [0.5, 0.5], [-1.0, 0.0], [0.0, 2.0]])
    acts = torch.tensor(
        [[0.0, 1, 0, 0], [1, 2, 0, 0], [3, 1, 0, 0], [0, 1, 2, 0], [0, 0, 0, 5], [2, 0, 1, 0]]
    )
    along = torch.tensor([[4.0, 0], [4, 0], [3, 0], [4, 0], [4, 0], [4, 0]])
    rows = torch.arange(len(acts))
    return Evidence(
        csr=acts.to_sparse_csr(), letters=torch.zeros(len(acts), dtype=torch.long), words=rows, train=rows,
        acts=along, directions=torch.tensor([[1.0, 0.0]]), decoder=decoder, main={"a": [0]}, names=("a",),
    )  # fmt: skip


def test_the_fraction_is_what_all_others_carry_of_all_that_is_carried() -> None:
    """Main latent off: 1. Main 1 and other 1: half. Main carries the word's 3: 0. All together -1.5: 0. Nothing along
    the letter: 0. Main 2 of 1 in all, since another takes away: cut to 0."""
    table = apply_unthresholded(by_hand())
    assert table["value"].tolist() == [1.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    assert table["absorbed"].tolist() == [True, True, False, False, False, False]
    assert set(table["definition"]) == {FRACTION_UNTHRESHOLDED}


def test_it_agrees_with_a_word_by_word_computation_on_planted_words() -> None:
    evidence = planted_evidence()
    expected = []
    for word, total in zip(evidence.active_latents, evidence.totals, strict=True):
        main, carried = word.projections[word.is_main].sum(), word.projections.sum()
        nothing = main >= total or carried <= 0
        expected.append(0.0 if nothing else float(np.clip((carried - main) / carried, 0, 1)))
    found = apply_unthresholded(evidence)["value"].to_numpy()
    assert found == pytest.approx(np.array(expected), abs=1e-6)
    assert 0 < found.mean() < 1


def test_its_null_is_along_as_many_directions_as_that_of_the_other_definitions() -> None:
    null = null_unthresholded(planted_evidence(), seed=1)
    values = null.values[FRACTION_UNTHRESHOLDED]
    assert {kind: len(drawn) for kind, drawn in values.items()} == {
        "wrong letters": 25,
        "random directions": 20,
    }
    turned = planted_evidence().directions.roll(-1, dims=0)
    first = unthresholded_fraction(planted_evidence(), turned[None])[0]
    assert np.array_equal(values["wrong letters"][0], first)
    assert null.judged[FRACTION_UNTHRESHOLDED].all()


def test_every_definition_has_a_source_and_the_two_fractions_different_ones() -> None:
    assert list(SOURCES)[: len(DEFINITIONS)] == list(DEFINITIONS)
    assert SOURCES["absorption fraction"] != SOURCES[FRACTION_UNTHRESHOLDED]

"""F1 above 0 and above the best level, on words and activations set by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from absorption.chapters.recall_gap.levels import AT_BEST, AT_ZERO, LETTER_COLUMNS, AtLevels, f1_at_levels
from absorption.latents.sparse import ACTIVE, SparseActs
from absorption.probes.fit import ProbeSet
from absorption.probes.words import ProbedWords
from absorption.spelling.vocab import LETTERS

N_EACH = 10
"""Words of a letter: six for training, four for testing."""


def probed() -> ProbedWords:
    words = pd.DataFrame(
        [(f" {a}{n}", a, "train" if n < 6 else "test") for a in LETTERS for n in range(N_EACH)],
        columns=["word", "letter", "split"],
    )
    return ProbedWords(words, torch.zeros(len(words), 2), ProbeSet(torch.zeros(26, 2), torch.zeros(26)))


def acts(leak: float) -> SparseActs:
    """A latent a letter, at 1 for its words; that of a leaks on all other words, and is at the leak on one of a."""
    found = torch.eye(26).repeat_interleave(N_EACH, dim=0)
    found[N_EACH:, 0] = leak
    found[9, 0] = leak
    return SparseActs(found.to_sparse_csr())


def test_f1_of_a_leaking_latent_is_that_of_chance_above_zero_and_of_three_in_four_above_its_level() -> None:
    table, means = f1_at_levels(acts(0.25), probed(), list(range(26)))
    a: Any = table[table["letter"] == "a"].set_index("rule")
    assert a.loc[AT_ZERO, "level"] == pytest.approx(ACTIVE)
    assert a.loc[AT_BEST, "level"] == pytest.approx(0.25)
    assert a.loc[AT_ZERO, "value"] == pytest.approx(2 * 4 / (104 + 4))  # on at all 104 test words
    assert a.loc[AT_BEST, "value"] == pytest.approx(2 * 3 / (3 + 4))
    assert a["share_on"].to_dict() == pytest.approx({AT_ZERO: 1.0, AT_BEST: 3 / 104})
    others = table[table["letter"] != "a"]
    assert (others["value"] == 1).all()
    assert others["level"].to_numpy() == pytest.approx(np.full(50, ACTIVE))
    assert means["gain"] == pytest.approx((6 / 7 - 8 / 108) / 26)
    assert means["at_best"] - means["at_zero"] == pytest.approx(means["gain"])
    assert means["gain_low"] < means["gain"] < means["gain_high"]


def test_without_a_leak_both_rules_are_one() -> None:
    table, means = f1_at_levels(acts(0.0), probed(), list(range(26)))
    zero, best = (table[table["rule"] == rule]["value"].tolist() for rule in (AT_ZERO, AT_BEST))
    assert zero == best
    assert (means["gain"], means["gain_low"], means["gain_high"]) == (0, 0, 0)


def test_the_text_tells_the_chapters_own_selection() -> None:
    made = [f1_at_levels(acts(leak), probed(), list(range(26))) for leak in (0.25, 0.0)]
    names = ("encoder cosine", "best F1")
    letters = [
        table.assign(selection=name)[LETTER_COLUMNS] for name, (table, _) in zip(names, made, strict=True)
    ]
    means = pd.DataFrame([{"selection": name, **row} for name, (_, row) in zip(names, made, strict=True)])
    found = AtLevels(pd.concat(letters), means, "best F1")
    assert found.numbers()["level_gain"] == "0.000 [0.000, 0.000]"
    assert set(found.mine["selection"]) == {"best F1"}

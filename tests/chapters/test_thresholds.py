"""How often definitions agree, and what moving a threshold does, on planted words and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.planted_model import GAIN, KINDS, planted
from tests.planted_model import planted_engine as engine
from tests.planted_model import planted_evidence as evidence

from absorption.ablation.effects import all_effects
from absorption.chapters.absorption.disputes import agreement
from absorption.chapters.absorption.panels import sensitivity
from absorption.definitions.apply import apply_definitions
from absorption.definitions.rules import ABLATION, FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds

pytestmark = pytest.mark.usefixtures("own_cache")

PUBLISHED = Thresholds()


def test_agreement_counts_the_words_that_both_judge() -> None:
    table = agreement(apply_definitions(engine(), evidence(), PUBLISHED, mean_metric=2 * GAIN))
    pair = table[(table["first"] == ABLATION) & (table["second"] == FULL_ABSORPTION)].iloc[0]
    # 28 fully absorbed words; the 8 with two absorbers are candidates that only the projection accepts.
    assert pair[["both", "only_first", "only_second", "neither"]].tolist() == [28, 0, 8, 0]
    assert len(table) == 6


def test_sensitivity_moves_one_threshold_at_a_time() -> None:
    effects = all_effects(engine(), planted().csr, torch.from_numpy(np.flatnonzero(evidence().main_off)))
    vary = {"min_lead": [1.0, 2 * GAIN], "min_share": [0.4, 0.7], "min_cosine": [0.0, 0.9]}
    table = sensitivity(evidence(), effects, PUBLISHED, vary).set_index(
        ["threshold", "setting", "definition"]
    )
    rate = table["rate"]
    full, two = 28 / 1040, 8 / 1040
    assert rate["min_lead", 1.0, ABLATION] == pytest.approx(full)
    assert rate["min_lead", 2 * GAIN, ABLATION] == 0
    assert rate["min_share", 0.4, FULL_ABSORPTION] == pytest.approx(full + two)
    assert rate["min_share", 0.7, FULL_ABSORPTION] == pytest.approx(full)
    assert rate["min_cosine", 0.9, ABLATION] == 0
    with pytest.raises(ValueError, match="max_candidates"):
        sensitivity(evidence(), effects, PUBLISHED, {"max_candidates": [3]})


def test_a_threshold_that_lets_everything_in_raises_the_null_too() -> None:
    effects = all_effects(engine(), planted().csr, torch.from_numpy(np.flatnonzero(evidence().main_off)))
    letters = [letter for letter, kind in KINDS.items() if kind == "full"]
    asked: Any = {"letters": letters, "valid": letters[:2], "stems": np.arange(len(planted().words))}
    table = sensitivity(evidence(), effects, PUBLISHED, {"min_cosine": [0.0, 0.9]}, **asked)
    assert set(table["valid"]) == {f"2 of {len(letters)}"}
    # At a least cosine of 0 every planted absorber leads; other letters' features are at a right angle to its row.
    null = table[table["definition"] == ABLATION].set_index("setting")["null"]
    assert null[0.0] > null[0.9] == 0
    assert (table["null_low"] <= table["null"]).all()
    assert (table["null"] <= table["null_high"]).all()

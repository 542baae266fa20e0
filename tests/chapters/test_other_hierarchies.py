"""Chapter 16's findings on a planted hierarchy whose absorber is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.concepts.planted_hierarchy import EACH, study
from tests.settings_of import settings_of

from absorption.base.statistics import Estimate
from absorption.chapters import letter_exercises
from absorption.chapters import other_hierarchies as chapter
from absorption.chapters.other_hierarchies.basis import Hierarchies
from absorption.chapters.settings import HierarchySettings
from absorption.concepts import concept as concepts
from absorption.concepts.concept import Concept
from absorption.concepts.measure import UNABLE, Measured, Skill, mean_nulls
from absorption.definitions.nulls import RANDOM, WRONG
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.one_sae.summary import measure_absorption

RATE = (1 / 3 + 0) / 2
"""A third of the animals, which are birds, and no tool."""


def settings() -> HierarchySettings:
    return settings_of(HierarchySettings)


@cache
def found() -> Hierarchies:
    one = measure_absorption(study(), Thresholds(), probe="converged", ablate=False)
    concept = Concept(concepts.KIND, study().words.table, " is a kind of:")
    mine = Measured(concept, study(), Skill(Estimate(0.5, 0.4, 0.6), 0.5), one, UNABLE)
    other = replace(mine, concept=replace(concept, name=concepts.SPEECH), found=None)
    return Hierarchies([mine, other], pd.DataFrame())


def test_a_rate_stands_above_the_higher_of_its_nulls() -> None:
    beside = chapter.set_beside_nulls(found(), settings())
    row: Any = beside.table.set_index("definition").loc[FULL_ABSORPTION]
    assert row["rate"] == pytest.approx(RATE)
    assert row["wrong"] == 0.0
    assert row["above"] == pytest.approx(RATE - row["random"])
    assert row["labels"] == "2 of 2"
    assert row["spread"] == pytest.approx(np.std([1 / 3, 0], ddof=1))
    rate = found().measured[0].rate(FULL_ABSORPTION)
    assert rate is not None
    assert mean_nulls(rate) == {WRONG: 0.0, RANDOM: pytest.approx(row["random"])}


def test_a_concept_without_labels_that_count_is_not_measured_and_not_zero() -> None:
    beside = chapter.set_beside_nulls(found(), settings())
    assert set(beside.table["concept"]) == {concepts.KIND}
    claims: Any = beside.claims().set_index("part")["value"]
    assert claims["kind-of-thing"] == pytest.approx(beside.above[concepts.KIND].value)
    assert claims.drop("kind-of-thing").isna().all()
    assert np.isnan(beside.correlation)  # of one concept
    assert found().numbers()["nothing_counts"] == concepts.SPEECH
    assert beside.numbers()["first_rate"] == "not measured"


def test_absorbed_words_and_what_absorbs_them() -> None:
    absorbed = chapter.list_absorbed(found(), settings())
    assert len(absorbed.table) == EACH // 2
    assert absorbed.children.value == pytest.approx(1 - 1 / (EACH // 2))
    assert absorbed.clearest["label"].tolist() == ["animal"]
    assert absorbed.kinds["words"].sum() == EACH // 2


def test_words_of_one_depth_say_nothing_of_depth() -> None:
    depths = chapter.compare_depths(found(), settings())
    assert np.isnan(depths.slope.value)
    assert depths.table["words"].tolist() == [len(study().words.right)]
    assert depths.table["value"].tolist() == pytest.approx([RATE])


def test_the_exercise_takes_the_mean_over_labels_only() -> None:
    def over_labels(labels: Sequence[str], absorbed: Sequence[bool]) -> float:
        return float(pd.Series(list(absorbed)).groupby(list(labels)).mean().mean())

    check = letter_exercises.check_mean_over_labels
    assert check(over_labels).right
    pooled = check(lambda labels, absorbed: float(np.mean(absorbed)))
    assert not pooled.right
    assert "whatever their label" in pooled.message
    assert not check(None).right


def test_no_concept_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="both empty"):
        settings_of(HierarchySettings, concepts=[])


def test_a_concept_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="concepts names 'suffix' twice; allowed: each once"):
        settings_of(HierarchySettings, concepts=["suffix", "last letter", "suffix"])

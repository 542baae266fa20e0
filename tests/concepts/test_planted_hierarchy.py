"""A hierarchy of three levels in which every absorber is known: labels, rates, nulls, kinds of absorbers, depth."""

import numpy as np
import pandas as pd
import pytest
from tests.concepts.planted_hierarchy import BIRD_LATENT, EACH, EMU, EMU_LATENT, study, words

from absorption.concepts.absorbers import CHILD, OWN, absorbers
from absorption.concepts.depth import rate_by_depth, slope_by_depth
from absorption.definitions.apply import apply_projection_rules
from absorption.definitions.nulls import RANDOM, WRONG, null_by_projection
from absorption.definitions.rates import mean_rate
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.one_sae.gate import gate_table

THRESHOLDS = Thresholds()


def full() -> pd.DataFrame:
    judged = apply_projection_rules(study().evidence_under({"animal": [0], "tool": [1]}), THRESHOLDS)
    return judged[judged["definition"] == FULL_ABSORPTION]


def test_exactly_the_birds_are_absorbed_by_their_class_and_the_emu_by_itself() -> None:
    table, judged = words(), full()
    tested = table.index[table["split"] == "test"]
    assert judged["word"].tolist() == tested.tolist()
    absorbed = judged[judged["absorbed"]].set_index("word")["latent"]
    assert sorted(absorbed.index) == [row for row in tested if table["class"][row] == "bird"]
    assert absorbed[EMU] == EMU_LATENT
    assert set(absorbed.drop(EMU)) == {BIRD_LATENT}


def test_the_rate_is_that_of_the_birds_and_other_directions_find_nothing() -> None:
    evidence = study().evidence_under({"animal": [0], "tool": [1]})
    null = null_by_projection(evidence, THRESHOLDS)
    rate = mean_rate(full(), ["animal", "tool"], null=null)
    assert rate.value == pytest.approx((1 / 3 + 0) / 2)  # a third of animals, no tool
    # Along the other label's direction no word has a projection at all.
    assert rate.null[WRONG] == pytest.approx(0.0)
    assert rate.null[RANDOM].mean() < rate.value


def test_absorbers_are_told_apart_as_a_child_and_the_word_itself() -> None:
    found = absorbers(study(), full()).set_index("word")
    assert found.loc["bird3", "kind"] == OWN
    others = found.drop("bird3")
    assert set(others["kind"]) == {CHILD}
    assert set(others["n_on"]) == {EACH - 1}
    assert set(others["share_label"]) == {1.0}
    assert found["kind"].value_counts().to_dict() == {OWN: 1, CHILD: EACH // 2 - 1}


def test_no_absorbed_word_is_an_empty_table_with_the_same_columns() -> None:
    none = absorbers(study(), full().assign(absorbed=False))
    assert none.empty
    assert list(none) == list(absorbers(study(), full()))


def test_the_gate_counts_the_classes_that_the_main_latent_misses() -> None:
    table = gate_table(study(), {"animal": [0], "tool": [1]}, THRESHOLDS).set_index("letter")
    assert table["recall"].to_dict() == pytest.approx({"animal": 2 / 3, "tool": 1.0})
    assert list(gate_table(study(), {"tool": [1]}, THRESHOLDS)["letter"]) == ["tool"]


def test_depth_is_compared_within_labels_only() -> None:
    # Label b lies deeper and has more absorption; within each label a step adds exactly .1.
    table = pd.DataFrame(
        [
            (label, step, base + 0.1 * step)
            for label, base in (("a", 0.0), ("b", 0.5))
            for step in (1, 2, 3) * 20
        ],
        columns=["label", "steps", "value"],
    )
    table.loc[table["label"] == "b", "steps"] += 3
    table["null"] = 0.25
    slope = slope_by_depth(table)
    falling = slope_by_depth(table.assign(null=0.15 * table["steps"]))  # the null rises faster than the rate
    assert falling.value == pytest.approx(0.1 - 0.15)
    assert falling.high < 0
    assert slope.value == pytest.approx(0.1)
    assert (slope.low, slope.high) == pytest.approx((0.1, 0.1))
    by_bin = rate_by_depth(table).set_index("steps")
    assert by_bin["words"].to_dict() == {"1-2": 40, "3": 20, "4": 20, "5 and more": 40}
    assert by_bin.loc["3", "value"] == pytest.approx(0.3)
    assert by_bin.loc["5 and more", "value"] == pytest.approx(0.75)
    assert (by_bin["null"] == 0.25).all()
    none = rate_by_depth(table.assign(value=0.0)).set_index("steps")
    assert none.loc["3", "high"] == pytest.approx(1.96**2 / (20 + 1.96**2), rel=1e-3)


def test_depth_says_nothing_where_all_words_lie_equally_deep() -> None:
    table = pd.DataFrame({"label": ["a"] * 9, "steps": 2.0, "value": 1.0, "null": 0.0})
    assert np.isnan(slope_by_depth(table).value)
    assert np.isnan(slope_by_depth(table.iloc[:0]).value)

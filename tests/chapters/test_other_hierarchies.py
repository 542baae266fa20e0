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
from absorption.chapters.other_hierarchies.absorbed import by_meaning, share_of_children
from absorption.chapters.other_hierarchies.basis import Hierarchies
from absorption.chapters.other_hierarchies.control import Control
from absorption.chapters.other_hierarchies.rates import _correlate
from absorption.chapters.settings import HierarchySettings
from absorption.claims.records import record_table
from absorption.concepts import concept as concepts
from absorption.concepts.absorbers import CHILD, OWN
from absorption.concepts.concept import Concept
from absorption.concepts.control import CENTRED, RAW, under_protocols
from absorption.concepts.excess import mean_nulls
from absorption.concepts.measure import UNABLE, Measured, Skill
from absorption.definitions.nulls import RANDOM, WRONG
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.one_sae.summary import measure_absorption
from absorption.probes.words import REFERENCE

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


def renamed(name: str, *, found_none: bool = False, n_candidates: int | None = None) -> Measured:
    """The planted concept under another name, with nothing absorbed or another number of candidates."""
    mine = found().measured[0]
    assert mine.found is not None
    judged, rates = mine.found.judged, mine.found.rates
    if found_none:
        judged = judged.assign(absorbed=False, value=0.0)
    if n_candidates is not None:
        rates = rates.assign(n_candidates=np.where(rates["letter"] == "animal", n_candidates, 0))
    about = replace(mine.concept, name=name)
    return replace(mine, concept=about, found=replace(mine.found, judged=judged, rates=rates))


def beside_of(*measured: Measured) -> Any:
    return chapter.set_beside_nulls(Hierarchies(measured, pd.DataFrame()), settings())


def verdicts(findings: Any) -> dict[str, str]:
    known: dict[str, Any] = {}
    for _, parts in findings.claims().groupby("claim", sort=False):
        known |= record_table(settings(), parts, known)
    return known


def test_first_letters_minus_last_letters_is_the_difference_of_what_is_above_the_nulls() -> None:
    beside = beside_of(renamed(concepts.FIRST), renamed(concepts.LAST, found_none=True))
    first, last = beside.above[concepts.FIRST], beside.above[concepts.LAST]
    assert beside.difference.value == pytest.approx(RATE)  # the null is one and the same
    assert beside.difference.low == pytest.approx(
        RATE - ((first.value - first.low) ** 2 + (last.high - last.value) ** 2) ** 0.5
    )
    assert np.isnan(beside_of(renamed(concepts.FIRST)).difference.value)


def test_too_few_candidates_are_shown_and_not_judged() -> None:
    beside = beside_of(renamed(concepts.FIRST), renamed(concepts.LAST, found_none=True, n_candidates=9))
    assert set(beside.table["concept"]) == {concepts.FIRST, concepts.LAST}
    assert beside.numbers()["too_few"] == concepts.LAST
    assert verdicts(beside)["other_hierarchies_last_letter"] == "not measured"
    assert np.isnan(beside.difference.value)
    full = beside.table[beside.table["definition"] == FULL_ABSORPTION].set_index("concept")
    assert np.isnan(full.loc[concepts.LAST, "p_holm"])
    assert full.loc[concepts.FIRST, "p_holm"] == pytest.approx(full.loc[concepts.FIRST, "p"])  # the only test


def test_a_concept_in_which_nothing_is_found_has_an_interval_with_a_width() -> None:
    beside = beside_of(renamed(concepts.LAST, found_none=True))
    full = beside.table[beside.table["definition"] == FULL_ABSORPTION].iloc[0]
    n = len(study().words.right)  # two labels of one size: as of all words together
    assert (full["rate"], full["low"]) == (0.0, 0.0)
    assert full["high"] == pytest.approx(1.96**2 / (n + 1.96**2), rel=1e-4)
    assert beside.above[concepts.LAST].high > beside.above[concepts.LAST].value


def test_nothing_is_refuted_where_first_letters_are_not_found() -> None:
    refuted = Estimate(-0.2, -0.3, -0.1)
    beside = beside_of(renamed(concepts.FIRST), renamed(concepts.LAST))
    missed = replace(beside, above={concepts.FIRST: refuted, concepts.LAST: refuted})
    assert verdicts(missed)["hierarchies_control"] == "not reproduced"
    assert verdicts(missed)["other_hierarchies_last_letter"] == "unclear"
    hit = replace(beside, above={concepts.FIRST: Estimate(0.2, 0.1, 0.3), concepts.LAST: refuted})
    assert verdicts(hit)["other_hierarchies_last_letter"] == "not reproduced"


def test_the_rank_correlation_is_the_hand_computed_one() -> None:
    value, chance = _correlate([1, 2, 3, 4], [0.1, 0.2, 0.9, 0.3], seed=0)
    assert value == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert chance == pytest.approx(8 / 24, abs=0.04)  # of 24 orders 4 have .8 or more, and 4 -.8 or less


def test_the_control_is_repeated_by_other_protocols() -> None:
    table = under_protocols(renamed(concepts.FIRST), [("converged", False), ("converged", True)])
    own = beside_of(renamed(concepts.FIRST)).table.set_index("definition").loc[FULL_ABSORPTION]
    first = table.iloc[0]
    for name in ("rate", "low", "high", "wrong", "random", "above", "above_low", "above_high"):
        assert first[name] == pytest.approx(own[name]), name
    assert table["projections"].tolist() == ["as they are", "centred"]
    assert first["candidates"] == EACH // 2
    assert first["total"] > table["total"].iloc[1]  # the mean word has a part of both labels' directions
    control = chapter.vary_control(found(), settings())  # without first letters
    assert control.table.empty
    numbers = control.numbers()
    assert (numbers["control_above"], numbers["control_not_above"]) == ("none", "none")
    assert numbers["control_by_centring"] == "(not measured)"


def test_what_each_choice_of_the_control_changes_is_a_mean_over_the_other() -> None:
    rows = [("mine", CENTRED, 0.0, -0.01), ("mine", RAW, 0.02, 0.01),
            (REFERENCE, CENTRED, -0.02, -0.03), (REFERENCE, RAW, 0.06, 0.05)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["direction", "projections", "above", "above_low"])
    numbers = Control(table, "mine").numbers()
    assert numbers["control_by_centring"] == "+0.050"  # .04 less -.01
    assert numbers["control_by_direction"] == "+0.010"  # .02 less .01
    assert numbers["control_above"] == f"mine, {RAW}; {REFERENCE}, {RAW}"


def absorbed_rows(*rows: tuple[str, int, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["concept", "latent", "kind"])
    return table.assign(definition=FULL_ABSORPTION)


def test_latents_are_resampled_and_not_the_many_words_of_one() -> None:
    # 20 words of one child and 10 words of ten other latents: by word 2 of 3 is sure, by latent it is not.
    rows = [(concepts.KIND, 1, CHILD)] * 20 + [(concepts.KIND, 2 + n, OWN) for n in range(10)]
    share = share_of_children(absorbed_rows(*rows))
    assert share.value == pytest.approx(2 / 3)
    assert share.low == 0.0  # the one child is not drawn in a third of the resamples
    all_children = share_of_children(absorbed_rows(*[(concepts.KIND, n, CHILD) for n in range(8)]))
    assert (all_children.value, all_children.low) == (1.0, pytest.approx(8 / (8 + 1.96**2), rel=1e-3))
    assert np.isnan(share_of_children(absorbed_rows()).value)


def test_only_shipped_concepts_count_as_by_meaning() -> None:
    rows = [(concepts.KIND, 1, CHILD), ("mine", 1, CHILD), (concepts.SUFFIX, 2, CHILD)]
    assert by_meaning(absorbed_rows(*rows))["concept"].tolist() == [concepts.KIND]


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

"""The null is the same rule under another direction; a planted absorber is above it, and no absorber is not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.planted_model import KINDS, planted
from tests.planted_model import planted_engine as engine
from tests.planted_model import planted_evidence as evidence

from absorption.ablation.effects import all_effects
from absorption.ablation.labels import label_words
from absorption.base.statistics import holm
from absorption.definitions.apply import (
    apply_ablation_rule,
    apply_definitions,
    apply_projection_rules,
    null_effects,
)
from absorption.definitions.evidence import Evidence
from absorption.definitions.gate import gate
from absorption.definitions.nulls import (
    RANDOM,
    WRONG,
    Null,
    null_by_effects,
    null_by_projection,
    null_directions,
    values_by_projection,
)
from absorption.definitions.rates import MEAN, absorption_rates, not_above
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds

PUBLISHED = Thresholds()


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("per_letter", [1, 100])
def test_words_whose_effects_are_known_get_the_same_labels_without_a_further_pass(
    per_letter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(engine: Any, csr: torch.Tensor, words: torch.Tensor, *given: Any, **how: Any) -> Any:
        asked.append(len(words))
        return label_words(engine, csr, words, *given, **how)

    monkeypatch.setattr(import_module("absorption.definitions.apply"), "label_words", counted)
    few = replace(PUBLISHED, max_candidates=2)
    known = null_effects(engine(), evidence(), per_letter=per_letter)
    how: Any = {"mean_metric": 6.0, "every_effect": False}
    plain = apply_definitions(engine(), evidence(), few, **how)
    shared = apply_definitions(engine(), evidence(), few, known=known, **how)
    names = ["definition", "word", "letter", "candidate", "judged", "absorbed", "value"]
    pd.testing.assert_frame_equal(shared[names], plain[names], check_exact=True)
    n = int(evidence().chosen(2, 0).sum())
    ablated = plain.loc[plain["judged"] & (plain["definition"] == ABLATION), "word"]
    assert asked == [n, int((~ablated.isin(known["word"])).sum())]
    assert shared["absorbed"].sum() > 0


def random_evidence(seed: int = 0) -> Evidence:
    """Words, latents and main latents at random, so that every clause of every rule decides somewhere."""
    g = torch.Generator().manual_seed(seed)
    n, d, n_latents = 300, 12, 40
    acts = torch.randn(n, d, generator=g)
    csr = torch.relu(torch.randn(n, n_latents, generator=g) - 0.8).to_sparse_csr()
    unit = torch.nn.functional.normalize(torch.randn(26, d, generator=g), dim=1)
    return Evidence(
        csr=csr,
        letters=torch.arange(n) % 26,
        words=torch.arange(0, n, 2),
        train=torch.arange(1, n, 2),
        acts=acts,
        directions=unit,
        decoder=torch.randn(n_latents, d, generator=g) * torch.rand(n_latents, 1, generator=g),
        main={letter: [number, 39 - number // 2] for number, letter in enumerate(KINDS)},
    )


def values_of(table: pd.DataFrame, definition: str) -> np.ndarray:
    return table.loc[table["definition"] == definition, "value"].to_numpy()


@cache
def random_effects() -> pd.DataFrame:
    """Effects of all active latents of the random words' candidates."""
    mine = random_evidence()
    rng = np.random.default_rng(0)
    rows = [
        (int(word), int(latent), rng.normal())
        for word, on, off in zip(mine.words.tolist(), mine.active_latents, mine.main_off, strict=True)
        for latent in on.latents
        if off
    ]
    return pd.DataFrame(rows, columns=["word", "latent", "effect"])


@pytest.mark.parametrize(("kind", "centred"), [(WRONG, False), (RANDOM, False), (RANDOM, True)])
def test_every_draw_of_the_null_is_the_rule_itself_with_the_direction_exchanged(
    kind: str, centred: bool
) -> None:
    mine, thresholds = replace(random_evidence(), centred=centred), Thresholds(min_lead=0.3)
    by_projection = null_by_projection(mine, thresholds, seed=5)
    by_effects = null_by_effects(mine, random_effects(), thresholds, {ABLATION: 0.3}, seed=5)
    drawn = null_directions(mine.directions, seed=5)[kind]
    found = {ABLATION: 0.0, FULL_ABSORPTION: 0.0, FRACTION: 0.0}
    for number, directions in enumerate(drawn):
        exchanged = replace(mine, directions=directions)
        expected = apply_projection_rules(exchanged, thresholds)
        for definition in (FULL_ABSORPTION, FRACTION):
            values = by_projection.values[definition][kind][number]
            np.testing.assert_allclose(values, values_of(expected, definition), atol=1e-6)
            found[definition] += values.sum()
        table = apply_ablation_rule(exchanged, random_effects(), thresholds, 0.3)
        np.testing.assert_array_equal(by_effects.values[ABLATION][kind][number], values_of(table, ABLATION))
        assert (by_effects.judged[ABLATION] == table["judged"]).all()
        found[ABLATION] += values_of(table, ABLATION).sum()
    assert min(found.values()) > 5


def test_under_the_letters_own_directions_the_values_are_the_rates() -> None:
    mine = random_evidence(1)
    values = values_by_projection(mine, mine.directions[None], PUBLISHED)
    expected = apply_projection_rules(mine, PUBLISHED)
    for definition in (FULL_ABSORPTION, FRACTION):
        np.testing.assert_allclose(values[definition][0], values_of(expected, definition), atol=1e-6)


def test_wrong_letters_are_every_other_letter_once_and_random_directions_follow_from_the_seed() -> None:
    directions = torch.eye(26)
    drawn = null_directions(directions, seed=3)
    turned = drawn[WRONG]
    assert turned.shape == (25, 26, 26)
    assert (turned.argmax(dim=2) != torch.arange(26)).all()
    assert all(sorted([*turned[:, i].argmax(dim=1).tolist(), i]) == list(range(26)) for i in range(26))
    assert drawn[RANDOM].shape == (20, 26, 26)
    torch.testing.assert_close(drawn[RANDOM].norm(dim=2), torch.ones(20, 26))
    torch.testing.assert_close(null_directions(directions, seed=3)[RANDOM], drawn[RANDOM])
    assert not torch.allclose(null_directions(directions, seed=4)[RANDOM], drawn[RANDOM])


# --- planted truth ------------------------------------------------------------------------------------------


@cache
def planted_rates() -> pd.DataFrame:
    """Rates of every letter of the planted SAE beside their nulls."""
    candidates = evidence().words[torch.from_numpy(evidence().main_off)]
    effects = all_effects(engine(), evidence().csr, candidates, progress=False)
    table = [
        apply_ablation_rule(evidence(), effects, PUBLISHED, 1.0),
        apply_projection_rules(evidence(), PUBLISHED),
    ]
    null = null_by_effects(evidence(), effects, PUBLISHED, {ABLATION: 1.0}) | null_by_projection(
        evidence(), PUBLISHED
    )
    tables = [
        absorption_rates(pd.concat(table), letters=[c for c in KINDS if KINDS[c] == kind], null=null)
        for kind in ("full", "none")
    ]
    return pd.concat([t.assign(kind=kind) for t, kind in zip(tables, ("full", "none"), strict=True)])


def test_where_every_word_has_a_main_latent_on_the_null_judges_no_word() -> None:
    candidates = evidence().words[torch.from_numpy(evidence().main_off)]
    effects = all_effects(engine(), evidence().csr, candidates[:2], progress=False)
    null = null_by_effects(evidence(), effects.iloc[:0], PUBLISHED, {ABLATION: 1.0})
    assert not null.judged[ABLATION].any()
    for kind in (WRONG, RANDOM):
        assert not null.values[ABLATION][kind].any()
        assert null.values[ABLATION][kind].shape[1] == len(evidence().words)


@pytest.mark.parametrize("definition", [ABLATION, FULL_ABSORPTION, FRACTION])
def test_a_planted_absorber_is_above_its_null_and_an_sae_that_absorbs_nothing_is_not(definition: str) -> None:
    means: Any = planted_rates().query("letter == @MEAN and definition == @definition").set_index("kind")
    assert means.loc["full", "rate"] == pytest.approx(0.1)  # four of forty words a letter
    assert means.loc["full", "null"] < 0.05
    assert means.loc["full", "p"] < 0.05
    assert means.loc["none", "rate"] == 0
    assert means.loc["none", "p"] == 1
    assert (means["null_low"] <= means["null"]).all()
    assert (means["null"] <= means["null_high"]).all()


def test_a_rate_with_its_own_directions_as_null_is_not_above_it() -> None:
    """The test must not find absorption where the null is the rate itself."""
    mine = evidence()
    values = values_by_projection(mine, mine.directions[None], PUBLISHED)
    null = Null(
        {FULL_ABSORPTION: {RANDOM: values[FULL_ABSORPTION]}},
        {FULL_ABSORPTION: np.ones(len(mine.words), dtype=bool)},
    )
    table = apply_projection_rules(mine, PUBLISHED).query("definition == @FULL_ABSORPTION")
    mean: Any = absorption_rates(table, letters=[c for c in KINDS if KINDS[c] == "full"], null=null).iloc[-1]
    assert mean["rate"] == mean["null"] == pytest.approx(0.1)
    assert mean["p"] == 1


def test_a_rate_is_above_its_null_in_the_resamples_in_which_it_is_larger() -> None:
    null = np.array([[0.0, 0.1], [0.0, 0.1], [0.2, 0.3], [0.1, 0.2]])
    assert not_above(np.array([0.1, 0.2, 0.25, 0.2]), null) == 3 / 8  # equal counts against it
    assert not_above(np.array([0.1, 0.2, np.nan, 0.2]), null) == 2 / 6  # no rate, no test
    assert not_above(np.full(4, 9.0), null) == 1 / 5  # no less than one in n + 1 resamples


# --- several SAEs -------------------------------------------------------------------------------------------


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([0.01, np.nan, 0.02])) == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)


# --- the gate -----------------------------------------------------------------------------------------------


def test_the_gate_on_a_hand_made_sae() -> None:
    """Ten training words of a, ten of b, twenty of c; one row further on is a test word and not looked at."""
    acts, labels = torch.zeros(41, 4), torch.zeros(41, 3, dtype=torch.bool)
    labels[:10, 0] = labels[10:20, 1] = labels[20:, 2] = True
    acts[:3, 0] = acts[3:6, 1] = 1.0  # a: two latents find three words each
    acts[10:14, 2] = 1.0  # b: four of ten words
    acts[:40, 3] = 1.0  # c: on everywhere
    acts[40] = 1.0
    table = gate(
        acts.to_sparse_csr(), labels, torch.arange(40), {"a": [0, 1], "b": [2], "c": [3]}, PUBLISHED, "abc"
    ).set_index("letter")
    assert table["recall"].tolist() == pytest.approx([0.6, 0.4, 1.0])
    assert table["precision"].tolist() == pytest.approx([1.0, 1.0, 0.5])
    assert table["prevalence"].tolist() == pytest.approx([0.25, 0.25, 0.5])
    assert table["valid"].tolist() == [True, False, False]
    lower = replace(PUBLISHED, min_main_recall=0.4, min_main_lift=1.0)
    again = gate(acts.to_sparse_csr(), labels, torch.arange(40), {"a": [0], "b": [2], "c": [3]}, lower, "abc")
    assert again["valid"].tolist() == [False, True, True]


def test_the_mean_is_over_valid_letters_with_all_letters_beside() -> None:
    letters = [letter for letter in KINDS if KINDS[letter] in ("full", "none")]
    valid = [letter for letter in KINDS if KINDS[letter] == "full"]
    table = apply_projection_rules(evidence(), PUBLISHED).query("definition == @FULL_ABSORPTION")
    mean: Any = absorption_rates(table, letters=letters, valid=valid).set_index("letter").loc[MEAN]
    assert mean["rate"] == pytest.approx(0.1)
    assert mean["all_letters"] == pytest.approx(0.1 * len(valid) / len(letters))
    assert mean["valid"] == f"{len(valid)} of {len(letters)}"
    nobody: Any = absorption_rates(table, letters=letters, valid=[]).set_index("letter").loc[MEAN]
    assert np.isnan(nobody["rate"])
    assert nobody["all_letters"] == mean["all_letters"]


def test_the_planted_letters_pass_the_gate_and_a_latent_that_fires_on_few_of_its_words_does_not() -> None:
    labels = torch.nn.functional.one_hot(evidence().letters, 26).bool()
    everyone = torch.arange(len(planted().words))
    assert gate(evidence().csr, labels, everyone, evidence().main, PUBLISHED)["valid"].all()
    child = {**evidence().main, "a": [planted().latent("child", "a", 0)]}
    table = gate(evidence().csr, labels, everyone, child, PUBLISHED).set_index("letter")
    assert not table.loc["a", "valid"]
    assert table["valid"].sum() == 25

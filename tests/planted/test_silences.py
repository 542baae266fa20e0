"""The planted SAEs for the rules of silence are what they say, and each rule finds in them what it can."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from tests.settings_of import settings_of

from absorption.chapters import is_the_metric_right as metric
from absorption.chapters.is_the_metric_right.silence import NOT_ASKED, UnderSilences, scores_by_silence
from absorption.chapters.settings import PlantedMetricSettings
from absorption.definitions.rules import ABLATION, FULL_ABSORPTION, MAIN_LEADS
from absorption.definitions.silence import AT_ZERO, CALIBRATED, PUBLISHED
from absorption.latents.sparse import ACTIVE, encode_words
from absorption.planted.alphabet import FAINT, P_BACKGROUND
from absorption.planted.cases import CARRIED_WEAKLY, LEAK, SILENCE_CASES, four_word_families, silence_cases
from absorption.planted.saes import N_LEAKS, OFF
from absorption.planted.study import PlantedStudy, study_case

PLAIN = four_word_families()
LOOSE = "share up to 0.3"
SETTINGS = settings_of(
    PlantedMetricSettings, n_words=200, d_model=256, carried=[1.0], family_shares=[0.05], strengths=[2.0],
    small_halves=[0.5],
)  # fmt: skip


@cache
def studies() -> dict[str, PlantedStudy]:
    return {case.name: study_case(case) for case in silence_cases(PLAIN)}


@cache
def found() -> UnderSilences:
    return UnderSilences(scores_by_silence(list(studies().values())))


def letter_latents(name: str) -> torch.Tensor:
    """Activation of every letter's latent at every word."""
    case = studies()[name].case
    numbers = [number for number, latent in enumerate(case.latents) if latent.role == "letter"]
    return encode_words(case.sae(), case.alphabet.acts).dense(torch.tensor(numbers))


def at(definition: str, case: str, silence: str, column: str) -> float:
    table: Any = found().scores.set_index(["definition", "case", "silence"])
    return float(table.loc[(definition, case, silence), column])


def test_the_cases_are_those_that_are_named_and_the_first_three_absorb() -> None:
    table = metric.silence_case_table(SETTINGS)
    assert table["case"].tolist() == list(SILENCE_CASES) == list(studies())
    assert table["absorbed"].tolist() == [26 * 2 * 6] * 3 + [0]
    assert table["carried"].tolist() == pytest.approx([1.0, CARRIED_WEAKLY, CARRIED_WEAKLY, 0.0])


def test_a_leaking_latent_is_on_by_the_leak_for_each_background_feature_that_it_reads() -> None:
    acts, alphabet = letter_latents("leaky"), studies()["leaky"].case.alphabet
    leaks = alphabet.features[:, alphabet.background(0) : alphabet.background(N_LEAKS)].sum(dim=1)
    other = alphabet.words["letter"].to_numpy() != "a"
    expected = (LEAK * leaks + OFF).clamp_min(0)
    assert torch.allclose(acts[other, 0], expected[other], atol=1e-3)
    share = float((acts[other, 0] > 0.01).float().mean())
    assert abs(share - (1 - (1 - P_BACKGROUND) ** N_LEAKS)) < 0.03  # "about half"


def test_the_letter_s_latent_is_weakly_on_where_families_carry_four_fifths() -> None:
    acts, words = letter_latents("weakly on"), studies()["weakly on"].case.alphabet.words
    letter = studies()["weakly on"].case.alphabet.features[:, 0]
    mine = torch.from_numpy(((words["letter"] == "a") & words["family"].isin((0, 1))).to_numpy())
    assert torch.allclose(acts[mine, 0], (letter[mine] - CARRIED_WEAKLY + OFF).clamp_min(0), atol=1e-3)
    assert 0.1 < float(acts[mine, 0].mean()) < 0.3


def test_a_leak_hides_absorbed_words_from_the_published_rule_and_not_from_the_calibrated_one() -> None:
    for definition in (ABLATION, FULL_ABSORPTION):
        published, calibrated = (at(definition, "leaky", rule, "recall") for rule in (AT_ZERO, CALIBRATED))
        assert published < 0.5 < 0.8 < calibrated
        assert at(definition, "leaky", CALIBRATED, "precision") == 1


def test_on_clean_latents_calibration_is_the_published_rule_and_only_a_share_sees_partial_absorption() -> (
    None
):
    one = studies()["weakly on"]
    _, calibrated, *_ = one.silences()
    assert {level for mine in calibrated.levels.values() for level in mine.values()} == {ACTIVE}
    same = [one.apply_definitions(silence=rule)["absorbed"].sum() for rule in (PUBLISHED, calibrated)]
    assert same[0] == same[1]
    assert (
        at(ABLATION, "weakly on", AT_ZERO, "recall") == at(ABLATION, "weakly on", CALIBRATED, "recall") < 0.1
    )
    assert at(ABLATION, "weakly on", LOOSE, "recall") > 0.8


def test_faint_words_are_candidates_of_the_calibrated_rule_and_no_one_s_absorbed_words() -> None:
    """Their letter is at ``FAINT``, no stronger than three leaks, so that the level lies above it."""
    one = studies()["leaky, faint"]
    _, calibrated, *_ = one.silences()
    first = [calibrated.levels[letter][mine[0]] for letter, mine in one.evidence.main.items()]
    assert np.median(first) > FAINT
    table = one.apply_definitions(definitions=[FULL_ABSORPTION], silence=calibrated)
    assert table["candidate"].sum() > 20
    assert (table.loc[table["candidate"], "reason"] == MAIN_LEADS).all()
    assert at(FULL_ABSORPTION, "leaky, faint", CALIBRATED, "false_rate") == 0


def test_every_case_is_scored_under_every_rule_and_the_fraction_once() -> None:
    assert len(found().scores) == 4 * (4 * 2 + 1)
    assert (found().scores["silence"] == NOT_ASKED).sum() == 4
    assert found().shown["case"].unique().tolist() == list(SILENCE_CASES)
    numbers = found().numbers()
    assert numbers["calibrated_leaky"] == f"{at(ABLATION, 'leaky', CALIBRATED, 'recall'):.0%}"
    assert numbers["off_leaky_faint"] == f"{at(ABLATION, 'leaky, faint', AT_ZERO, 'false_rate'):.0%}"
    assert numbers["newly_fooled"] == 0


def test_a_rule_that_is_fooled_where_the_published_one_is_not_is_counted() -> None:
    table = found().scores
    here = (table["case"] == "leaky, faint") & (table["definition"] == ABLATION)
    fooled = table.assign(
        false_rate_low=table["false_rate_low"].where(~(here & (table["silence"] == LOOSE)), 0.5)
    )
    assert UnderSilences(fooled).newly_fooled == 1
    everywhere = table.assign(false_rate_low=table["false_rate_low"].where(~here, 0.5))
    assert UnderSilences(everywhere).newly_fooled == 0

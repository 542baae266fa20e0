"""Chapter 5 under the rules of silence, on planted words whose main latents are known to be clean or weak."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.planted_model import GAIN
from tests.planted_study import mine, true_evidence
from tests.settings_of import settings_of

from absorption import definitions
from absorption.chapters import absorption as chapter
from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.silence import ASKING, BySilence, by_silence
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.beside_null import label_with_null
from absorption.definitions.calibration import silences
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import ABLATION, FULL_ABSORPTION
from absorption.definitions.silence import AT_ZERO, CALIBRATED, share_silence
from absorption.definitions.thresholds import Thresholds
from absorption.one_sae.by_silence import full_by_silence
from absorption.one_sae.summary import measure_absorption
from absorption.probes.words import CONVERGED

pytestmark = pytest.mark.usefixtures("own_cache")

SETTINGS = settings_of(
    AbsorptionSettings, min_lead=1.5, max_candidates=30, scale_words=60, baseline_words=3, text_tokens=0
)
NEAR = Thresholds(min_lead=0.5)
"""Partial absorbers lead by a fifth of ``GAIN``."""
LOOSE = share_silence(0.45)


@pytest.fixture(scope="module")
def basis() -> Basis:
    found = chapter.prepare_basis([mine()], SETTINGS)
    return replace(found, evidence=true_evidence())


def test_weak_main_latents_add_candidates_that_are_absorbed_and_clean_ones_none(basis) -> None:
    assert basis.scale.value == pytest.approx(GAIN, rel=0.05)
    rates = by_silence(basis, NEAR, [*silences(basis.evidence)[:2], LOOSE])
    t: Any = rates[rates["letter"] == "t"].set_index(["silence", "definition"])
    for definition in (ABLATION, FULL_ABSORPTION):
        for clean in (AT_ZERO, CALIBRATED):
            assert t.loc[(clean, definition), ["share_candidates", "rate"]].tolist() == [0, 0]
        row = t.loc[(LOOSE.name, definition)]
        assert row["share_candidates"] == row["rate"] > 0
        assert row["share_absorbed"] == 1
    assert set(rates["definition"]) == set(ASKING)


def test_the_published_row_is_the_rate_that_the_definitions_give(basis) -> None:
    rates = by_silence(basis, NEAR, silences(basis.evidence)[:1])
    words, _ = label_with_null(
        basis.engine, basis.evidence, NEAR, mean_metric=basis.scale.value, per_letter=1
    )
    alone = definitions.absorption_rates(
        words, letters=basis.letters, valid=basis.valid, stems=mine().words.stems
    )
    for definition in ASKING:
        both = [
            table[(table["letter"] == MEAN) & (table["definition"] == definition)].iloc[0]
            for table in (rates, alone)
        ]
        assert both[0][["rate", "low", "high"]].tolist() == both[1][["rate", "low", "high"]].tolist()


def test_the_step_tells_the_two_factors_of_each_rule(basis) -> None:
    found = chapter.apply_under_every_silence(basis, SETTINGS)
    assert isinstance(found, BySilence)
    assert len(found.means) == 4 * len(ASKING)
    product = found.means["share_candidates"] * found.means["share_absorbed"]
    assert product.to_numpy() == pytest.approx(found.means["rate"].to_numpy())
    told = found.numbers()
    assert told["silent_published"] == told["silent_calibrated"]
    assert told["tau_m"] == "0.1 and 0.3"


def test_the_one_sae_page_has_full_absorption_under_each_rule_and_the_published_row_is_the_pages_rate() -> (
    None
):
    found = measure_absorption(mine(), NEAR, probe=CONVERGED, ablate=False)
    table: Any = full_by_silence(mine(), found, NEAR).set_index("silence")
    own = found.rates[(found.rates["letter"] == MEAN) & (found.rates["definition"] == FULL_ABSORPTION)].iloc[
        0
    ]
    columns = ["rate", "low", "high", "null", "p", "valid"]
    assert table.loc[AT_ZERO, columns].tolist() == own[columns].tolist()
    assert list(table.index) == [AT_ZERO, CALIBRATED, "share up to 0.1", "share up to 0.3"]
    assert table.loc[CALIBRATED, columns].tolist() == own[columns].tolist()  # planted main latents are clean

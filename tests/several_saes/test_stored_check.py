"""Measuring again: the same numbers pass, others do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.planted_model import planted
from tests.several_saes.made_up import LEAD, MEMBERS, PARAMETERS, UNSHIPPED

from absorption import definitions, one_sae, several_saes
from absorption.base import sums
from absorption.one_sae import summary
from absorption.probes.fit import ProbeSet
from absorption.probes.words import ProbedWords
from absorption.several_saes import by_projection, stored_check, stored_numbers
from absorption.several_saes import numbers as report_numbers
from absorption.several_saes.by_projection import rates_by_projection
from absorption.several_saes.quantities import PRECISION

GIVEN = {**PARAMETERS, "max_candidates": 5, "per_letter": 2, "seed": 1, "n_words": 900, "n_sets": 3}
"""What the stored numbers of these tests are said to be measured with."""


def planted_words(seed: int) -> one_sae.StudyWords:
    """Every second planted word is a test word; the probes are the letters' own features."""
    truth = planted()
    split = np.where(np.arange(len(truth.words)) % 2 == 0, "test", "train")
    probes = ProbeSet(weights=truth.directions, biases=torch.full((26,), -0.5))
    probed = ProbedWords(truth.words.assign(split=split), truth.features, probes, GIVEN["probe"])
    return one_sae.StudyWords(truth.model, truth.prompts, probed, seed)


@pytest.fixture(scope="module", autouse=True)
def cache_of_these_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ABSORPTION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    """The planted SAE's numbers, measured apart from the check with the parameters of ``GIVEN``."""
    mine = one_sae.study_saes(planted_words(GIVEN["seed"]), [planted().sae])[0]
    effects = summary.measure_effects(
        mine, definitions.Thresholds(max_candidates=5), per_letter=2, probe=GIVEN["probe"], seed=1
    )
    return report_numbers.summary({"base": report_numbers.numbers(mine, effects)})


@pytest.fixture
def planted_instead(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Loading gives the planted SAE and words: what is measured on them is real. Lists what was asked for."""
    asked: list[Any] = []

    def prepare(lm: object, hook: str, *, n_words: int, n_sets: int, seed: int) -> one_sae.StudyWords:
        asked.append((hook, n_words, n_sets, seed))
        return planted_words(seed)

    monkeypatch.setattr(
        stored_check, "load_sae", lambda release, name, lm: asked.append(name) or planted().sae
    )
    monkeypatch.setattr(stored_check.one_sae, "prepare_words", prepare)
    return asked


def stored(table: pd.DataFrame, **parameters: Any) -> stored_numbers.SaeFamily:
    return stored_numbers.SaeFamily(table, pd.DataFrame(), {"base": {"parameters": {**GIVEN, **parameters}}})


def again(family_: stored_numbers.SaeFamily) -> pd.DataFrame:
    return several_saes.again(family_, ["base"], lm=None)  # type: ignore[arg-type]


def test_numbers_measured_again_with_the_stored_parameters_are_the_same(
    measured: pd.DataFrame, planted_instead: list[Any]
) -> None:
    table: Any = again(stored(measured))
    assert planted_instead == ["base", (planted().sae.hook_name, 900, 3, 1)]
    assert len(table) == len(measured) > 30
    assert set(table["quantity"]) == set(measured["quantity"])
    assert not table[["difference", "ends"]].any(axis=None)
    assert 0 < table.set_index("quantity").loc[LEAD, "now"] < 1


@pytest.mark.parametrize(("column", "off"), [("value", 0.9), ("value", 1.1), ("high", 1.1)])
def test_a_stored_number_may_be_off_by_the_tolerance_and_not_by_more(
    measured: pd.DataFrame, planted_instead: list[Any], column: str, off: float
) -> None:
    table = measured.copy()
    table.loc[table["quantity"] == PRECISION, column] += off * stored_check.TOLERANCE
    if off < 1:
        assert len(again(stored(table))) == len(measured)
        return
    with pytest.raises(
        several_saes.StaleNumbersError, match=f"1 stored numbers come out differently.*{PRECISION}"
    ):
        again(stored(table))


def test_a_number_that_is_no_longer_measured_is_refused(
    measured: pd.DataFrame, planted_instead: list[Any]
) -> None:
    with_one_more = pd.concat([measured, measured.iloc[:1].assign(quantity="not measured any more")])
    with pytest.raises(several_saes.StaleNumbersError, match="not measured any more"):
        again(stored(with_one_more))


@pytest.mark.parametrize(("parameter", "value"), [("max_candidates", 1), ("per_letter", 1), ("seed", 7)])
def test_another_parameter_than_the_stored_one_gives_other_numbers(
    measured: pd.DataFrame, planted_instead: list[Any], parameter: str, value: int
) -> None:
    with pytest.raises(several_saes.StaleNumbersError, match="come out differently"):
        again(stored(measured, **{parameter: value}))


@pytest.mark.parametrize(
    ("column", "shift", "difference", "ends"),
    [("value", 0.02, 0.02, 0.0), ("low", -0.03, 0.0, 0.03), ("high", 0.04, 0.0, 0.04)],
)
def test_the_check_compares_a_number_and_both_ends_of_its_interval(
    data: Path, column: str, shift: float, difference: float, ends: float
) -> None:
    stored = several_saes.read_sae_family().numbers.query("sae == 'base'")
    row = stored["quantity"] == LEAD
    now = stored.assign(**{column: stored[column].where(~row, stored[column] + shift)})
    table: Any = stored_check.beside_now(stored, now).set_index("quantity")
    assert table.loc[LEAD, "difference"] == pytest.approx(difference)
    assert table.loc[LEAD, "ends"] == pytest.approx(ends)
    assert not table.drop(LEAD)[["difference", "ends"]].any(axis=None)
    gone: Any = stored_check.beside_now(stored, now[~row]).set_index("quantity")
    assert np.isnan([gone.loc[LEAD, "difference"], gone.loc[LEAD, "ends"]]).all()


def test_a_rate_that_is_missing_both_times_is_the_same_and_one_that_appears_is_not(data: Path) -> None:
    stored = several_saes.read_sae_family().numbers.query("sae == 'base'").copy()
    row = stored["quantity"] == LEAD
    without = stored.copy()
    without.loc[row, ["value", "low", "high"]] = np.nan
    same: Any = stored_check.beside_now(without, without).set_index("quantity")
    assert same.loc[LEAD, ["difference", "ends"]].tolist() == [0.0, 0.0]
    for one, other in ((without, stored), (stored, without)):
        table: Any = stored_check.beside_now(one, other).set_index("quantity")
        assert np.isnan([table.loc[LEAD, "difference"], table.loc[LEAD, "ends"]]).all()


def test_the_sample_to_check_follows_from_the_seed_and_reads_the_common_layer(data: Path) -> None:
    found = several_saes.read_sae_family()
    drawn = [several_saes.chosen_for_check(found, 2, seed) for seed in range(30)]
    assert drawn[0] == several_saes.chosen_for_check(found, 2, 0)
    assert {sae for pair in drawn for sae in pair} == set(MEMBERS) - {"deep", "shallow", UNSHIPPED}
    assert several_saes.chosen_for_check(found, 0, 0) == []


def test_rates_by_letter_and_by_silence_are_those_that_the_page_measures(
    measured: pd.DataFrame, planted_instead: list[Any]
) -> None:
    family_ = stored(measured)
    study = stored_check.study_again(family_, "base", lm=None)  # type: ignore[arg-type]
    assert planted_instead[0] == "base"
    found = rates_by_projection(study, family_)
    full = measured.set_index("quantity")["value"]["rate, full absorption"]
    silences, letters = found["silences"].set_index("silence"), found["letters"]
    assert silences["rate"]["off (published)"] == pytest.approx(full)
    mean = letters[(letters["definition"] == "full absorption") & (letters["letter"] == "mean")]
    assert mean["rate"].tolist() == pytest.approx([full])
    counted = letters[(letters["definition"] == "full absorption") & (letters["valid"] == "yes")]
    assert counted["rate"].mean() == pytest.approx(full)
    assert set(letters["definition"]) == {"full absorption", "absorption fraction"}


def test_only_shipped_saes_that_lack_rows_are_completed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = data / stored_numbers.FOLDER
    whole = several_saes.read_sae_family()
    assert by_projection.complete(lambda *_: pytest.fail("the model is not needed"))[1] == []
    for name in stored_numbers.BY_SAE:
        table = pd.read_parquet(place / f"{name}.parquet")
        table[~table["sae"].isin(["deep", UNSHIPPED])].to_parquet(place / f"{name}.parquet")
    (place / sums.NAME).unlink()

    def again_from(sae: str, _family: object) -> dict[str, pd.DataFrame]:
        tables = {name: getattr(whole, name) for name in stored_numbers.BY_SAE}
        return {name: table[table["sae"] == sae] for name, table in tables.items()}

    asked = []
    monkeypatch.setattr(by_projection, "study_again", lambda _family, sae, lm: asked.append((sae, lm)) or sae)
    monkeypatch.setattr(by_projection, "rates_by_projection", again_from)
    found, new = by_projection.complete(lambda *names: names)  # type: ignore[arg-type, return-value]
    assert new == ["deep"]
    assert asked == [("deep", (PARAMETERS["model"], PARAMETERS["dtype"]))]
    stored_now = several_saes.read_sae_family()
    assert set(stored_now.silences["sae"]) == set(MEMBERS) - {UNSHIPPED} == set(found.silences["sae"])
    assert stored_now.value("wide", LEAD) == whole.value("wide", LEAD)


@pytest.mark.parametrize("off", [0.0, 0.02])
def test_rates_by_silence_are_measured_again_too(
    measured: pd.DataFrame, planted_instead: list[Any], off: float
) -> None:
    family_ = stored(measured)
    study = stored_check.study_again(family_, "base", lm=None)  # type: ignore[arg-type]
    silences = rates_by_projection(study, family_)["silences"]
    silences.loc[silences["silence"] == "calibrated", "rate"] += off
    with_them = dataclasses.replace(family_, silences=silences.assign(sae="base"))
    if off:
        with pytest.raises(
            several_saes.StaleNumbersError, match="'rate, full absorption, silent: calibrated'"
        ):
            again(with_them)
        return
    table = again(with_them)
    assert len(table) == len(measured) + len(silences)
    assert not table[["difference", "ends"]].any(axis=None)

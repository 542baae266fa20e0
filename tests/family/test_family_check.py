"""Measuring again: the same numbers pass, others do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.family.made_up import LEAD, MEMBERS, UNSHIPPED

from absorption import family
from absorption.family import check, numbers
from absorption.family.quantities import PRECISION


def measured_now(monkeypatch: pytest.MonkeyPatch, off: float, missing: str = "", ends: float = 0.0) -> None:
    """Puts a measurement in the place of the real one: the stored values, all off by as much."""

    def again(found: numbers.Family, sae: str, lm: object) -> pd.DataFrame:
        rows = found.numbers[found.numbers["sae"] == sae]
        table = rows.assign(stored=rows["value"], now=rows["value"] + off)
        table.loc[table["quantity"] == missing, "now"] = np.nan
        return table.assign(difference=table["now"] - table["stored"], ends=ends)

    monkeypatch.setattr(check, "_again", again)


def test_numbers_that_come_out_the_same_pass_and_others_do_not(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = family.read_family()
    measured_now(monkeypatch, off=0.9 * check.TOLERANCE)
    table = family.again(found, ["base", "wide"], lm=None)  # type: ignore[arg-type]
    assert set(table["sae"]) == {"base", "wide"}
    for off, missing, ends in ((1.1 * check.TOLERANCE, "", 0.0), (0.0, PRECISION, 0.0), (0.0, "", 0.011)):
        measured_now(monkeypatch, off=off, missing=missing, ends=ends)
        with pytest.raises(family.StaleNumbersError, match="come out differently"):
            family.again(found, ["base"], lm=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "shift", "difference", "ends"),
    [("value", 0.02, 0.02, 0.0), ("low", -0.03, 0.0, 0.03), ("high", 0.04, 0.0, 0.04)],
)
def test_the_check_compares_a_number_and_both_ends_of_its_interval(
    data: Path, column: str, shift: float, difference: float, ends: float
) -> None:
    stored = family.read_family().numbers.query("sae == 'base'")
    row = stored["quantity"] == LEAD
    now = stored.assign(**{column: stored[column].where(~row, stored[column] + shift)})
    table: Any = check.compare(stored, now).set_index("quantity")
    assert table.loc[LEAD, "difference"] == pytest.approx(difference)
    assert table.loc[LEAD, "ends"] == pytest.approx(ends)
    assert not table.drop(LEAD)[["difference", "ends"]].any(axis=None)
    gone: Any = check.compare(stored, now[~row]).set_index("quantity")
    assert np.isnan([gone.loc[LEAD, "difference"], gone.loc[LEAD, "ends"]]).all()


def test_a_rate_that_is_missing_both_times_is_the_same_and_one_that_appears_is_not(data: Path) -> None:
    stored = family.read_family().numbers.query("sae == 'base'").copy()
    row = stored["quantity"] == LEAD
    without = stored.copy()
    without.loc[row, ["value", "low", "high"]] = np.nan
    same: Any = check.compare(without, without).set_index("quantity")
    assert same.loc[LEAD, ["difference", "ends"]].tolist() == [0.0, 0.0]
    for one, other in ((without, stored), (stored, without)):
        table: Any = check.compare(one, other).set_index("quantity")
        assert np.isnan([table.loc[LEAD, "difference"], table.loc[LEAD, "ends"]]).all()


def test_the_sample_to_check_follows_from_the_seed_and_reads_the_common_layer(data: Path) -> None:
    found = family.read_family()
    drawn = [family.chosen_for_check(found, 2, seed) for seed in range(30)]
    assert drawn[0] == family.chosen_for_check(found, 2, 0)
    assert {sae for pair in drawn for sae in pair} == set(MEMBERS) - {"deep", "shallow", UNSHIPPED}
    assert family.chosen_for_check(found, 0, 0) == []

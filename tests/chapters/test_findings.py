"""What a step found is kept, recorded and glued by one call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import myst_nb
import pandas as pd
import pytest

from absorption import claims
from absorption.base.settings import Settings
from absorption.chapters.findings import Findings, OneTable, claim_parts

PARTS = pd.DataFrame(
    {"part": ["recovery", "decoder"], "measured": [1.0, 0.2], "low": [1.0, 0.1], "high": [1.0, 0.3], "n_seeds": 2}
)  # fmt: skip


@pytest.fixture
def glued(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(myst_nb, "glue", lambda name, value, display: found.update({name: value}))
    return found


@dataclass(frozen=True)
class Measured(Findings):
    def claims(self) -> pd.DataFrame:
        return claim_parts("toy-hierarchy", PARTS, note="two seeds")


def test_a_claim_in_parts_is_recorded_by_part_and_its_verdict_is_told_whole_too(
    tmp_path: Path, glued: dict[str, Any]
) -> None:
    settings = Settings(results_dir=str(tmp_path))
    Measured().tell(settings)
    assert glued == {
        "verdict_toy_hierarchy": "not reproduced",
        "verdict_toy_hierarchy_recovery": "reproduced",
        "verdict_toy_hierarchy_decoder": "not reproduced",
    }
    rows = {
        row["part"]: row for row in claims.ledger(tmp_path).to_dict("records") if row["id"] == "toy-hierarchy"
    }
    decoder = rows["decoder"]
    assert [decoder[name] for name in ("measured", "low", "high", "note")] == [0.2, 0.1, 0.3, "two seeds"]


def test_one_table_is_kept_under_its_name_and_its_numbers_are_told(
    tmp_path: Path, glued: dict[str, Any]
) -> None:
    found = OneTable("toy-worlds", PARTS, {"n": 2}).tell(Settings(results_dir=str(tmp_path)))
    assert glued == {"n": 2}
    (kept,) = tmp_path.rglob("*toy-worlds*")
    pd.testing.assert_frame_equal(pd.read_parquet(kept), found.table)


def test_a_number_that_two_steps_of_a_page_tell_is_refused_where_it_happens(
    tmp_path: Path, glued: dict[str, Any]
) -> None:
    page, another = Settings(results_dir=str(tmp_path)), Settings(results_dir=str(tmp_path))
    first, second = OneTable("first", PARTS, {"n": 2}), OneTable("second", PARTS, {"n": 3})
    first.tell(page)
    first.tell(page)  # a cell that is run again
    second.tell(another)
    with pytest.raises(ValueError, match="number 'n' is told by OneTable first and by OneTable second"):
        second.tell(page)
    Measured().tell(page)
    with pytest.raises(
        ValueError, match="number 'verdict_toy_hierarchy' is told by Measured and by OneTable x"
    ):
        OneTable("x", PARTS, {"verdict_toy_hierarchy": "reproduced"}).tell(page)
    assert glued["n"] == 3

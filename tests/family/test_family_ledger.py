"""The family's claims: every part is in the ledger's file, and is judged over words and seeds."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
from tests.family.made_up import LEAD, MEMBERS, SEEDS, value_of

from absorption import claims, family


def test_a_claim_is_judged_by_seed_means_over_words_and_seeds(data: Path) -> None:
    found = family.read_family()
    table: Any = family.claims_table(found).set_index(["claim", "part"])
    row: Any = family.beside_seeds(found, [LEAD]).set_index("change").loc["matryoshka minus batchtopk"]
    claim = table.loc[("matryoshka", "ablation")]
    assert claim["value"] == pytest.approx(
        value_of("matryoshka", LEAD) - statistics.mean(value_of(sae, LEAD) for sae in SEEDS)
    )
    # The resamples share their noise, so all of the interval is the seeds'.
    assert claim["high"] - claim["value"] == pytest.approx(row["chance"], rel=1e-4)
    assert claim["value"] - claim["low"] == pytest.approx(row["chance"], rel=1e-4)
    assert claim["note"] == "4 SAEs; interval over words and seeds"


def test_every_claim_of_the_family_is_in_the_ledgers_file_and_gets_a_verdict(data: Path) -> None:
    table = family.claims_table(family.read_family())
    known = {(claim.id, part.name) for claim in claims.load().values() for part in claim.parts}
    assert set(zip(table["claim"], table["part"], strict=True)) <= known
    assert table["value"].notna().all()
    of_family = {pair for pair in known if "family" in pair[1]} | {
        ("matryoshka", "ablation"),
        ("matryoshka", "projection"),
    }
    assert set(zip(table["claim"], table["part"], strict=True)) == of_family


def test_the_lowest_rate_is_over_all_of_them(data: Path) -> None:
    table = family.claims_table(family.read_family()).set_index(["claim", "part"])
    row: Any = table.loc[("every-sae", "family-ablation")]
    assert row["value"] == value_of("base", "rate, ablation")
    assert row["note"] == f"lowest of {len(MEMBERS)} SAEs: base"


def test_without_a_matryoshka_its_claim_has_no_number(data: Path) -> None:
    found = family.read_family()
    del found.stamps["matryoshka"]
    table = family.claims_table(found)
    assert table.query("claim == 'matryoshka'")["value"].isna().all()

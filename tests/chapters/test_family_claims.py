"""The family's claims: every part is in the ledger's file, and is judged over words and seeds."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.several_saes.made_up import LEAD, MEMBERS, SEEDS, UNSHIPPED, value_of

from absorption import claims, several_saes
from absorption.base import sums
from absorption.chapters.hyper_parameters.claims import claims_table
from absorption.several_saes.mixed_slopes import fit_slopes


def test_a_claim_is_judged_by_seed_means_over_words_and_seeds(data: Path) -> None:
    found = several_saes.read_sae_family()
    table: Any = claims_table(found).set_index(["claim", "part"])
    row: Any = several_saes.beside_seeds(found, [LEAD]).set_index("change").loc["matryoshka minus batchtopk"]
    claim = table.loc[("matryoshka", "ablation")]
    assert claim["value"] == pytest.approx(
        value_of("matryoshka", LEAD) - statistics.mean(value_of(sae, LEAD) for sae in SEEDS)
    )
    # The resamples share their noise, so all of the interval is the seeds'.
    assert claim["high"] - claim["value"] == pytest.approx(row["chance"], rel=1e-4)
    assert claim["value"] - claim["low"] == pytest.approx(row["chance"], rel=1e-4)
    assert claim["note"] == "4 SAEs; interval over words and seeds"


def test_every_claim_of_the_family_is_in_the_ledgers_file_and_gets_a_verdict(data: Path) -> None:
    table = claims_table(several_saes.read_sae_family())
    known = {(claim.id, part.name) for claim in claims.load().values() for part in claim.parts}
    assert set(zip(table["claim"], table["part"], strict=True)) <= known
    assert table["value"].notna().all()
    of_family = {pair for pair in known if "family" in pair[1] or pair[1].startswith("fit-")} | {
        ("matryoshka", "ablation"),
        ("matryoshka", "projection"),
    }
    assert set(zip(table["claim"], table["part"], strict=True)) == of_family


def test_every_sae_is_judged_against_its_own_null(data: Path) -> None:
    """All but the base's p are .001, which Holm's correction over nine SAEs leaves below .05."""
    n = len(MEMBERS)
    table = claims_table(several_saes.read_sae_family()).set_index(["claim", "part"])
    row: Any = table.loc[("every-sae", "family-ablation")]
    assert (row["value"], row["low"], row["high"]) == ((n - 1) / n, (n - 1) / n, 1.0)
    assert row["note"] == f"{n - 1} of {n} SAEs; not above: base"
    rule = claims.load()["every-sae"].part("family-ablation").rule
    assert claims.judge(rule, row["low"], row["high"]) == "unclear"


def test_stored_numbers_from_before_the_null_say_nothing_of_every_sae(data: Path) -> None:
    path = data / "results" / "family" / "numbers.parquet"
    pd.read_parquet(path).drop(columns=["null", "null_low", "null_high", "p"]).to_parquet(path)
    (path.parent / sums.NAME).unlink()
    table = claims_table(several_saes.read_sae_family()).query("claim == 'every-sae'")
    assert table["value"].isna().all()
    assert set(table["note"]) == {"no rate stands beside a null"}


def test_without_a_matryoshka_its_claim_has_no_number(data: Path) -> None:
    found = several_saes.read_sae_family()
    del found.stamps["matryoshka"]
    table = claims_table(found)
    assert table.query("claim == 'matryoshka'")["value"].isna().all()


def test_with_one_seed_the_notes_say_that_intervals_are_over_words_alone(data: Path) -> None:
    found = several_saes.read_sae_family()
    del found.stamps["seed-1"], found.stamps[UNSHIPPED]
    notes = claims_table(found).query("claim != 'every-sae' and not part.str.startswith('fit-')")["note"]
    assert len(notes) == 7
    assert all(note.endswith("SAEs; interval over words alone") for note in notes)


def test_an_sae_without_a_rate_has_no_part_in_the_claim_on_its_slope(data: Path) -> None:
    found = several_saes.read_sae_family()
    numbers = found.numbers.copy()
    numbers.loc[(numbers["sae"] == "dense") & (numbers["quantity"] == LEAD), "value"] = np.nan
    expected = statistics.mean(value_of(sae, LEAD) for sae in SEEDS) - value_of("sparse", LEAD)
    claim: Any = (
        claims_table(replace(found, numbers=numbers))
        .set_index(["claim", "part"])
        .loc[("rate-l0-width", "family-l0")]
    )
    assert claim["value"] == pytest.approx(expected)
    assert claim["note"].startswith("4 SAEs")


def test_slopes_over_letters_are_those_of_the_mixed_model_and_too_few_saes_say_so(data: Path) -> None:
    family = several_saes.read_sae_family()
    slopes: Any = fit_slopes(family, ["full absorption"]).set_index("change")
    table: Any = claims_table(family).set_index(["claim", "part"])
    for part, change in (("fit-l0", "each doubling of L0"), ("fit-width", "each doubling of the width")):
        row = table.loc[("rate-l0-width", part)]
        assert row[["value", "low", "high"]].tolist() == slopes.loc[change, ["value", "low", "high"]].tolist()
        assert row["note"] == f"{len(MEMBERS)} SAEs, 3 letters; interval over both"
    one = replace(family, letters=family.letters[family.letters["letter"] == "a"])
    rows = claims_table(one).set_index("part").loc[["fit-l0", "fit-width"]]
    assert rows["value"].isna().all()
    assert set(rows["note"]) == {"too few SAEs pass the bars of fitness"}

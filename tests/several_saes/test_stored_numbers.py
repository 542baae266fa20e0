"""The stored numbers: what was measured comes back, and no number of another SAE passes for a shipped one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.several_saes.made_up import (
    FULL,
    MEMBERS,
    PARAMETERS,
    UNSHIPPED,
    N,
    card,
    folder_of,
    samples_of,
    sweeps,
    value_of,
    write_run,
)

from absorption import several_saes
from absorption.base import sums
from absorption.several_saes import stored_numbers
from absorption.several_saes.quantities import PRECISION, QUANTITIES
from absorption.training.recipe import Recipe

TABLES = ("numbers", "resamples", "letters", "silences")


def test_what_a_sweep_measured_comes_back(data: Path) -> None:
    found = several_saes.read_sae_family()
    order = ["shallow", "sparse", "base", "matryoshka", "dense", "wide", "deep", "seed-1", UNSHIPPED]
    assert found.saes == order
    assert found.parameters == PARAMETERS
    for sae in MEMBERS:
        assert found.value(sae, "not kept") == value_of(sae, "not kept")
        for quantity in QUANTITIES:
            expected = samples_of(sae, quantity)[: N // 2 if quantity == PRECISION else N]
            np.testing.assert_allclose(found.samples(sae, quantity), expected, rtol=1e-6)
    assert np.isnan(found.value("base", "unheard of"))


def test_rates_by_letter_and_by_silence_come_back_as_the_page_wrote_them(data: Path, tmp_path: Path) -> None:
    found = several_saes.read_sae_family()
    for table, page in ((found.letters, "sae-absorption-rates"), (found.silences, "sae-silences")):
        written = pd.read_parquet(
            sweeps(tmp_path)[0] / "runs" / "wide" / "your-sae" / "results" / f"{page}.parquet"
        )
        mine = table[table["sae"] == "wide"].drop(columns="sae").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, written[list(mine)])
        assert set(table["sae"]) == set(MEMBERS)


def test_an_sae_from_before_a_table_was_kept_has_no_rows_and_a_new_measurement_brings_them(
    data: Path, tmp_path: Path
) -> None:
    place = data / stored_numbers.FOLDER
    rows = pd.read_parquet(place / "silences.parquet")
    rows[rows["sae"] != "deep"].to_parquet(place / "silences.parquet")
    (place / sums.NAME).unlink()
    assert "deep" not in set(several_saes.read_sae_family().silences["sae"])
    write_run(tmp_path / "again", "deep")
    found = several_saes.collect([tmp_path / "again"], add=True)
    pd.testing.assert_frame_equal(found.silences, rows)
    page = tmp_path / "again" / "runs" / "deep" / "your-sae" / "results" / "sae-silences.parquet"
    page.unlink()
    found = several_saes.collect([tmp_path / "again"], add=True)
    assert "deep" not in set(found.silences["sae"])
    assert found.silences["rate"].dtype == np.float64


@pytest.mark.parametrize("name", ["letters", "silences"])
def test_tables_that_are_not_of_one_measurement_are_refused(data: Path, name: str) -> None:
    path = data / stored_numbers.FOLDER / f"{name}.parquet"
    table = pd.read_parquet(path)
    table.loc[table["sae"] == "wide", "rate"] += 2e-3
    table.to_parquet(path)
    told = rf"full absorption of wide is {value_of('wide', FULL):.6f} in numbers and .* in {name}"
    with pytest.raises(stored_numbers.StoredNumbersError, match=told):
        several_saes.read_sae_family()


def test_a_member_is_what_its_card_says(data: Path) -> None:
    rows: Any = several_saes.members(several_saes.read_sae_family()).set_index("sae")
    assert rows.loc["deep", "layer"] == 12
    assert rows.loc["matryoshka", "architecture"] == "matryoshka"
    assert rows.loc["seed-1", "seed"] == 1
    assert rows.loc["sparse", ["l0_text", "l0_words"]].tolist() == [16, 40]
    assert rows.loc["sparse", "l0_share"] == pytest.approx(40 / 576)  # of the embedded model's dimensions
    assert rows.index[rows["shipped"] == "no"].tolist() == [UNSHIPPED]


def test_numbers_of_other_weights_are_refused(data: Path) -> None:
    path = data / "saes" / "base" / "card.json"
    path.write_text(path.read_text().replace("hash of base", "trained again"))
    with pytest.raises(
        stored_numbers.StoredNumbersError, match=r"of base are of weights hash of base, .* trained again"
    ):
        several_saes.read_sae_family()


def test_numbers_of_another_configuration_are_refused(data: Path) -> None:
    path = data / "saes" / "base" / "cfg.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"apply_b_dec_to_input": False}))
    with pytest.raises(
        stored_numbers.StoredNumbersError, match=r"of base are of configuration \w{16}, the shipped one"
    ):
        several_saes.read_sae_family()


def test_numbers_that_do_not_say_their_configuration_are_refused(data: Path) -> None:
    path = data / stored_numbers.FOLDER / "stamps.json"
    stamps = json.loads(path.read_text())
    del stamps["base"]["loaded"]["sae"]["configuration_hash"]
    path.write_text(json.dumps(stamps))
    with pytest.raises(stored_numbers.StoredNumbersError, match="of base are of configuration None"):
        several_saes.read_sae_family()


def test_a_shipped_sae_without_numbers_is_named(data: Path) -> None:
    folder = data / "saes" / "new"
    folder.mkdir()
    (folder / "card.json").write_text(json.dumps(card("new", {})))
    with pytest.raises(stored_numbers.StoredNumbersError, match="differ in: new"):
        several_saes.read_sae_family()


def test_saes_measured_with_different_parameters_are_not_one_family(data: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "sweep", "base", n_words=500)
    with pytest.raises(stored_numbers.StoredNumbersError, match=r"different n_words: .*500 \(base\)"):
        several_saes.collect(sweeps(tmp_path))


def test_numbers_that_do_not_state_how_they_were_measured_are_refused(data: Path) -> None:
    path = data / stored_numbers.FOLDER / "stamps.json"
    stamps = json.loads(path.read_text())
    del stamps["wide"]["parameters"]["probe"]
    path.write_text(json.dumps(stamps))
    with pytest.raises(stored_numbers.StoredNumbersError, match="of wide do not state their probe"):
        several_saes.read_sae_family()


def test_a_failed_run_is_left_out_and_a_sweep_of_none_is_refused(data: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "sweep", "deep", error="stopped")
    assert "deep" not in several_saes.collect(sweeps(tmp_path), tmp_path / "elsewhere").saes
    with pytest.raises(stored_numbers.StoredNumbersError, match="no finished one-SAE page"):
        several_saes.collect([tmp_path / "sweep", tmp_path / "nothing"])


def test_an_sae_measured_twice_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(stored_numbers.StoredNumbersError, match="more than once: base, "):
        several_saes.collect([tmp_path / "sweep", tmp_path / "sweep"])


def test_an_sae_that_is_not_shipped_goes_by_its_card(data: Path, tmp_path: Path) -> None:
    stamp = json.loads((data / stored_numbers.FOLDER / "stamps.json").read_text())[UNSHIPPED]
    assert stamp["card"] == card(UNSHIPPED, MEMBERS[UNSHIPPED])
    assert "sae_path" not in stamp["parameters"]  # a path of one machine
    path = folder_of(tmp_path, UNSHIPPED) / "card.json"
    path.write_text(path.read_text().replace(f"hash of {UNSHIPPED}", "trained again"))
    with pytest.raises(
        stored_numbers.StoredNumbersError, match=r"seed-2 are of weights hash of .*-seed-2, its card"
    ):
        several_saes.collect(sweeps(tmp_path))
    path.unlink()
    with pytest.raises(
        stored_numbers.StoredNumbersError, match=r"seed-2 is not shipped, and its folder .* no card"
    ):
        several_saes.collect(sweeps(tmp_path))


def test_seeds_that_are_recipes_only_may_be_left_out_of_the_family(data: Path, tmp_path: Path) -> None:
    assert UNSHIPPED in several_saes.read_sae_family().saes
    several_saes.collect([tmp_path / "sweep"])
    found = several_saes.read_sae_family()
    assert UNSHIPPED not in found.saes
    assert found.saes == several_saes.members(found)["sae"].tolist()
    assert len(found.saes) == len(MEMBERS) - 1


def test_numbers_of_more_saes_are_added_to_those_stored_and_new_ones_take_their_place(
    data: Path, tmp_path: Path
) -> None:
    place = data / stored_numbers.FOLDER
    whole = {path.name: path.read_bytes() for path in place.iterdir()}
    several_saes.collect([tmp_path / "sweep"])
    assert UNSHIPPED not in several_saes.read_sae_family().saes
    several_saes.collect([tmp_path / "sweep-of-seeds"], add=True)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == whole
    write_run(tmp_path / "again", "base")
    record = tmp_path / "again" / "runs" / "base" / "your-sae" / "record.json"
    record.write_text(record.read_text().replace('"seconds": 1,', '"seconds": 1234,'))
    found = several_saes.collect([tmp_path / "again"], add=True)
    assert found.stamps["base"]["seconds"] == 1234
    assert found.saes == several_saes.read_sae_family().saes
    assert len(found.saes) == len(MEMBERS)


def test_the_numbers_of_an_sae_that_is_shipped_from_now_on_are_added(data: Path, tmp_path: Path) -> None:
    place = data / stored_numbers.FOLDER
    for name in (f"{table}.parquet" for table in TABLES):
        table = pd.read_parquet(place / name)
        table[table["sae"] != "deep"].to_parquet(place / name)
    stamps = json.loads((place / "stamps.json").read_text())
    del stamps["deep"]
    (place / "stamps.json").write_text(json.dumps(stamps))
    (place / sums.NAME).unlink()
    with pytest.raises(stored_numbers.StoredNumbersError, match="differ in: deep"):
        several_saes.read_sae_family()
    write_run(tmp_path / "of-deep", "deep")
    several_saes.collect([tmp_path / "of-deep"], add=True)
    assert len(several_saes.read_sae_family().saes) == len(MEMBERS)


def test_without_the_numbers_of_a_shipped_sae_the_family_is_refused(data: Path, tmp_path: Path) -> None:
    before = (data / stored_numbers.FOLDER / "stamps.json").read_text()
    with pytest.raises(stored_numbers.StoredNumbersError, match=r"differ in: .*base"):
        several_saes.collect([tmp_path / "sweep-of-seeds"])
    assert (data / stored_numbers.FOLDER / "stamps.json").read_text() == before


def test_numbers_of_another_recipe_are_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_numbers, "UNSHIPPED_RECIPES", (Recipe(seed=2, lr=1e-3),))
    with pytest.raises(stored_numbers.StoredNumbersError, match="seed-2 are of another recipe"):
        several_saes.read_sae_family()


def test_a_number_changed_after_it_was_stored_is_refused_by_the_file_s_name(data: Path) -> None:
    path = data / stored_numbers.FOLDER / "numbers.parquet"
    table = pd.read_parquet(path)
    table.loc[table["quantity"] == QUANTITIES[0], "low"] -= 1e-3
    table.to_parquet(path)
    with pytest.raises(
        stored_numbers.StoredNumbersError, match=r"numbers.parquet is damaged: .* git checkout"
    ):
        several_saes.read_sae_family()
    several_saes.collect(sweeps(data.parent))
    several_saes.read_sae_family()
    path = data / stored_numbers.FOLDER / "stamps.json"
    path.write_text(path.read_text().replace('"seconds": 1', '"seconds": 2'))
    with pytest.raises(stored_numbers.StoredNumbersError, match=r"stamps.json is damaged"):
        stored_numbers.read_folder(path.parent)


@pytest.mark.parametrize("name", ["stamps.json", *(f"{table}.parquet" for table in TABLES)])
def test_missing_and_damaged_files_are_refused(data: Path, name: str) -> None:
    path = data / stored_numbers.FOLDER / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(stored_numbers.StoredNumbersError, match="holds no stored numbers"):
        several_saes.read_sae_family()
    path.unlink()
    with pytest.raises(stored_numbers.StoredNumbersError, match="holds no stored numbers"):
        several_saes.read_sae_family()

"""The family's stored numbers: paired differences by hand, and no number of another SAE passes for a shipped one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from absorption import claims, family
from absorption.data import data_root
from absorption.family import check, numbers
from absorption.family.quantities import PRECISION, QUANTITIES
from absorption.plots import family as figures
from absorption.plots.report import dots
from absorption.report.numbers import COLUMNS
from absorption.statistics import interval

MEMBERS = {
    "base": {},
    "sparse": {"k": 16},
    "dense": {"k": 64},
    "wide": {"d_sae": 8192},
    "matryoshka": {"architecture": "matryoshka"},
    "seed-1": {"seed": 1},
    "deep": {"hook_name": "blocks.12.hook_resid_post"},
}
N = 50
PARAMETERS = {
    "n_words": 0, "n_sets": 4, "seed": 0, "max_candidates": 30, "per_letter": 4, "model": "tiny",
    "dtype": "float32",
}  # fmt: skip


def card(sae: str, changes: dict[str, Any]) -> dict[str, Any]:
    base = {"architecture": "batchtopk", "d_sae": 4096, "k": 32, "hook_name": "blocks.8.hook_resid_post"}
    about = base | {name: value for name, value in changes.items() if name != "seed"}
    text = {"l0": about["k"] * 1.0, "explained_variance": 0.9, "cross_entropy": {"recovered": 0.98}}
    return about | {
        "sae_id": sae,
        "weights_hash": f"hash of {sae}",
        "recipe": {"seed": changes.get("seed", 0)},
        "measured": {"held_out_text": text, "dead_latents": 3},
    }


def value_of(sae: str) -> float:
    """Every quantity of an SAE has this value: another for each SAE."""
    return 0.1 + 0.05 * list(MEMBERS).index(sae)


def samples_of(sae: str) -> np.ndarray:
    """Resamples whose noise all SAEs share, so that paired differences have none."""
    return value_of(sae) + 0.2 * np.random.default_rng(0).normal(size=N)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with cards and a sweep beside it, collected."""
    root = tmp_path / "data"
    for sae, changes in MEMBERS.items():
        folder = root / "saes" / sae
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(json.dumps(card(sae, changes)))
    shutil.copy(data_root() / "claims.yaml", root)
    monkeypatch.setenv("ABSORPTION_DATA", str(root))
    for sae in MEMBERS:
        write_run(tmp_path / "sweep", sae)
    family.collect(tmp_path / "sweep")
    return root


def write_run(sweep: Path, sae: str, error: str = "", **parameters: Any) -> None:
    results = sweep / "runs" / sae / "your-sae" / "results"
    results.mkdir(parents=True, exist_ok=True)
    rows = [(sae, "recall gap", name, value_of(sae), 0.0, 1.0) for name in [*QUANTITIES, "not kept"]]
    pd.DataFrame(rows, columns=COLUMNS).to_parquet(results / "sae-summary.parquet")
    samples = pd.DataFrame({name: samples_of(sae) for name in QUANTITIES}).astype(np.float32)
    shorter = pd.Series(samples_of(sae)[: N // 2])
    samples.assign(**{PRECISION: shorter}).to_parquet(results / "sae-resamples.parquet")
    stamp = {
        "error": error, "absorption": "0", "commit": "c", "parameters": PARAMETERS | parameters, "packages": {},
        "loaded": {"sae": {"name": sae, "weights_hash": f"hash of {sae}"}}, "seconds": 1, "machine": "m",
        "date": "d",
    }  # fmt: skip
    (results.parent / "record.json").write_text(json.dumps(stamp))


def test_what_a_sweep_measured_comes_back(data: Path) -> None:
    found = family.read_family()
    order = ["sparse", "base", "dense", "wide", "deep", "seed-1", "matryoshka"]
    assert found.saes == order
    assert found.parameters == PARAMETERS
    for sae in MEMBERS:
        assert found.value(sae, "not kept") == value_of(sae)
        for quantity in QUANTITIES:
            expected = samples_of(sae)[: N // 2] if quantity == PRECISION else samples_of(sae)
            np.testing.assert_allclose(found.samples(sae, quantity), expected, rtol=1e-6)
    assert np.isnan(found.value("base", "unheard of"))


def test_a_member_is_what_its_card_says(data: Path) -> None:
    rows = family.members(family.read_family()).set_index("sae")
    assert rows.loc["deep", "layer"] == 12
    assert rows.loc["matryoshka", "architecture"] == "matryoshka"
    assert rows.loc["seed-1", "seed"] == 1
    assert rows.loc["sparse", "l0_text"] == 16


@pytest.mark.parametrize(
    ("setting", "saes"),
    [
        (family.L0, ["sparse", "base", "dense"]),
        (family.WIDTH, ["base", "wide"]),
        (family.ARCHITECTURE, ["base", "matryoshka"]),
        (family.SEED, ["base", "seed-1"]),
        (family.LAYER, ["base", "deep"]),
    ],
)
def test_a_step_changes_one_setting_alone(data: Path, setting: str, saes: list[str]) -> None:
    assert family.steps(family.read_family(), setting)["sae"].tolist() == saes


def test_a_trend_is_the_least_squares_slope_against_the_doublings(data: Path) -> None:
    table = family.trends(family.read_family(), family.L0).set_index("quantity")
    slope = np.polyfit([4, 5, 6], [value_of(sae) for sae in ("sparse", "base", "dense")], 1)[0]
    assert table.loc["splits of a letter", "value"] == pytest.approx(slope)
    assert table.loc["splits of a letter", "saes"] == 3
    # The noise is shared, so the paired interval has no width.
    assert table.loc["splits of a letter", "low"] == pytest.approx(slope, abs=1e-6)


def test_a_difference_is_paired(data: Path) -> None:
    table = family.differences(family.read_family(), family.ARCHITECTURE).set_index("quantity")
    expected = value_of("matryoshka") - value_of("base")
    for end in ("value", "low", "high"):
        assert table.loc["splits of a letter", end] == pytest.approx(expected, abs=1e-6)
    low, high = interval(samples_of("base"))
    assert high - low > 0.1  # unpaired it would be wide


def test_a_change_is_set_beside_that_of_another_seed(data: Path) -> None:
    table = family.beside_seed(family.read_family(), ["splits of a letter"]).set_index("change")
    seed = value_of("seed-1") - value_of("base")
    assert table["seed"].tolist() == pytest.approx([seed] * 3)
    assert table.loc["matryoshka minus batchtopk", "value"] == pytest.approx(
        value_of("matryoshka") - value_of("base")
    )
    # By the order of MEMBERS: the slope against L0 is under .05, the seed's difference .25, Matryoshka's .2.
    assert table["larger"].tolist() == ["no", "no", "no"]
    found = family.read_family()
    del found.stamps["seed-1"]
    alone = family.beside_seed(found, ["splits of a letter"])
    assert alone["seed"].isna().all()
    assert set(alone["larger"]) == {""}


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
    assert row["value"] == value_of("base")
    assert row["note"] == f"lowest of {len(MEMBERS)} SAEs: base"


def test_without_a_matryoshka_its_claim_has_no_number(data: Path) -> None:
    found = family.read_family()
    del found.stamps["matryoshka"]
    table = family.claims_table(found)
    assert table.query("claim == 'matryoshka'")["value"].isna().all()


def test_numbers_of_other_weights_are_refused(data: Path) -> None:
    path = data / "saes" / "base" / "card.json"
    path.write_text(path.read_text().replace("hash of base", "trained again"))
    with pytest.raises(
        numbers.StoredNumbersError, match=r"of base are of weights hash of base, .* trained again"
    ):
        family.read_family()


def test_a_shipped_sae_without_numbers_is_named(data: Path) -> None:
    folder = data / "saes" / "new"
    folder.mkdir()
    (folder / "card.json").write_text(json.dumps(card("new", {})))
    with pytest.raises(numbers.StoredNumbersError, match="differ in: new"):
        family.read_family()


def test_saes_measured_with_different_parameters_are_not_one_family(data: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "sweep", "base", n_words=500)
    with pytest.raises(numbers.StoredNumbersError, match=r"different n_words: .*500 \(base\)"):
        family.collect(tmp_path / "sweep")


def test_a_failed_run_is_left_out_and_a_sweep_of_none_is_refused(data: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "sweep", "deep", error="stopped")
    assert "deep" not in family.collect(tmp_path / "sweep", tmp_path / "elsewhere").saes
    with pytest.raises(numbers.StoredNumbersError, match="no finished one-SAE page"):
        family.collect(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["stamps.json", "numbers.parquet", "resamples.parquet"])
def test_missing_and_damaged_files_are_refused(data: Path, name: str) -> None:
    path = data / numbers.FOLDER / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(numbers.StoredNumbersError, match="holds no stored numbers"):
        family.read_family()
    path.unlink()
    with pytest.raises(numbers.StoredNumbersError, match="holds no stored numbers"):
        family.read_family()


def measured_now(monkeypatch: pytest.MonkeyPatch, off: float, missing: str = "") -> None:
    """Puts a measurement in the place of the real one: the stored values, all off by as much."""

    def again(found: numbers.Family, sae: str, lm: object) -> pd.DataFrame:
        rows = found.numbers[found.numbers["sae"] == sae]
        table = rows.assign(stored=rows["value"], now=rows["value"] + off)
        table.loc[table["quantity"] == missing, "now"] = np.nan
        return table.assign(difference=table["now"] - table["stored"])

    monkeypatch.setattr(check, "_again", again)


def test_numbers_that_come_out_the_same_pass_and_others_do_not(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = family.read_family()
    measured_now(monkeypatch, off=0.9 * check.TOLERANCE)
    table = family.again(found, ["base", "wide"], lm=None)  # type: ignore[arg-type]
    assert set(table["sae"]) == {"base", "wide"}
    for off, missing in ((1.1 * check.TOLERANCE, ""), (0.0, PRECISION)):
        measured_now(monkeypatch, off=off, missing=missing)
        with pytest.raises(family.StaleNumbersError, match="come out differently"):
            family.again(found, ["base"], lm=None)  # type: ignore[arg-type]


def test_the_sample_to_check_follows_from_the_seed_and_reads_the_common_layer(data: Path) -> None:
    found = family.read_family()
    drawn = [family.chosen_for_check(found, 2, seed) for seed in range(30)]
    assert drawn[0] == family.chosen_for_check(found, 2, 0)
    assert {sae for pair in drawn for sae in pair} == set(MEMBERS) - {"deep"}
    assert family.chosen_for_check(found, 0, 0) == []


def test_the_figures_show_every_number(data: Path) -> None:
    found = family.read_family()
    table = family.along(found, family.steps(found, family.L0), family.QUANTITIES)
    fig: Any = figures.against(table, "l0_text", family.SCORES, "L0")
    assert len(fig.data) == len(family.quantities(family.SCORES)) == 10
    assert [trace.name for trace in fig.data if trace.showlegend] == [*family.SCORES["F1"], "L1 k-sparse"]
    for trace in fig.data:
        assert list(trace.y) == [value_of(sae) for sae in ("sparse", "base", "dense")]
    table = family.along(found, family.steps(found, family.ARCHITECTURE), family.QUANTITIES)
    fig: Any = dots(table, family.RATES, "architecture", "rate")
    assert [trace.name for trace in fig.data] == ["batchtopk", "matryoshka"]

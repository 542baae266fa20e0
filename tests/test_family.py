"""The family's stored numbers: paired differences by hand, and no number of another SAE passes for a shipped one."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from absorption import claims, family
from absorption.data import data_root
from absorption.family import check, numbers
from absorption.family.quantities import PRECISION, QUANTITIES
from absorption.family.seeds import by_chance, interval_with_seeds
from absorption.plots import family as figures
from absorption.plots.report import dots
from absorption.report.numbers import COLUMNS
from absorption.statistics import interval
from absorption.training.recipe import Recipe

MEMBERS = {
    "base": {},
    "sparse": {"k": 16},
    "dense": {"k": 64},
    "wide": {"d_sae": 8192},
    "matryoshka": {"architecture": "matryoshka"},
    "seed-1": {"seed": 1},
    "deep": {"hook_name": "blocks.12.hook_resid_post"},
    "batchtopk-4096-l0-32-seed-2": {"seed": 2},
    "shallow": {"hook_name": "blocks.4.hook_resid_post"},
}
UNSHIPPED = Recipe(seed=2).sae_id
"""Measured from a folder; only its recipe is in the project."""
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
        "recipe": Recipe(seed=changes.get("seed", 0)).to_dict(),
        "measured": {"held_out_text": text, "dead_latents": 3},
    }


SPLITS = "splits of a letter"
LEAD = "rate, ablation, relative lead"


def value_of(sae: str, quantity: str = SPLITS) -> float:
    """Another value for each SAE, by another law for each quantity."""
    power = 1 + [*QUANTITIES, "not kept"].index(quantity) / 10
    return 0.1 + 0.05 * list(MEMBERS).index(sae) ** power


def samples_of(sae: str, quantity: str = SPLITS) -> np.ndarray:
    """Resamples whose noise all SAEs share, so that paired differences have none."""
    return value_of(sae, quantity) + 0.2 * np.random.default_rng(0).normal(size=N)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with cards and a sweep beside it, collected."""
    root = tmp_path / "data"
    for sae, changes in MEMBERS.items():
        folder = folder_of(tmp_path, sae)
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(json.dumps(card(sae, changes)))
    shutil.copy(data_root() / "claims.yaml", root)
    monkeypatch.setenv("ABSORPTION_DATA", str(root))
    monkeypatch.setattr(numbers, "MEASURED", (Recipe(seed=2),))
    for sae in MEMBERS:
        write_run(sweep_of(tmp_path, sae), sae)
    family.collect(sweeps(tmp_path))
    return root


def folder_of(place: Path, sae: str) -> Path:
    return place / "own" / sae if sae == UNSHIPPED else place / "data" / "saes" / sae


def sweep_of(place: Path, sae: str) -> Path:
    return place / ("sweep-of-seeds" if sae == UNSHIPPED else "sweep")


def sweeps(place: Path) -> list[Path]:
    return [place / "sweep", place / "sweep-of-seeds"]


def write_run(sweep: Path, sae: str, error: str = "", **parameters: Any) -> None:
    results = sweep / "runs" / sae / "your-sae" / "results"
    results.mkdir(parents=True, exist_ok=True)
    rows = [(sae, "recall gap", name, value_of(sae, name), 0.0, 1.0) for name in [*QUANTITIES, "not kept"]]
    pd.DataFrame(rows, columns=COLUMNS).to_parquet(results / "sae-summary.parquet")
    samples = pd.DataFrame({name: samples_of(sae, name) for name in QUANTITIES}).astype(np.float32)
    shorter = pd.Series(samples_of(sae, PRECISION)[: N // 2])
    samples.assign(**{PRECISION: shorter}).to_parquet(results / "sae-resamples.parquet")
    own = {"sae_release": "local", "sae_path": str(folder_of(sweep.parent, sae))}
    where = own if sae == UNSHIPPED else {"sae_release": "shipped", "sae_path": ""}
    stamp = {
        "error": error, "absorption": "0", "commit": "c", "parameters": PARAMETERS | where | parameters,
        "packages": {},
        "loaded": {"sae": {"name": sae, "weights_hash": f"hash of {sae}"}}, "seconds": 1, "machine": "m",
        "date": "d",
    }  # fmt: skip
    (results.parent / "record.json").write_text(json.dumps(stamp))


def test_what_a_sweep_measured_comes_back(data: Path) -> None:
    found = family.read_family()
    order = ["shallow", "sparse", "base", "dense", "wide", "deep", "seed-1", UNSHIPPED, "matryoshka"]
    assert found.saes == order
    assert found.parameters == PARAMETERS
    for sae in MEMBERS:
        assert found.value(sae, "not kept") == value_of(sae, "not kept")
        for quantity in QUANTITIES:
            expected = samples_of(sae, quantity)[: N // 2 if quantity == PRECISION else N]
            np.testing.assert_allclose(found.samples(sae, quantity), expected, rtol=1e-6)
    assert np.isnan(found.value("base", "unheard of"))


def test_a_member_is_what_its_card_says(data: Path) -> None:
    rows = family.members(family.read_family()).set_index("sae")
    assert rows.loc["deep", "layer"] == 12
    assert rows.loc["matryoshka", "architecture"] == "matryoshka"
    assert rows.loc["seed-1", "seed"] == 1
    assert rows.loc["sparse", "l0_text"] == 16
    assert rows.index[rows["shipped"] == "no"].tolist() == [UNSHIPPED]


@pytest.mark.parametrize(
    ("setting", "saes"),
    [
        (family.L0, ["sparse", "base", "dense"]),
        (family.WIDTH, ["base", "wide"]),
        (family.ARCHITECTURE, ["base", "matryoshka"]),
        (family.SEED, ["base", "seed-1", UNSHIPPED]),
        (family.LAYER, ["shallow", "base", "deep"]),
    ],
)
def test_a_step_changes_one_setting_alone(data: Path, setting: str, saes: list[str]) -> None:
    assert family.steps(family.read_family(), setting)["sae"].tolist() == saes


def test_a_trend_is_the_least_squares_slope_against_the_doublings(data: Path) -> None:
    table: Any = family.trends(family.read_family(), family.L0).set_index("quantity")
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


def test_a_layer_is_compared_with_the_one_that_most_read(data: Path) -> None:
    table = family.differences(family.read_family(), family.LAYER)
    found = table[table["quantity"] == LEAD].set_index(family.LAYER)["value"].to_dict()
    base = value_of("base", LEAD)
    expected = {4: value_of("shallow", LEAD) - base, 12: value_of("deep", LEAD) - base}
    assert found == pytest.approx(expected)


SEEDS = ("base", "seed-1", UNSHIPPED)


@pytest.mark.parametrize("quantity", [SPLITS, LEAD])
def test_the_spread_over_seeds_is_that_of_each_setting_with_several(data: Path, quantity: str) -> None:
    found = family.read_family()
    assert family.repeated(found)["sae"].tolist() == list(SEEDS)
    table = family.spread(found, [SPLITS, LEAD])
    row: Any = table.set_index("quantity").loc[quantity]
    values = [value_of(sae, quantity) for sae in SEEDS]
    assert (row["seeds"], row["lowest"], row["highest"]) == (3, min(values), max(values))
    assert row["mean"] == pytest.approx(statistics.mean(values))
    assert row["sd"] == pytest.approx(statistics.stdev(values))


def test_two_seeds_have_no_standard_deviation_to_speak_of(data: Path) -> None:
    found = family.read_family()
    del found.stamps[UNSHIPPED]
    table = family.spread(found, [SPLITS])
    assert table["seeds"].tolist() == [2]
    assert table["sd"].isna().all()


@pytest.mark.parametrize("quantity", [SPLITS, LEAD])
def test_a_change_is_between_seed_means_and_beside_what_seeds_alone_would_make_of_it(
    data: Path, quantity: str
) -> None:
    found = family.read_family()
    table = family.beside_seeds(found, [SPLITS, LEAD])
    rows = table[table["quantity"] == quantity].set_index("change")
    at = {sae: value_of(sae, quantity) for sae in MEMBERS}
    base = statistics.mean(at[sae] for sae in SEEDS)
    assert rows["value"].to_dict() == pytest.approx(
        {
            "each doubling of L0": (at["dense"] - at["sparse"]) / 2,
            "each doubling of the width": at["wide"] - base,
            "matryoshka minus batchtopk": at["matryoshka"] - base,
            "layer 4 minus layer 8": at["shallow"] - base,
            "layer 12 minus layer 8": at["deep"] - base,
        }
    )
    # Student's t for 2 degrees of freedom is 4.303; the middle of the L0s has no weight in their slope.
    reach = 4.303 * statistics.stdev([at[sae] for sae in SEEDS])
    single = reach * (1 + 1 / 3) ** 0.5
    expected = dict.fromkeys(rows.index, single) | {"each doubling of L0": reach * 0.5**0.5}
    assert rows["by_chance_up_to"].to_dict() == pytest.approx(expected, rel=1e-3)
    assert rows["base"].tolist() == pytest.approx([base] * 5)
    # The resamples share their noise, so the interval over words has no width.
    assert rows["low"].tolist() == pytest.approx(rows["value"].tolist(), abs=1e-6)


def test_only_a_change_that_exceeds_chance_is_called_more(data: Path) -> None:
    found = family.read_family()
    change, rows = "matryoshka minus batchtopk", found.numbers["sae"] == "matryoshka"
    first: Any = family.beside_seeds(found, [SPLITS]).set_index("change")
    for factor, expected in ((0.99, "no"), (1.01, "yes"), (-1.01, "yes")):
        value = first.loc[change, "base"] + factor * first.loc[change, "by_chance_up_to"]
        found.numbers.loc[rows, "value"] = value
        table = family.beside_seeds(found, [SPLITS]).set_index("change")
        assert table.loc[change, "more_than_chance"] == expected


def test_seeds_that_change_nothing_stay_within_chance_in_95_of_100_families() -> None:
    """SAEs that differ in their noise alone, the base in the difference and in the middle of the slope."""
    rng, inside, n = np.random.default_rng(0), np.zeros(2), 4000
    for _ in range(n):
        base, others = rng.normal(size=4), rng.normal(size=2)
        difference, weights = others[0] - base.mean(), [1.0, *[-0.25] * 4]
        slope, slope_weights = (others[1] - others[0]) / 2, [-0.5, *[0.0] * 4, 0.5]
        inside += [
            abs(difference) < by_chance(base, weights), abs(slope) < by_chance(base, slope_weights)
        ]  # fmt: skip
    assert inside / n == pytest.approx([0.95, 0.95], abs=0.012)


def test_the_text_counts_rates_and_other_numbers_apart(data: Path) -> None:
    found = family.read_family()
    beside = family.beside_seeds(found, [LEAD, "rate, full absorption", SPLITS])
    beside["more_than_chance"] = ["yes", *["no"] * 13, "yes"]
    told = family.in_words(found, beside)
    assert (told["n_rates"], told["n_rates_more"], told["n_others"], told["n_others_more"]) == (10, 1, 5, 1)
    assert told["rates_more"] == f"each doubling of L0 ({LEAD})"
    assert (told["n_rules"], told["n_above"]) == (2, 0)
    for sae in ("matryoshka", "deep"):  # two seeds of a standard SAE
        path = data / "saes" / sae / "card.json"
        path.write_text(json.dumps(card(sae, {"architecture": "standard", "seed": int(sae == "deep")})))
    rows = found.numbers["sae"].isin(["matryoshka", "deep"]) & (found.numbers["quantity"] == LEAD)
    highest = max(value_of(sae, LEAD) for sae in SEEDS)
    for factor, n_above in ((1.01, 1), (0.99, 0)):
        found.numbers.loc[rows, "value"] = factor * highest
        found.numbers.loc[~rows & found.numbers["sae"].isin(["matryoshka", "deep"]), "value"] = 0.0
        assert family.in_words(found, beside)["n_above"] == n_above


def test_the_first_seed_is_placed_among_the_others(data: Path) -> None:
    found = family.read_family()
    assert family.below_first_seed(found, LEAD) == (3, 0)
    found.numbers.loc[found.numbers["sae"] == "seed-1", "value"] = 0.0
    assert family.below_first_seed(found, LEAD) == (3, 1)


def test_seeds_without_spread_say_nothing_of_chance(data: Path) -> None:
    assert np.isnan(by_chance([0.0, 0.0, 0.0], [1.0, -1.0]))
    assert np.isnan(by_chance([0.1], [1.0, -1.0]))


def test_a_claim_is_judged_by_seed_means_over_words_and_seeds(data: Path) -> None:
    found = family.read_family()
    table: Any = family.claims_table(found).set_index(["claim", "part"])
    row: Any = family.beside_seeds(found, [LEAD]).set_index("change").loc["matryoshka minus batchtopk"]
    claim = table.loc[("matryoshka", "ablation")]
    assert claim["value"] == pytest.approx(
        value_of("matryoshka", LEAD) - statistics.mean(value_of(sae, LEAD) for sae in SEEDS)
    )
    # The resamples share their noise, so all of the interval is the seeds'.
    assert claim["high"] - claim["value"] == pytest.approx(row["by_chance_up_to"], rel=1e-4)
    assert claim["value"] - claim["low"] == pytest.approx(row["by_chance_up_to"], rel=1e-4)
    assert claim["note"] == "4 SAEs; interval over words and seeds"


def test_words_and_seeds_add_in_squares_and_without_seeds_words_are_left() -> None:
    row = pd.Series({"value": 1.0, "low": 0.7, "high": 1.05, "by_chance_up_to": 0.4})
    assert interval_with_seeds(row) == pytest.approx((0.5, 1 + (0.05**2 + 0.4**2) ** 0.5))
    alone = row.copy()
    alone["by_chance_up_to"] = np.nan
    assert interval_with_seeds(alone) == pytest.approx((0.7, 1.05))


def test_with_one_seed_nobody_knows_what_seeds_change(data: Path) -> None:
    found = family.read_family()
    del found.stamps["seed-1"], found.stamps[UNSHIPPED]
    alone = family.beside_seeds(found, [SPLITS])
    assert alone["by_chance_up_to"].isna().all()
    assert set(alone["more_than_chance"]) == {""}
    assert not len(family.spread(found, [SPLITS]))
    notes = family.claims_table(found).query("claim != 'every-sae'")["note"]
    assert all(note.endswith("SAEs; interval over words alone") for note in notes)


def test_an_sae_alone_has_no_changes(data: Path) -> None:
    found = family.read_family()
    for sae in set(MEMBERS) - {"base"}:
        del found.stamps[sae]
    assert family.beside_seeds(found, [SPLITS]).empty


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
        family.collect(sweeps(tmp_path))


def test_a_failed_run_is_left_out_and_a_sweep_of_none_is_refused(data: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "sweep", "deep", error="stopped")
    assert "deep" not in family.collect(sweeps(tmp_path), tmp_path / "elsewhere").saes
    with pytest.raises(numbers.StoredNumbersError, match="no finished one-SAE page"):
        family.collect([tmp_path / "sweep", tmp_path / "nothing"])


def test_an_sae_measured_twice_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(numbers.StoredNumbersError, match="more than once: base, "):
        family.collect([tmp_path / "sweep", tmp_path / "sweep"])


def test_an_sae_that_is_not_shipped_goes_by_its_card(data: Path, tmp_path: Path) -> None:
    stamp = json.loads((data / numbers.FOLDER / "stamps.json").read_text())[UNSHIPPED]
    assert stamp["card"] == card(UNSHIPPED, MEMBERS[UNSHIPPED])
    assert "sae_path" not in stamp["parameters"]  # a path of one machine
    path = folder_of(tmp_path, UNSHIPPED) / "card.json"
    path.write_text(path.read_text().replace(f"hash of {UNSHIPPED}", "trained again"))
    with pytest.raises(
        numbers.StoredNumbersError, match=r"seed-2 are of weights hash of .*-seed-2, its card"
    ):
        family.collect(sweeps(tmp_path))
    path.unlink()
    with pytest.raises(numbers.StoredNumbersError, match=r"seed-2 is not shipped, and its folder .* no card"):
        family.collect(sweeps(tmp_path))


def test_without_the_numbers_of_a_seed_that_is_a_recipe_the_family_is_refused(
    data: Path, tmp_path: Path
) -> None:
    before = (data / numbers.FOLDER / "stamps.json").read_text()
    with pytest.raises(numbers.StoredNumbersError, match=r"differ in: .*seed-2"):
        family.collect([tmp_path / "sweep"])
    assert (data / numbers.FOLDER / "stamps.json").read_text() == before
    family.collect([tmp_path / "sweep"], tmp_path / "elsewhere")
    assert UNSHIPPED not in family.read_family(tmp_path / "elsewhere").saes


def test_numbers_of_another_recipe_are_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "MEASURED", (Recipe(seed=2, lr=1e-3),))
    with pytest.raises(numbers.StoredNumbersError, match="seed-2 are of another recipe"):
        family.read_family()


@pytest.mark.parametrize("name", ["stamps.json", "numbers.parquet", "resamples.parquet"])
def test_missing_and_damaged_files_are_refused(data: Path, name: str) -> None:
    path = data / numbers.FOLDER / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(numbers.StoredNumbersError, match="holds no stored numbers"):
        family.read_family()
    path.unlink()
    with pytest.raises(numbers.StoredNumbersError, match="holds no stored numbers"):
        family.read_family()


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


def test_the_sample_to_check_follows_from_the_seed_and_reads_the_common_layer(data: Path) -> None:
    found = family.read_family()
    drawn = [family.chosen_for_check(found, 2, seed) for seed in range(30)]
    assert drawn[0] == family.chosen_for_check(found, 2, 0)
    assert {sae for pair in drawn for sae in pair} == set(MEMBERS) - {"deep", "shallow", UNSHIPPED}
    assert family.chosen_for_check(found, 0, 0) == []


def test_the_figures_show_every_number(data: Path) -> None:
    found = family.read_family()
    table = family.along(found, family.steps(found, family.L0), family.QUANTITIES)
    fig: Any = figures.against(table, "l0_text", family.SCORES, "L0")
    assert len(fig.data) == len(family.quantities(family.SCORES)) == 10
    assert [trace.name for trace in fig.data if trace.showlegend] == [*family.SCORES["F1"], "L1 k-sparse"]
    drawn = {tuple(trace.y) for trace in fig.data}
    wanted = family.quantities(family.SCORES)
    assert drawn == {tuple(value_of(sae, name) for sae in ("sparse", "base", "dense")) for name in wanted}
    table = family.along(found, family.steps(found, family.ARCHITECTURE), family.QUANTITIES)
    fig: Any = dots(table, family.RATES, "architecture", "rate")
    assert [trace.name for trace in fig.data] == ["batchtopk", "matryoshka"]

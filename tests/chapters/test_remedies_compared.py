"""Chapter 17 on made-up numbers with planted differences: its claims, its text and whom it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from tests.remedies.made_up import first_of, made_up
from tests.settings_of import settings_of

from absorption.chapters import exercises
from absorption.chapters import remedies_compared as chapter
from absorption.chapters.remedies_compared import beside_toys, by_l0, numbers
from absorption.chapters.settings import ComparedRemediesSettings
from absorption.claims import catalogue
from absorption.remedies.measure import FULL
from absorption.remedies.projections import RANKS
from absorption.remedies.stored import Remedies


def read(monkeypatch: pytest.MonkeyPatch, stored: Remedies | None = None) -> numbers.Numbers:
    found = made_up() if stored is None else stored
    monkeypatch.setattr(numbers, "read_remedies", lambda _folder: found)
    return chapter.read_numbers(settings_of(ComparedRemediesSettings))


def parts(found: pd.DataFrame) -> dict[tuple[str, str], dict]:
    return {(row["claim"], row["part"]): row for row in found.to_dict("records")}


def test_claims_are_the_planted_differences_and_every_part_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = chapter.compare_arms(read(monkeypatch))
    found = parts(compared.claims())
    wanted = {
        (claim.id, part.name)
        for claim in catalogue.load().values()
        if claim.chapter.startswith("17-remedies")
        for part in claim.parts
    }
    assert set(found) == wanted
    assert found["remedy-ortsae", "full"]["value"] == pytest.approx(-0.065)
    assert found["remedy-ortsae", "relative-lead"]["value"] == pytest.approx(-0.065 / 3)
    assert found["remedy-tied", "full"]["low"] > 0
    assert found["remedy-matryoshka", "full"]["low"] < 0 < found["remedy-matryoshka", "full"]["high"]
    assert found["remedy-balanced-matryoshka", "f1"]["value"] == pytest.approx(0.1)
    assert found["remedy-ortsae", "full"]["note"] == "4 seeds against 4"
    told = compared.numbers()
    assert told["rel_ortsae_full"] == "-65%"
    assert told["base_full"].startswith("0.100 [")
    assert told["below_full"] == "balanced Matryoshka, OrtSAE, C2R, OrtSAE on TopK, tied TopK, masked on TopK"
    assert told["above_full"] == "tied"
    # Without the first seed the others' mean is off by a third of their spread, alike in both arms.
    assert told["later_tied_topk_full"].startswith("-0.090 [")
    assert told["topk_range"] == "0.106 to 0.114"
    assert told["open_full"] == "Matryoshka, C2R on TopK, masked"


def test_verdicts_on_topk_leave_out_the_seed_by_which_the_width_was_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TopK's first seed alone is high; with it OrtSAE would absorb less."""
    found = made_up(arms=("BatchTopK", "TopK", "OrtSAE on TopK"))
    for sae, value in ((first_of("TopK"), 0.40), *((first_of("TopK", seed), 0.05) for seed in (1, 2, 3))):
        mine = (found.numbers["sae"] == sae) & (found.numbers["quantity"] == FULL)
        found.numbers.loc[mine, "value"] = value
    compared = chapter.compare_arms(read(monkeypatch, found))
    judged = parts(compared.claims())["remedy-ortsae", "on-topk"]
    assert judged["note"] == "3 seeds against 3, the first left out"
    assert judged["low"] < 0 < judged["high"]
    rows = compared.differences.set_index(["arm", "quantity"])
    assert rows.loc[("OrtSAE on TopK", FULL), "value"] == pytest.approx(0.05 - 0.1375)


def test_numbers_without_the_baseline_are_not_measured_and_stop_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = read(monkeypatch, made_up(arms=("TopK", "tied TopK")))
    compared = chapter.compare_arms(numbers)
    assert compared.numbers()["base_full"] == compared.numbers()["base_range"] == "(not measured)"
    assert compared.numbers()["topk_full"].startswith("0.110 [")
    assert chapter.count_costs(numbers).numbers()["projection_base"] == "(not measured)"
    assert chapter.set_beside_published(numbers).pairs["BatchTopK"].isna().sum() == 1
    assert numbers.numbers()["remedies_l0_words"] == "(not measured)"


def test_the_text_names_arms_of_unfit_saes_and_the_range_of_l0_at_the_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = read(monkeypatch)
    arms = numbers.arms.assign(l0_words=range(20, 20 + len(numbers.arms)), fit=1)
    arms.loc[arms["arm"] == "TopK", "fit"] = 0
    monkeypatch.setattr(type(numbers), "arms", property(lambda self: arms))
    told = numbers.numbers()
    assert told["remedies_unfit_arms"] == "TopK"
    # Other architectures, and what is compared with TopK, are none of BatchTopK's family, whatever their L0.
    others = ["TopK", "JumpReLU", "standard", "OrtSAE on TopK", "C2R on TopK", "tied TopK", "masked on TopK"]
    mine = arms[~arms["arm"].isin(others)]
    least, most = mine.iloc[0], mine.iloc[-1]
    assert (least["arm"], most["arm"]) == ("BatchTopK", "masked")
    assert told["remedies_l0_words"] == f"{least['l0_words']}.0 (BatchTopK) to {most['l0_words']}.0 (masked)"


def test_an_arm_that_is_not_measured_leaves_its_claim_open(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = chapter.compare_arms(read(monkeypatch, made_up(arms=("BatchTopK", "tied"))))
    assert pd.isna(parts(compared.claims())["remedy-c2r", "full"]["value"])
    assert compared.numbers()["diff_c2r_full"] == "(not measured)"


def test_with_one_seed_an_arm_no_claim_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    found = parts(chapter.compare_arms(read(monkeypatch, made_up(seeds=(0,)))).claims())
    assert all(pd.isna(row["value"]) for row in found.values())
    assert found["remedy-ortsae", "full"]["note"].startswith("not judged with one seed")


def test_an_arm_with_one_seed_is_not_judged_although_others_have_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missed = {first_of("OrtSAE", seed): 20.0 for seed in (1, 2, 3)}
    compared = chapter.compare_arms(read(monkeypatch, made_up(l0=missed)))
    found = parts(compared.claims())
    assert pd.isna(found["remedy-ortsae", "full"]["value"])
    assert found["remedy-ortsae", "full"]["note"].endswith("1 seeds against 4")
    assert found["remedy-c2r", "full"]["value"] < 0
    assert compared.numbers()["few_full"] == "OrtSAE"


def test_an_sae_that_missed_its_l0_is_named_and_has_no_part_in_a_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sae = first_of("OrtSAE", 1)
    found = read(monkeypatch, made_up(l0={sae: 15.0}))
    assert found.numbers()["remedies_refused"] == (
        f"{sae} has L0 15.00 on text and is left out; allowed: 10.8 to 13.2."
    )
    compared = chapter.compare_arms(found)
    assert sae not in set(compared.rates["sae"])
    assert parts(compared.claims())["remedy-ortsae", "full"]["note"] == "3 seeds against 4"
    assert found.arms.set_index("arm").loc["OrtSAE", "seeds"] == 3


def test_the_text_says_how_many_seeds_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, made_up(seeds=(0, 1)))
    told = found.numbers()
    assert told["remedies_n"] == 28
    assert told["remedies_seeds"] == "2 seeds"
    assert "; tied: 2, 3;" in told["remedies_missing"]
    assert "at 2,048" in told["remedies_widths"]


def test_the_figures_tables_hold_every_sae_and_the_baseline_first(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = chapter.compare_arms(read(monkeypatch))
    rates, differences = compared.of(FULL)
    assert len(rates) == 56
    assert rates["arm"].iloc[0] == "BatchTopK"
    assert set(differences["arm"]) == set(rates["arm"]) - {"BatchTopK"}


def test_costs_are_means_over_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = chapter.count_costs(read(monkeypatch))
    table = costs.scores.set_index("arm")
    assert table.loc["Matryoshka", "F1, best F1"] == pytest.approx(0.4)
    assert table.loc["C2R", "full absorption"] == pytest.approx(0.08)
    assert table.loc["C2R", "share absorbed among candidates"] == pytest.approx(0.4)
    assert costs.numbers()["projection_base"] == f"{1 / 384:.3f}"


def test_published_pairs_are_the_six_of_pythia_and_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chapter.set_beside_published(read(monkeypatch))
    published = found.pairs[found.pairs["from"] == "Pythia-160M, SAEBench"]
    assert published["BatchTopK"].round(3).tolist() == [0.15, 0.069, 0.037, 0.02, 0.018, 0.032]
    assert published["Matryoshka"].round(3).tolist() == [0.139, 0.084, 0.054, 0.026, 0.014, 0.02]
    ours = found.pairs.iloc[-1]
    assert (ours["BatchTopK"], ours["Matryoshka"]) == pytest.approx((0.1, 0.1))
    assert found.numbers()["published_less"] == 3


def test_toys_stand_beside_the_arms_that_chapter_9_has(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def train_all(runs: list, **_how: int) -> list:
        asked.extend(run.recipe.architecture for run in runs)
        return [None] * len(runs)

    monkeypatch.setattr(beside_toys, "train_all", train_all)
    monkeypatch.setattr(beside_toys, "scores", lambda _sae, _world: dict.fromkeys(beside_toys.SHOWN, 0.5))
    compared = chapter.compare_arms(read(monkeypatch))
    rows = chapter.set_beside_toys(compared, settings_of(ComparedRemediesSettings)).table.to_dict("records")
    table: dict[str, Any] = {row["arm"]: row for row in rows}
    assert asked == ["batchtopk", "topk", "jumprelu", "standard", "matryoshka", "orthogonal", "tied"]
    assert table["OrtSAE"]["in toys"] == "orthogonal"
    assert pd.isna(table["C2R"]["in toys"])
    assert table["C2R"]["full absorption"] == pytest.approx(0.08)


def test_the_exercise_takes_the_number_of_seeds_by_the_formula_and_no_other() -> None:
    right = exercises.check_seeds(lambda sd, size: -int(-2 * (1.96 * sd / size) ** 2 // 1))
    assert right.right, right.message
    wrong = exercises.check_seeds(lambda sd, size: -int(-((1.96 * sd / size) ** 2) // 1))
    assert not wrong.right
    assert not exercises.check_seeds(None).right


def test_saes_of_every_l0_are_projected_and_the_least_projection_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert by_l0.members() == [
        "topk-8192-l0-6-layer-6", "topk-8192-l0-12-layer-6", "topk-8192-l0-24-layer-6", "topk-8192-l0-96-layer-6",
    ]  # fmt: skip
    sizes = {"6": 0.3, "12": 0.2, "24": 0.1, "96": 0.4}
    monkeypatch.setattr(by_l0, "HeldOutRows", lambda _model: SimpleNamespace(rows=None))
    monkeypatch.setattr(by_l0, "load_sae", lambda _release, sae, _model: SimpleNamespace(name=sae))

    def projections(sae: SimpleNamespace, _rows: None) -> dict[int, float]:
        size = sizes[sae.name.split("-")[3]]
        return {n: size if n < RANKS[-1] else -size for n in RANKS}

    monkeypatch.setattr(by_l0, "nth_projections", projections)
    found = chapter.project_by_l0(SimpleNamespace())  # type: ignore[arg-type]
    assert found.table["k"].tolist() == [6, 12, 24, 96]
    assert found.table["l0_words"].is_monotonic_increasing
    told = found.numbers()
    assert told["by_l0_all"] == "6, 12, 24, 96"
    assert told["by_l0_least"] == "24 at n = 48, 24 at n = 96, 24 at n = 192, 96 at n = 384"


def test_without_a_model_nothing_is_projected_and_the_text_says_so() -> None:
    found = chapter.project_by_l0(None)
    assert (len(found.table), found.numbers()["by_l0_least"]) == (0, "(not measured)")

"""Stored numbers of the arms come back, those of other SAEs do not pass, and a missed L0 is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.remedies.made_up import TRUE, card, first_of, made_up

from absorption.remedies import measure, stored
from absorption.remedies.arms import MEMBERS
from absorption.several_saes.stored_numbers import read_sae_family
from absorption.training.recipe import REMEDIES_ARMS, REMEDIES_RECIPES


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stored, "shipped_ids", lambda: [])
    stored.write_remedies(made_up(), tmp_path)
    return tmp_path


def test_what_was_measured_comes_back_and_what_is_missing_is_named(place: Path) -> None:
    found, expected = stored.read_remedies(place), made_up()
    sae = first_of("OrtSAE", 2)
    assert found.value(sae, measure.FULL) == expected.value(sae, measure.FULL) == 0.033
    assert found.samples(sae, measure.FULL).tolist() == expected.samples(sae, measure.FULL).tolist()
    assert found.saes == expected.saes
    assert set(found.missing) == set(MEMBERS) - set(found.saes)
    assert {MEMBERS[sae].arm for sae in found.missing} == set(REMEDIES_ARMS) - set(TRUE)
    assert len(found.missing) == 4 * (len(REMEDIES_ARMS) - len(TRUE)) > 0
    assert found.asked == measure.Asked()


def test_the_books_own_numbers_agree_with_the_familys_on_the_saes_that_both_have() -> None:
    found, family = stored.read_remedies(), read_sae_family()
    both = [sae for sae in found.saes if sae in family.saes]
    assert len(both) >= 3
    for sae in both:
        assert found.value(sae, measure.FULL) == pytest.approx(family.value(sae, measure.FULL), abs=1e-3)


def test_every_recipe_of_the_chapter_is_in_one_arm() -> None:
    assert {recipe.sae_id for recipe in REMEDIES_RECIPES} == set(MEMBERS)
    places = [(list(REMEDIES_ARMS).index(mine.arm), mine.recipe.seed) for mine in MEMBERS.values()]
    assert places == sorted(places)
    assert all(
        mine.recipe == replace(REMEDIES_ARMS[mine.arm], seed=mine.recipe.seed) for mine in MEMBERS.values()
    )


def test_an_sae_that_missed_its_l0_is_refused_in_one_line_and_left_out() -> None:
    low, high, edge = first_of("OrtSAE"), first_of("C2R"), first_of("tied")
    found = made_up(l0={low: 10.7, high: 13.3, edge: 13.2})
    assert found.refused == [
        f"{low} has L0 10.70 on text and is left out; allowed: 10.8 to 13.2.",
        f"{high} has L0 13.30 on text and is left out; allowed: 10.8 to 13.2.",
    ]
    kept = found.matched().saes
    assert set(found.saes) - set(kept) == {low, high}
    assert made_up().refused == []


def changed(place: Path, change: Any) -> None:
    path = place / "stamps.json"
    stamps = json.loads(path.read_text())
    change(stamps)
    path.write_text(json.dumps(stamps))


def test_another_recipe_model_table_or_arm_is_refused_in_one_line(place: Path) -> None:
    sae = first_of("BatchTopK")
    good = (place / "stamps.json").read_text()
    cases = {
        f"Stored numbers of {sae} are of recipe": lambda s: s["saes"][sae]["card"]["recipe"].update(lr=1.0),
        f"Stored numbers of {sae} are of model other": lambda s: s["saes"][sae]["card"].update(
            model_weights_hash="other"
        ),
        "Stored numbers of numbers are of sha256 x": lambda s: s["tables_sha256"].update(numbers="x"),
        "Stored numbers and stamps differ in: " + sae: lambda s: s["saes"].pop(sae),
        "Stored numbers of text are of corpus x": lambda s: s["subject"].update(corpus="x"),
    }
    for said, change in cases.items():
        changed(place, change)
        with pytest.raises(stored.StoredRemediesError, match=f"^{said}[^\n]*$"):
            stored.read_remedies(place)
        (place / "stamps.json").write_text(good)
    with pytest.raises(
        stored.StoredRemediesError, match=r"holds no stored numbers .* Make them: absorption remedies"
    ):
        stored.read_remedies(place / "nowhere")


def test_an_sae_of_no_arm_is_refused() -> None:
    found = made_up(seeds=(0,))
    tables = {name: getattr(found, name) for name in ("numbers", "resamples")}
    odd = {name: table.assign(sae="topk-512-l0-12-layer-6") for name, table in tables.items()}
    stamps = {"topk-512-l0-12-layer-6": {"weights_hash": "w", "card": card("topk-512-l0-12-layer-6")}}
    with pytest.raises(
        stored.StoredRemediesError, match="topk-512-l0-12-layer-6 is in no arm; allowed: batchtopk"
    ):
        stored.check(stored.Remedies(**odd, subject=found.subject, stamps=stamps))


def test_numbers_of_one_more_sae_take_the_place_of_its_old_ones() -> None:
    found = made_up()
    sae = first_of("tied")
    new = {
        "numbers": pd.DataFrame([{"sae": sae, "quantity": measure.FULL, "value": 0.5}]).reindex(
            columns=measure.COLUMNS
        ),
        "resamples": found.resamples[found.resamples["sae"] == sae],
    }
    after = stored.joined(found, sae, new, found.stamps[sae], found.subject)
    assert after.value(sae, measure.FULL) == 0.5
    assert (after.numbers["sae"] == sae).sum() == 1
    assert len(after.numbers) == len(found.numbers) - (found.numbers["sae"] == sae).sum() + 1

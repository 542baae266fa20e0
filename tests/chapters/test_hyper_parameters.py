"""Chapter 12's findings: what the text says of the family, and the tables of each setting."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.settings_of import settings_of
from tests.several_saes.made_up import CALIBRATED_MORE, FULL, LEAD, MEMBERS, card

from absorption import several_saes
from absorption.chapters import hyper_parameters as chapter
from absorption.chapters.hyper_parameters.again import Again
from absorption.chapters.hyper_parameters.beside_seeds import in_words
from absorption.chapters.hyper_parameters.numbers import below_first_seed, named
from absorption.chapters.settings import SaeFamilySettings
from absorption.several_saes.contrasts import base_setting

SPLITS = "splits of a letter"


def test_the_text_counts_rates_and_other_numbers_apart(data: Path) -> None:
    found = several_saes.read_sae_family()
    beside = several_saes.beside_seeds(found, [LEAD, "rate, full absorption", SPLITS])
    beside["larger"] = ["yes", *["no"] * 13, "yes"]
    told = in_words(beside)
    assert (told["n_rates"], told["n_rates_more"], told["n_others"], told["n_others_more"]) == (10, 1, 5, 1)
    assert told["rates_more"] == f"each doubling of L0 ({LEAD})"


def test_the_text_names_the_base_the_setting_that_the_others_vary(data: Path) -> None:
    found = chapter.read_numbers()
    assert found.numbers()["base"] == "BatchTopK, 4,096 latents, L0 32, layer 8"
    about = {"architecture": "topk", "d_sae": 8192, "k": 12.0}
    changed = ({}, {"k": 6}, {"k": 24}, {"d_sae": 1024}, {"architecture": "jumprelu"})
    shipped = ("sparse", "base", "dense", "shallow", "deep")
    for sae, changes in zip(shipped, changed, strict=True):
        (data / "saes" / sae / "card.json").write_text(json.dumps(card(sae, about | changes)))
    assert named(base_setting(found.family)) == "TopK, 8,192 latents, L0 12, layer 8"
    assert base_setting(found.family)["seed"] == 0


def test_the_first_seed_is_placed_among_the_others(data: Path) -> None:
    found = several_saes.read_sae_family()
    assert below_first_seed(found, LEAD) == (3, 0)
    found.numbers.loc[found.numbers["sae"] == "seed-1", "value"] = 0.0
    assert below_first_seed(found, LEAD) == (3, 1)


def test_the_text_counts_saes_and_names_the_whole_vocabulary(data: Path) -> None:
    found = chapter.read_numbers()
    told = found.numbers()
    assert told["n_saes"] == len(MEMBERS) == len(found.members)
    n_words = found.family.parameters["n_words"]
    assert told["n_words"] == (f"{n_words:,} words" if n_words else "the whole vocabulary")
    for stamp in found.family.stamps.values():
        stamp["parameters"]["n_words"] = 0
    assert found.numbers()["n_words"] == "the whole vocabulary"


def test_each_setting_has_its_own_saes(data: Path) -> None:
    varied = chapter.vary(several_saes.read_sae_family())
    assert set(varied.l0.along["sae"]) == {"sparse", "base", "dense"}
    assert set(varied.width.along["sae"]) == {"base", "wide"}
    assert set(varied.named_layers["layer"]) == {"layer 4", "layer 8", "layer 12"}
    assert varied.other_layers == [4, 12]
    assert varied.numbers()["layers"] == "The base behind other blocks: 4 and 12."
    assert varied.numbers()["architectures"] == "The base's width and L0 in other architectures: Matryoshka."
    assert set(varied.architecture.changes["architecture"]) == {"matryoshka"}
    assert set(varied.layer.shown("layer")["layer"]) == {4, 12}
    assert not [name for name, table in varied.tables().items() if table.empty]


def test_every_rate_stands_with_and_without_the_gate_the_lowest_first(data: Path) -> None:
    shown = chapter.every_rate(several_saes.read_sae_family()).shown
    of_lead = shown[shown["quantity"] == LEAD]["value"].tolist()
    assert len(of_lead) == len(MEMBERS)
    assert of_lead == sorted(of_lead)
    assert not set(shown["quantity"]) & {SPLITS}


def test_tables_lead_to_the_saes_that_the_explorer_shows_by_the_rows_definition(data: Path) -> None:
    family, shown, known = several_saes.read_sae_family(), "topk-8192-l0-6-layer-6", {"base", "sparse"}
    rates = chapter.every_rate(family)
    rates.table.loc[rates.table["sae"] == "base", "sae"] = shown
    leads = dict(
        zip(zip(rates.shown["sae"], rates.shown["quantity"], strict=True), rates.links["sae"], strict=True)
    )
    assert leads[shown, "rate, full absorption"] == f"#sae={shown}&by=full%20absorption"
    assert leads[shown, LEAD] == f"#sae={shown}&by=ablation%2C%20relative%20lead"
    assert {state for (sae, _), state in leads.items() if sae in known} == {""}
    found = chapter.read_numbers()
    found.members.loc[found.members["sae"] == "base", "sae"] = shown
    assert set(found.links["sae"]) == {"", f"#sae={shown}"}
    silences = chapter.by_silence(family)
    silences.table.loc[silences.table["sae"] == "base", "sae"] = shown
    assert set(silences.links["sae"]) == {"", f"#sae={shown}&by=full%20absorption"}


def test_nothing_drawn_is_nothing_measured_and_no_table(data: Path) -> None:
    found = chapter.measure_again(several_saes.read_sae_family(), settings_of(SaeFamilySettings, n_checked=0))
    assert found == Again([], None, None)
    assert found.tables() == {}
    assert found.numbers()["chosen"] == found.names == "none"


def test_what_the_family_lacks_is_said(data: Path) -> None:
    found = several_saes.read_sae_family()
    for sae in ("matryoshka", "deep", "shallow"):
        del found.stamps[sae]
    varied = chapter.vary(found)
    assert (varied.other_layers, varied.other_architectures) == ([], [])
    assert all("nothing is said" in text for text in varied.numbers().values())


def test_rates_stand_with_their_factors_where_rates_by_letter_are_kept(data: Path) -> None:
    found = several_saes.read_sae_family()
    table = chapter.every_rate(replace(found, letters=found.letters[found.letters["sae"] != "deep"])).shown
    for quantity in (FULL, LEAD):  # the candidates are the same under all rules that look at candidates alone
        mine = table[(table["quantity"] == quantity) & (table["sae"] != "deep")]
        assert mine["share_candidates"].tolist() == [0.5] * (len(MEMBERS) - 1)
        np.testing.assert_allclose(mine["share_candidates"] * mine["share_absorbed"], mine["value"])
    without = table[(table["sae"] == "deep") | table["quantity"].str.contains("fraction|all letters")]
    assert without["share_candidates"].isna().all()


def test_rules_of_silence_stand_beside_each_other_and_missing_saes_are_named(data: Path) -> None:
    family = several_saes.read_sae_family()
    found = chapter.by_silence(replace(family, silences=family.silences[family.silences["sae"] != "deep"]))
    assert found.without == ["deep"]
    assert list(dict.fromkeys(found.table["sae"])) == [sae for sae in family.saes if sae != "deep"]
    rows = found.drawn.pivot(index="sae", columns="silence", values="value")
    np.testing.assert_allclose(rows["calibrated"] - rows["off (published)"], CALIBRATED_MORE)
    told = found.numbers()
    assert (told["n_silences"], told["n_higher"]) == (len(MEMBERS) - 1, len(MEMBERS) - 1)
    assert (told["candidates_published"], told["candidates_calibrated"]) == ("50.0%", "80.0%")
    n = len(MEMBERS) - 1
    assert told["above_published"] == f"{n} of {n} SAEs; not above: none"
    assert told["above_calibrated"].startswith(f"0 of {n} SAEs")


def test_the_text_counts_the_seeds_of_each_point(data: Path) -> None:
    slopes = chapter.fit_over_letters(several_saes.read_sae_family())
    assert slopes.numbers() == {"n_fit": 9, "n_points": 7, "most_seeds": 3, "n_single": 6}
    assert set(slopes.slopes["definition"]) == {
        "full absorption"
    }  # the only one whose rates by letter are kept

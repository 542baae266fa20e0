"""Chapter 3's findings: claims with their notes, and numbers of the text, on SAEs scored by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from absorption.base.statistics import Estimate
from absorption.chapters.recall_gap.gap import AgainstProbe, Missed
from absorption.chapters.recall_gap.which_latent import ByLayer, SameLatent
from absorption.chapters.recall_gap.with_l0 import AgainstL0, EachLetter
from absorption.latents.score import MeanSamples


def samples(name: str, f1: float) -> MeanSamples:
    return MeanSamples(name, {"f1": f1}, {"f1": np.array([f1, f1])})


def against_l0(edge: str) -> AgainstL0:
    means = pd.DataFrame(
        {
            "sae": ["LR probe", "s", "s"],
            "selection": ["LR probe", "best F1", "lowest loss"],
            "l0_share": [np.nan, 0.1, 0.1],
        }
    )
    slopes = {"precision": Estimate(-0.2, -0.3, -0.1), "recall": Estimate(np.nan, np.nan, np.nan)}
    return AgainstL0(means, means, slopes, Estimate(0.08, 0.0, 0.08), edge, "best F1", 3)


def test_the_probe_is_beaten_on_letters_where_the_best_choice_does_as_well() -> None:
    rows = [("a", 0.7), ("a", 0.9), ("b", 0.4), ("b", 0.5), ("mean", 0.95)]
    scores = pd.DataFrame(rows, columns=["letter", "value"]).assign(metric="f1")
    probe_f1 = pd.DataFrame({"letter": ["a", "b"], "value": [0.9, 0.6]})
    found = AgainstProbe(
        scores,
        probe_f1,
        samples("LR probe", 0.75),
        samples("s", 0.5),
        "best F1",
        Estimate(0.1, 0.05, 0.15),
        "s, x",
        5,
    )
    numbers = found.numbers()
    assert (numbers["beaten"], numbers["sae"], numbers["probe_f1"]) == (1, "s", 0.75)
    assert numbers["own_gap"] == pytest.approx(0.25)
    (row,) = found.claims().to_dict("records")
    assert tuple(row.values()) == (
        "probe",
        "gap",
        0.1,
        0.05,
        0.15,
        "closest of 5 SAEs and four selections: s, x",
    )


def test_a_best_l0_at_an_edge_is_told_in_the_note_and_behind_the_verdict() -> None:
    table = against_l0("smallest").claims()
    assert table[["claim", "part"]].values.tolist() == [
        ["pr-l0", "precision"],
        ["pr-l0", "recall"],
        ["best-l0", ""],
    ]
    told = "edge of the range: the smallest L0 tried is the best"
    assert table["note"].tolist() == ["3 SAEs of one width, best F1"] * 2 + [
        f"3 SAEs of one width, best F1; {told}"
    ]
    ends = table[["value", "low", "high"]].to_numpy()
    assert ends[0].tolist() == [-0.2, -0.3, -0.1]
    assert np.isnan(ends[1].astype(float)).all()
    assert against_l0("smallest").numbers()["at_edge"] == f" ({told})"
    inside = against_l0("")
    assert inside.numbers()["at_edge"] == ""
    assert inside.claims()["note"].nunique() == 1


def test_the_figure_against_l0_has_one_selection_of_saes_with_a_known_l0() -> None:
    assert against_l0("").chosen["selection"].tolist() == ["best F1"]


def test_letters_are_counted_where_they_peak() -> None:
    rows = [
        ("a", "s", 0.1),
        ("a", "t", 0.2),
        ("b", "s", 0.3),
        ("b", "t", 0.4),
        ("c", "s", 0.6),
        ("c", "t", 0.5),
    ]
    table = pd.DataFrame(rows, columns=["letter", "sae", "value"])
    assert EachLetter(table).numbers() == {"letter_peaks": "2 at t, 1 at s"}
    assert EachLetter(table[:0]).numbers() == {"letter_peaks": "no trend with one SAE"}


def test_the_two_choices_are_two_parts_of_one_claim() -> None:
    table = SameLatent(Estimate(0.6, 0.5, 0.7), Estimate(0.01, 0.0, 0.02), 130, "s").claims()
    assert table[["claim", "part", "value", "note"]].values.tolist() == [
        ["top-latent", "same-latent", 0.6, "130 pairs of SAE and letter"], ["top-latent", "same-f1", 0.01, "s"],
    ]  # fmt: skip


def test_layers_that_are_left_out_leave_no_table() -> None:
    assert dict(ByLayer(pd.DataFrame()).tables()) == {}
    assert list(ByLayer(pd.DataFrame({"value": [1]})).tables()) == ["choices-by-layer"]


def test_a_missed_word_names_what_carries_it_and_none_if_nothing_does() -> None:
    words = pd.DataFrame({"word": ["sun", "sea"], "carrier": [7, -1]})
    found = Missed(words, {7: "sun, Sun"}, 8)
    assert found.shown.to_dict("list") == {"word": ["sun", "sea"], "carried_by": ["sun, Sun", ""]}
    assert dict(found.numbers()) == {"n_missed": "2", "share_missed": 0.25}
    assert Missed(words[:0], {}, 0).numbers()["share_missed"] == 0


def test_missed_words_lead_to_the_explorer_and_their_letters_latents_do_not() -> None:
    words = pd.DataFrame({"word": [" sun"], "letter": ["s"], "latent": [7], "carrier": [3]})
    assert Missed(words, {}, 8).links("mine") == {
        "word": ["#sae=mine&letter=s&word=%20sun"],
        "letter": ["#sae=mine&letter=s"],
    }

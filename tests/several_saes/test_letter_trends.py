"""Absorption rates of the letters against L0: which rows, and that the figure draws them beside their nulls."""

from __future__ import annotations

import pandas as pd
from tests.plots.reading import panels

from absorption.plots import letters as figures
from absorption.several_saes import letter_trends


def test_rates_by_letter_take_one_definition_and_leave_out_the_mean() -> None:
    rates = pd.DataFrame(
        [
            (sae, 4096, l0, l0 / 200, definition, letter, rate, 0.0, 1.0, rate / 2, 0.0, 0.5, 0.01, "yes")
            for sae, l0 in (("low", 16.0), ("mid", 32.0))
            for definition in ("x", "y")
            for letter, rate in (("a", l0 / 100), ("mean", 0.5))
        ],
        columns=[
            "sae",
            "d_sae",
            "l0_text",
            "l0_share",
            "definition",
            "letter",
            "rate",
            "low",
            "high",
            *letter_trends.NULL,
        ],
    )
    found = letter_trends.rates_by_letter(rates, "y")
    assert found[["letter", "l0_text", "value", "high"]].values.tolist() == [
        ["a", 16.0, 0.16, 1.0], ["a", 32.0, 0.32, 1.0],
    ]  # fmt: skip
    assert found["null"].tolist() == [0.08, 0.16]
    (panel,) = panels(figures.letters_against_l0(found, "absorbed"))
    assert [(mark.x, mark.y) for mark in panel.series[""]] == [(0.08, 0.16), (0.16, 0.32)]
    assert [(mark.x, mark.y) for mark in panel.series["null"]] == [(0.08, 0.08), (0.16, 0.16)]

"""Absorption rates of the letters against L0: which rows, and that the figure draws them beside their nulls."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd

from absorption.plots import letters as figures
from absorption.several_saes import letter_trends


def test_rates_by_letter_take_one_definition_and_leave_out_the_mean() -> None:
    rates = pd.DataFrame(
        [
            (sae, 4096, l0, definition, letter, rate, 0.0, 1.0, rate / 2, 0.0, 0.5, 0.01, "yes")
            for sae, l0 in (("low", 16.0), ("mid", 32.0))
            for definition in ("x", "y")
            for letter, rate in (("a", l0 / 100), ("mean", 0.5))
        ],
        columns=[
            "sae",
            "d_sae",
            "l0_text",
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
    fig = cast(Any, figures.letters_against_l0(found, "absorbed"))
    assert [list(trace.y) for trace in fig.data] == [
        [0.16, 0.32],
        [0.08, 0.16],
    ]  # the rates, then their nulls

"""The figures of the chapter show every number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.several_saes.made_up import value_of

from absorption import several_saes
from absorption.plots import sae_family as figures
from absorption.plots.side_by_side import dots


def test_the_figures_show_every_number(data: Path) -> None:
    found = several_saes.read_sae_family()
    table = several_saes.along(found, several_saes.steps(found, several_saes.L0), several_saes.QUANTITIES)
    fig: Any = figures.against_setting(table, "l0_text", several_saes.SCORES, "L0")
    assert len(fig.data) == len(several_saes.quantities(several_saes.SCORES)) == 4 * 3 + 1
    assert [trace.name for trace in fig.data if trace.showlegend] == [
        *several_saes.SCORES["F1"],
        "L1 k-sparse",
    ]
    drawn = {tuple(trace.y) for trace in fig.data}
    wanted = several_saes.quantities(several_saes.SCORES)
    assert drawn == {tuple(value_of(sae, name) for sae in ("sparse", "base", "dense")) for name in wanted}
    table = several_saes.along(
        found, several_saes.steps(found, several_saes.ARCHITECTURE), several_saes.QUANTITIES
    )
    fig: Any = dots(table, several_saes.RATES, "architecture", "rate")
    assert [trace.name for trace in fig.data] == ["batchtopk", "null", "matryoshka", "null"]
    assert [trace.showlegend for trace in fig.data[1::2]] == [True, False]
    assert all(set(trace.x) == {0.05} for trace in fig.data[1::2])
    fig = figures.against_setting(table, "k", several_saes.RATES, "L0")
    assert [trace.name for trace in fig.data].count("null") == len(several_saes.RATES)

"""The figures of the chapter show every number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.family.made_up import value_of

from absorption import family
from absorption.plots import family as figures
from absorption.plots.report import dots


def test_the_figures_show_every_number(data: Path) -> None:
    found = family.read_family()
    table = family.along(found, family.steps(found, family.L0), family.QUANTITIES)
    fig: Any = figures.against(table, "l0_text", family.SCORES, "L0")
    assert len(fig.data) == len(family.quantities(family.SCORES)) == 4 * 3 + 1
    assert [trace.name for trace in fig.data if trace.showlegend] == [*family.SCORES["F1"], "L1 k-sparse"]
    drawn = {tuple(trace.y) for trace in fig.data}
    wanted = family.quantities(family.SCORES)
    assert drawn == {tuple(value_of(sae, name) for sae in ("sparse", "base", "dense")) for name in wanted}
    table = family.along(found, family.steps(found, family.ARCHITECTURE), family.QUANTITIES)
    fig: Any = dots(table, family.RATES, "architecture", "rate")
    assert [trace.name for trace in fig.data] == ["batchtopk", "null", "matryoshka", "null"]
    assert [trace.showlegend for trace in fig.data[1::2]] == [True, False]
    assert all(set(trace.x) == {0.05} for trace in fig.data[1::2])
    fig = figures.against(table, "k", family.RATES, "L0")
    assert [trace.name for trace in fig.data].count("null") == len(family.RATES)

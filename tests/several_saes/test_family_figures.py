"""The figures of the chapter show every number."""

from __future__ import annotations

from pathlib import Path

from tests.plots.reading import panels
from tests.several_saes.made_up import value_of

from absorption import several_saes
from absorption.plots import sae_family as figures
from absorption.plots.side_by_side import dots


def test_the_figures_show_every_number(data: Path) -> None:
    found = several_saes.read_sae_family()
    table = several_saes.along(found, several_saes.steps(found, several_saes.L0), several_saes.QUANTITIES)
    shown = panels(figures.against_setting(table, "l0_text", several_saes.SCORES, "L0"))
    wanted = several_saes.quantities(several_saes.SCORES)
    drawn = [tuple(mark.y for mark in marks) for panel in shown for marks in panel.series.values()]
    assert len(drawn) == len(wanted) == 4 * 3 + 1
    assert set(drawn) == {
        tuple(value_of(sae, name) for sae in ("sparse", "base", "dense")) for name in wanted
    }
    named = dict.fromkeys(name for panel in shown for name in panel.series if name)
    assert list(named) == [*several_saes.SCORES["F1"], "L1 k-sparse"]
    table = several_saes.along(
        found, several_saes.steps(found, several_saes.ARCHITECTURE), several_saes.QUANTITIES
    )
    (panel,) = panels(dots(table, several_saes.RATES, "architecture", "rate"))
    assert set(panel.series) == {"batchtopk", "null", "matryoshka"}
    assert {mark.x for mark in panel.series["null"]} == {0.05}
    assert len(panel.series["null"]) == 2 * len(several_saes.quantities(several_saes.RATES))
    shown = panels(figures.against_setting(table, "k", several_saes.RATES, "L0"))
    assert sum("null" in panel.series for panel in shown) == len(several_saes.RATES)

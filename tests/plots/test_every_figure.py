"""Every figure shows the numbers of its table, all of them, along the axes that say so."""

from __future__ import annotations

import pytest
from tests.plots import (
    of_absorption,
    of_concepts,
    of_letters,
    of_mediation,
    of_meta_saes,
    of_planted,
    of_remedies,
    of_scaling,
    of_stitching,
    of_toys,
)
from tests.plots.reading import assert_shows
from tests.plots.tables import CASES

from absorption.plots import named

CASES_FROM = (
    of_absorption,
    of_concepts,
    of_letters,
    of_mediation,
    of_meta_saes,
    of_planted,
    of_remedies,
    of_scaling,
    of_stitching,
    of_toys,
)


def test_every_plot_function_has_a_case() -> None:
    assert len(named.functions()) > 40
    assert set(CASES) == set(named.functions())


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_figure_shows_its_table(name: str) -> None:
    fig, expected = CASES[name]()
    assert expected
    assert_shows(fig, expected)


@pytest.mark.parametrize("name", sorted(CASES))
def test_no_two_columns_of_a_case_could_be_taken_for_each_other(name: str) -> None:
    """A case whose x and y, or two ends of a bar, were equal would not see them swapped."""
    _, expected = CASES[name]()
    for panel in expected:
        marks = [mark for marks in panel.series.values() for mark in marks]
        assert marks or panel.cells
        for mark in marks:
            for at, low, high in ((mark.x, mark.x_low, mark.x_high), (mark.y, mark.y_low, mark.y_high)):
                assert low is None or high is None or (low <= at <= high and abs(low + high - 2 * at) > 1e-6)
        assert not marks or {mark._replace(x=mark.y, y=mark.x) for mark in marks} != set(marks)

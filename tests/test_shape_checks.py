"""The shape annotations of the library are alive in the tests."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from absorption.base import statistics


def test_a_table_of_the_wrong_shape_is_refused_while_testing() -> None:
    with pytest.raises(TypeCheckError, match="values"):
        statistics.mean_interval(np.ones((2, 3)))


def test_two_tables_that_disagree_about_the_words_are_refused_while_testing() -> None:
    predicted, truth = np.ones((4, 26), dtype=bool), np.ones((5, 26), dtype=bool)
    with pytest.raises(TypeCheckError, match="truth"):
        statistics.score_samples(predicted, truth, np.ones((10, 4)))

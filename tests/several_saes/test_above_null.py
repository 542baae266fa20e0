"""How many of several SAEs absorb more than their own null."""

import numpy as np
import pandas as pd
import pytest

from absorption.several_saes.above_null import share_above


@pytest.mark.parametrize(
    ("p", "value", "low", "high", "note"),
    [
        ([0.001, 0.002, 0.003], 1.0, 1.0, 1.0, "3 of 3 SAEs; not above: none"),
        # .03 and .04 alone would pass; as the last two of three tests they do not, and the words cannot tell
        ([0.001, 0.03, 0.04], 1 / 3, 1 / 3, 1.0, "1 of 3 SAEs; not above: b, c"),
        ([0.001, 0.002, 1.0], 2 / 3, 2 / 3, 2 / 3, "2 of 3 SAEs; not above: c"),  # c absorbs nothing
        ([0.001, np.nan, 0.002], 1.0, 1.0, 1.0, "2 of 2 SAEs; not above: none; without a rate: b"),
    ],
)
def test_the_share_of_saes_above_their_null_after_holm(p, value, low, high, note) -> None:
    share, said = share_above(pd.Series(p, index=list("abc")))
    assert (share.value, share.low, share.high) == pytest.approx((value, low, high))
    assert said == note

"""Figures of the chapter on remedies: rates of arms by seed beside their null, and differences from the baseline."""

from __future__ import annotations

import pandas as pd

from absorption.plots import marks, theme
from absorption.plots.theme import Canvas, drawing


@drawing
def compared(rates: pd.DataFrame, differences: pd.DataFrame, axis: str) -> Canvas:
    """Above: each arm's SAEs with their null; below: each arm minus the baseline.

    Args:
        rates: ``arm, seed, value, low, high, null, null_low, null_high``, one row an SAE.
        differences: ``arm, value, low, high``, one row an arm.
        axis: what the rate is called.
    """
    arms = list(dict.fromkeys(rates["arm"]))
    fig, (above, below) = theme.panels(2, height=0.7 + 0.29 * len(arms))
    rates = rates.sort_values("seed", kind="stable")
    marks.groups(
        above, rates, "arm", "value", "seed", order=arms, sideways=True, null=True, named="seed {}".format
    )
    above.set(xlabel=axis, ylabel="")
    theme.from_zero(above, "x")
    compared_arms = [arm for arm in arms if arm in set(differences["arm"])]
    marks.groups(below, differences, "arm", "value", order=compared_arms, sideways=True)
    marks.rule(below, x=0.0)
    below.set(xlabel="difference from the baseline", ylabel="")
    return fig

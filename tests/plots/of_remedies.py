"""What the figures of the chapter on remedies must show."""

from __future__ import annotations

from tests.plots.reading import Panel, points
from tests.plots.tables import frame, shows

from absorption.plots import remedies

ENDS, NULL_ENDS = ("low", "high"), ("null_low", "null_high")


@shows("remedies.compared")
def _():
    rates = frame(
        "arm seed value low high null null_low null_high",
        ("BatchTopK", 0, 0.1, 0.08, 0.13, 0.014, 0.001, 0.03), ("BatchTopK", 1, 0.12, 0.1, 0.15, 0.02, 0.01, 0.04),
        ("OrtSAE", 0, 0.04, 0.03, 0.06, 0.011, 0.002, 0.025),
    )  # fmt: skip
    differences = frame("arm value low high", ("OrtSAE", -0.07, -0.1, -0.05))
    above = Panel("full", "", order=["BatchTopK", "OrtSAE"])
    for seed, rows in rates.groupby("seed"):
        above.series[f"seed {seed}"] = points(rows, "value", "arm", x_ends=ENDS)
    above.series["null"] = points(rates, "null", "arm", x_ends=NULL_ENDS)
    below = Panel("difference from the baseline", "", order=["OrtSAE"], lines=[("x", 0.0)])
    below.series[""] = points(differences, "value", "arm", x_ends=ENDS)
    return remedies.compared(rates, differences, "full"), [above, below]

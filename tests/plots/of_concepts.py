"""What the figures of the chapter on other hierarchies must show."""

from __future__ import annotations

from tests.plots.reading import Panel, points
from tests.plots.tables import frame, shows

from absorption.plots import concepts

ENDS = ("low", "high")


@shows("concepts.rates")
def _():
    table = frame(
        "concept definition rate low high null null_low null_high",
        ("suffix", "full absorption", 0.2, 0.1, 0.33, 0.05, 0.0, 0.13),
        ("last letter", "full absorption", 0.4, 0.35, 0.52, 0.02, 0.01, 0.06),
        ("suffix", "ablation", 0.1, 0.0, 0.24, 0.03, 0.0, 0.08),
    )  # fmt: skip
    order = ["suffix", "last letter"]
    expected = []
    for name, rows in table.groupby("definition", sort=False):
        x = "mean rate over labels" if name == "ablation" else ""
        panel = Panel(x, "", title=str(name), order=order)
        panel.series = {"": points(rows, "rate", "concept", x_ends=ENDS)}
        panel.series["null"] = points(rows, "null", "concept", x_ends=("null_low", "null_high"))
        expected.append(panel)
    return concepts.rates(table), expected


@shows("concepts.by_depth")
def _():
    table = frame(
        "steps words value low high null",
        ("1-2", 10, 0.2, 0.1, 0.37, 0.05), ("3", 20, 0.1, 0.05, 0.22, 0.04),
    )  # fmt: skip
    panel = Panel("steps from the word up to its label", "fully absorbed", order=["1-2", "3"])
    panel.series = {"": points(table, "steps", "value", y_ends=ENDS)}
    panel.series["mean null"] = points(table, "steps", "null")
    return concepts.by_depth(table), [panel]

"""What the figures of the chapter on scaling must show."""

from __future__ import annotations

import pandas as pd
from tests.plots.reading import Panel, points
from tests.plots.tables import frame, shows

from absorption.plots import scaling

ENDS = ("low", "high")
WIDTHS = {512.0: "512", 1024.0: "1,024", 8192.0: "8,192"}
TABLE = frame(
    "d_sae k value low high",
    (512, 6, 0.5, 0.48, 0.53), (1024, 6, 0.42, 0.4, 0.43), (8192, 12, 0.21, 0.19, 0.25),
)  # fmt: skip


def by_k(panel: Panel, table: pd.DataFrame) -> Panel:
    panel.series |= {
        f"k = {k}": points(rows, "d_sae", "value", y_ends=ENDS) for k, rows in table.groupby("k")
    }
    return panel


@shows("scaling.law")
def _():
    curves = frame("k d_sae value", (6, 512.0, 0.51), (6, 1024.0, 0.41), (12, 512.0, 0.33))
    panel = by_k(Panel(scaling.LATENTS, scaling.UNEXPLAINED, ticks=WIDTHS), TABLE)
    panel.series["the law"] = points(curves, "d_sae", "value")
    return scaling.law(TABLE, curves), [panel]


@shows("scaling.left_out")
def _():
    table = frame(
        "d_sae k kind value low high",
        (512, 6, "one", 0.1, 0.02, 0.2), (1024, 6, "one", -0.2, -0.3, 0.1), (8192, 12, "widest", 0.05, 0.01, 0.12),
    )  # fmt: skip
    expected = [
        by_k(
            Panel(scaling.LATENTS, scaling.LEFT_OUT, title=str(kind), lines=[("y", 0.0)], ticks=WIDTHS), rows
        )
        for kind, rows in table.groupby("kind", sort=False)
    ]
    return scaling.left_out(table), expected


@shows("scaling.dead")
def _():
    course = frame(
        "run tokens value", ("both", 1_000_000, 0.1), ("both", 2_000_000, 0.05), ("neither", 1_000_000, 0.8)
    )
    panel = Panel("million tokens trained on", "share of latents dead")
    for run, rows in course.groupby("run"):
        panel.series[str(run)] = points(rows.assign(tokens=rows["tokens"] / 1e6), "tokens", "value")
    return scaling.dead(course), [panel]


@shows("scaling.kept")
def _():
    table = frame(
        "sae kept value low high",
        ("TopK", 12, 0.3, 0.28, 0.33), ("TopK", 48, 0.5, 0.45, 0.52), ("Multi-TopK", 48, 0.2, 0.15, 0.22),
    )  # fmt: skip
    panel = Panel("latents kept", scaling.UNEXPLAINED, ticks={12.0: "12", 48.0: "48"})
    for name, rows in table.groupby("sae"):
        panel.series[str(name)] = points(rows, "kept", "value", y_ends=ENDS)
    return scaling.kept(table), [panel]


@shows("scaling.shrinkage")
def _():
    table = frame(
        "sae architecture value low high", ("a", "topk", 1.01, 1.0, 1.04), ("b", "standard", 1.2, 1.1, 1.5)
    )
    panel = Panel(scaling.RATIO, "", lines=[("x", 1.0)], order=["a", "b"])
    panel.series[""] = points(table, "value", "sae", x_ends=ENDS)
    return scaling.shrinkage(table), [panel]


@shows("scaling.recovered")
def _():
    return scaling.recovered(TABLE), [by_k(Panel(scaling.LATENTS, scaling.RECOVERED, ticks=WIDTHS), TABLE)]


@shows("scaling.absorption")
def _():
    table = frame(
        "panel size definition seed value low high",
        ("by k", 6, "full", 0, 0.1, 0.05, 0.2), ("by k", 12, "full", 0, 0.2, 0.15, 0.3),
        ("by k", 12, "full", 1, 0.25, 0.2, 0.35), ("by n", 1024, "full", 0, 0.05, 0.01, 0.12),
        ("by n", 8192, "full", 2, 0.3, 0.2, 0.45),
    )  # fmt: skip
    expected = []
    for name, rows in table.groupby("panel"):
        ticks = {float(size): f"{size:,}" for size in rows["size"].unique()}
        title = "active latents a token (left), latents (right)"
        panel = Panel(title, "absorption rate", title=f"full, {name}", ticks=ticks)
        panel.series["first seed"] = points(rows[rows["seed"] == 0], "size", "value", y_ends=ENDS)
        panel.series["other seeds"] = points(rows[rows["seed"] > 0], "size", "value", y_ends=ENDS)
        expected.append(panel)
    return scaling.absorption(table), expected


@shows("scaling.quality")
def _():
    table = frame(
        "panel size measure seed value low high",
        ("8 latents", 6, "probe loss", 0, 0.5, 0.45, 0.58), ("8 latents", 12, "probe loss", 0, 0.4, 0.35, 0.5),
        ("k = 12", 8, "probe loss", 0, 0.4, 0.35, 0.5), ("k = 12", 8, "probe loss", 1, 0.42, 0.4, 0.5),
        ("8 latents", 6, "share moved", 0, 0.2, 0.15, 0.3), ("k = 12", 8, "share moved", 0, 0.3, 0.25, 0.5),
        ("k = 12", 8, "share moved", 1, 0.2, 0.15, 0.3),
    )  # fmt: skip
    expected = []
    for measure, of in table.groupby("measure", sort=False):
        for name, rows in of.groupby("panel"):
            ticks = {float(size): f"{size:,}" for size in rows["size"].unique()}
            lines = [("y", 0.6)] if measure == "probe loss" else []
            panel = Panel(
                "active latents a token (left), latents (right)", "measure of quality", title=f"{measure}, {name}",
                ticks=ticks, lines=lines,
            )  # fmt: skip
            for series, mine in (
                ("first seed", rows[rows["seed"] == 0]),
                ("other seeds", rows[rows["seed"] > 0]),
            ):
                if len(mine):
                    panel.series[series] = points(mine, "size", "value", y_ends=ENDS)
            expected.append(panel)
    return scaling.quality(table, {"probe loss": 0.6}), expected

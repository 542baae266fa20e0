"""What the figures of the chapters on planted truth must show."""

from __future__ import annotations

import pandas as pd
from tests.plots.reading import Panel, points
from tests.plots.tables import frame, shows

from absorption.plots import planted


def _with_ends(columns: str, *names: str) -> str:
    return " ".join([columns, *(f"{name}{end}" for name in names for end in ("", "_low", "_high"))])


def _ends(name: str) -> tuple[str, str]:
    return f"{name}_low", f"{name}_high"


@shows("planted.found_and_fooled")
def _():
    table = frame(
        _with_ends("case n_true definition", "recall", "false_rate"),
        ("full", 9, "ablation", 0.9, 0.8, 0.95, 0.0, 0.0, 0.1), ("part", 9, "ablation", 0.4, 0.3, 0.6, 0.0, 0.0, 0.1),
        ("full", 9, "fraction", 0.7, 0.65, 0.9, 0.0, 0.0, 0.1), ("none", 0, "fraction", 0.0, 0.0, 0.1, 0.2, 0.1, 0.25),
    )  # fmt: skip
    found = Panel("", "", title="absorbing: share of the absorbed words found")
    found.series["ablation"] = points(table.iloc[:2], "recall", "case", x_ends=_ends("recall"))
    found.series["fraction"] = points(table.iloc[2:3], "recall", "case", x_ends=_ends("recall"))
    fooled = Panel("", "", title="not absorbing: share of the words called absorbed")
    fooled.series["fraction"] = points(table.iloc[3:], "false_rate", "case", x_ends=_ends("false_rate"))
    return planted.found_and_fooled(table), [found, fooled]


def _settings(by: str) -> pd.DataFrame:
    return frame(
        _with_ends(f"{by} setting definition", "recall", "precision"),
        ("strength", 0.5, "ablation", 0.3, 0.2, 0.45, 0.8, 0.7, 0.85),
        ("strength", 1.0, "ablation", 0.5, 0.45, 0.6, 0.9, 0.88, 0.99),
        ("strength", 1.0, "fraction", 0.6, 0.55, 0.7, 0.75, 0.7, 0.78),
        ("noise", 2.0, "fraction", 0.1, 0.05, 0.2, 0.65, 0.6, 0.69),
    )


@shows("planted.sweeps")
def _():
    table = _settings("factor")
    noise, strength = Panel("", "", title="by noise"), Panel("", "", title="by strength")
    noise.series["fraction"] = points(table.iloc[3:], "setting", "precision", y_ends=_ends("precision"))
    strength.ticks = {0.5: "0.5", 1.0: "1"}
    for definition, rows in table.iloc[:3].groupby("definition"):
        strength.series[str(definition)] = points(rows, "setting", "recall", y_ends=_ends("recall"))
    titles = {"noise": ("precision", "by noise"), "strength": ("recall", "by strength")}
    return planted.sweeps(table, titles), [noise, strength]


@shows("planted.thresholds")
def _():
    table, expected = _settings("threshold"), []
    for name, mine in (("strength", table.iloc[:3]), ("noise", table.iloc[3:])):
        for column in ("recall", "precision"):
            panel = Panel("", "", title=f"{column}: {name}")
            for definition, rows in mine.groupby("definition"):
                panel.series[str(definition)] = points(rows, "setting", column, y_ends=_ends(column))
            expected.append(panel)
    return planted.thresholds(table), expected


@shows("planted.roc")
def _():
    table = frame(
        "score false_rate true_rate", ("x", 1e-6, 0.1), ("x", 0.01, 0.4), ("x", 0.5, 0.9), ("y", 0.2, 0.3)
    )
    panel = Panel("share of the other pairs ranked as high", "share of the absorbing pairs found")
    panel.ticks = {1e-5: "1e-05", 1e-4: "0.0001", 1e-3: "0.001", 1e-2: "0.01", 0.1: "0.1", 1: "1"}
    panel.series["x"] = points(table.iloc[1:3], "false_rate", "true_rate")  # 1e-6 is left of the axis
    panel.series["y"] = points(table.iloc[3:], "false_rate", "true_rate")
    at = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 1]
    panel.series["chance"] = points(pd.DataFrame({"x": at, "y": at}), "x", "y")
    return planted.roc(table, log=True), [panel]


@shows("planted.areas")
def _():
    table = frame(
        _with_ends("pairs score base_rate", "auc", "precision"),
        ("all", "x", 0.01, 0.8, 0.7, 0.85, 0.3, 0.2, 0.35), ("all", "y", 0.01, 0.6, 0.55, 0.7, 0.1, 0.05, 0.2),
        ("few", "x", 0.2, 0.9, 0.88, 0.95, 0.5, 0.4, 0.65),
    )  # fmt: skip
    auc = Panel("", "", title="area under the ROC curve (chance: 0.5)", lines=[("x", 0.5)] * 2)
    precision = Panel("", "", title="average precision (chance: base rate)", lines=[("x", 0.01), ("x", 0.2)])
    for panel, column in ((auc, "auc"), (precision, "precision")):
        for pairs, rows in table.groupby("pairs"):
            panel.series[str(pairs)] = points(rows, column, "score", x_ends=_ends(column))
    return planted.areas(table), [auc, precision]


@shows("planted.precision_at")
def _():
    table = frame("k precision base_rate", (10, 0.8, 0.05), (100, 0.3, 0.06))
    panel = Panel("first k pairs", "share that the labelled metric confirms", ticks={10: "10", 100: "100"})
    panel.series["by score"] = points(table, "k", "precision")
    panel.series["base rate"] = points(table, "k", "base_rate")
    return planted.precision_at(table), [panel]


@shows("planted.found_by_silence")
def _():
    table = frame(
        _with_ends("case n_true definition silence", "recall"),
        ("leaky", 9, "ablation", "off", 0.2, 0.1, 0.35), ("leaky", 9, "ablation", "calibrated", 0.7, 0.65, 0.8),
        ("weak", 9, "ablation", "off", 0.1, 0.0, 0.25), ("leaky", 9, "full", "calibrated", 0.8, 0.75, 0.95),
        ("none", 0, "full", "off", 0.0, 0.0, 0.0),
    )  # fmt: skip
    ablation = Panel("", "", title="ablation: share of the absorbed words found")
    ablation.series["off"] = points(table.iloc[[0, 2]], "recall", "case", x_ends=_ends("recall"))
    ablation.series["calibrated"] = points(table.iloc[[1]], "recall", "case", x_ends=_ends("recall"))
    full = Panel("", "", title="full: share of the absorbed words found")
    full.series["calibrated"] = points(table.iloc[[3]], "recall", "case", x_ends=_ends("recall"))
    return planted.found_by_silence(table), [ablation, full]

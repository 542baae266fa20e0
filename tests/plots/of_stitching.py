"""What the figures of the chapter on stitching must show."""

from __future__ import annotations

import pandas as pd
from tests.plots.reading import Panel, Point, points
from tests.plots.tables import frame, shows

from absorption.plots import stitching

CHANGE = "change of the squared error, over what the latent writes"
ENDS = ("low", "high")


@shows("stitching.histograms")
def _():
    table = frame(
        "pair kind change share",
        ("8 to 16", "novel", -0.5, 0.3), ("8 to 16", "novel", 0.5, 0.1), ("8 to 16", "similar", -0.5, 0.05),
        ("two seeds of 8", "novel", 0.7, 0.2), ("two seeds of 8", "similar", 0.9, 0.6),
    )  # fmt: skip
    expected = []
    for name, rows in table.groupby("pair", sort=False):
        panel = Panel(CHANGE, "share of latents", title=str(name), lines=[("x", 0.0)])
        panel.series = {str(kind): points(mine, "change", "share") for kind, mine in rows.groupby("kind")}
        expected.append(panel)
    return stitching.histograms(table), expected


@shows("stitching.against_cosine")
def _():
    table = frame(
        "pair cosine value low high",
        ("8 to 16", 0.35, -0.4, -0.6, 0.1), ("8 to 16", 0.75, 0.3, 0.2, 0.5), ("two seeds of 8", 0.95, 0.8, 0.7, 0.95),
    )  # fmt: skip
    predicted = frame("cosine value", (0.1, -0.98), (0.9, 0.62))
    panel = Panel("largest decoder cosine with the smaller SAE", CHANGE, lines=[("y", 0.0), ("x", 0.7)])
    panel.series["one feature, one latent"] = points(predicted, "cosine", "value")
    for name, rows in table.groupby("pair"):
        panel.series[str(name)] = points(rows, "cosine", "value", y_ends=ENDS)
    return stitching.against_cosine(table, predicted, 0.7), [panel]


@shows("stitching.roc")
def _():
    table = frame(
        "pair false_rate true_rate",
        ("8 to 16", 0.1, 0.6), ("8 to 16", 0.4, 0.9), ("two seeds of 8", 0.2, 0.3), ("two seeds of 8", 0.8, 0.85),
    )  # fmt: skip
    panel = Panel("latents that lower the error, flagged", "latents that raise it, flagged")
    panel.series["chance"] = [Point(0.0, 0.0), Point(1.0, 1.0)]
    for name, rows in table.groupby("pair"):
        panel.series[str(name)] = points(rows, "false_rate", "true_rate")
    return stitching.roc(table), [panel]


@shows("stitching.shares")
def _():
    table = frame(
        "pair threshold quantity value low high",
        ("8 to 16", 0.5, "novel", 0.3, 0.25, 0.4), ("8 to 16", 0.7, "novel", 0.6, 0.5, 0.65),
        ("two seeds of 8", 0.7, "novel", 0.2, 0.1, 0.35), ("8 to 16", 0.7, "similar that raise", 0.9, 0.8, 0.95),
    )  # fmt: skip
    expected = []
    for quantity, rows in table.groupby("quantity", sort=False):
        panel = Panel("cosine below which a latent is novel", "", title=str(quantity))
        panel.series = {
            str(name): points(mine, "threshold", "value", y_ends=ENDS) for name, mine in rows.groupby("pair")
        }
        expected.append(panel)
    return stitching.shares(table), expected


@shows("stitching.ways")
def _():
    walks = frame(
        "pair step l0 error",
        ("8 to 16", 0, 3.0, 10.0), ("8 to 16", 1, 4.5, 12.0), ("16 to 32", 0, 3.2, 8.0), ("16 to 32", 1, 5.0, 9.0),
    )  # fmt: skip
    trained = frame("sae l0 error", ("a", 3.0, 10.0), ("b", 3.2, 8.0))
    stitched = frame("up_to l0 error", (16, 4.5, 12.0), (32, 7.0, 15.0))
    panel = Panel("L0", "squared error, per token")
    for name, rows in walks.groupby("pair"):
        panel.series[str(name)] = points(rows, "l0", "error")
    panel.series["trained"] = points(trained, "l0", "error")
    panel.series["narrowest with novel latents"] = points(stitched, "l0", "error")
    return stitching.ways(walks, trained, stitched), [panel]


@shows("stitching.single_losses")
def _():
    table = frame("kind error loss", ("novel", -3.0, 0.01), ("novel", 0.5, -0.002), ("similar", 40.0, 0.2))
    panel = Panel("change of the squared error, per token", "change of the next-token loss, nats")
    panel.lines = [("x", 0.0), ("y", 0.0)]
    panel.series = {str(kind): points(rows, "error", "loss") for kind, rows in table.groupby("kind")}
    return stitching.single_losses(table), [panel]


@shows("stitching.letters")
def _():
    table = frame(
        "letter step fate", ("a", 0, "kept"), ("b", 0, "gone"), ("a", 1, "absorbed"), ("b", 1, "kept")
    )
    ticks = {0.0: "8", 1.0: "16", 2.0: "32"}
    panel = Panel("latents of the SAE", "", order=["A", "B"], ticks=ticks)
    ends = pd.DataFrame(
        [("A", 0.0, "kept"), ("A", 1.0, "kept"), ("B", 1.0, "kept"), ("B", 2.0, "kept"), ("A", 1.0, "absorbed"),
         ("A", 2.0, "absorbed"), ("B", 0.0, "gone"), ("B", 0.5, "gone")], columns=["letter", "x", "fate"],
    )  # fmt: skip
    panel.series = {str(fate): points(rows, "x", "letter") for fate, rows in ends.groupby("fate")}
    return stitching.letters(table, ["8", "16", "32"]), [panel]

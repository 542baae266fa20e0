"""What the figures of the toy chapters must show."""

from __future__ import annotations

import numpy as np
from tests.plots.reading import Panel, points
from tests.plots.tables import frame, shows

from absorption.plots import toy


@shows("toy.cosines")
def _():
    table = frame(
        "world side latent feature cosine",
        *(
            (world, side, latent, feature, value + 0.1 * (world == "b"))
            for world in ("a", "b")
            for side, latent, feature, value in (
                ("encoder", "0", "f0", 0.9), ("encoder", "0", "f1", -0.4), ("decoder", "0", "f0", 0.7),
                ("decoder", "0", "f1", 0.2),
            )
        ),
    )  # fmt: skip
    expected = []
    for world in ("a", "b"):
        for side in ("encoder", "decoder"):
            mine = table[(table["world"] == world) & (table["side"] == side)]
            panel = Panel("feature", f"{world}: latent" if side == "encoder" else "", title=side)
            panel.cells = {(r["latent"], r["feature"]): r["cosine"] for r in mine.to_dict("records")}
            expected.append(panel)
    return toy.cosines(table), expected


@shows("toy.firing")
def _():
    table = frame(
        "world pattern latent activation",
        ("a", "f0+f1", "0", 1.0), ("a", "f0+f1", "1", 0.0), ("a", "f0", "0", 0.5), ("a", "f0", "1", 1.5),
        ("b", "f1", "0", 0.25),
    )  # fmt: skip
    expected = []
    for world, mine in table.groupby("world"):
        panel = Panel("latent", "features that fire", title=str(world))
        panel.cells = {(r["pattern"], r["latent"]): r["activation"] for r in mine.to_dict("records")}
        expected.append(panel)
    return toy.firing(table), expected


@shows("toy.closed_form_losses")
def _():
    columns = "d reconstruction sparsity sparsity_weighted"
    curve = frame(columns, (0.0, 0.1, 2.0, 3.0), (1.0, 0.2, 1.5, 2.5))
    point = frame(columns, (0.9, 0.15, 1.6, 2.6))
    panel = Panel("d, share of the parent that the child's latent writes", "expected loss")
    for column, name in (
        ("sparsity", "sum of activations"), ("sparsity_weighted", "weighted by decoder norm"),
        ("reconstruction", "squared error"),
    ):  # fmt: skip
        panel.series[name] = points(curve, "d", column)
        panel.series[f"trained: {name}"] = points(point, "d", column)
    return toy.closed_form_losses(curve, point), [panel]


@shows("toy.beside_published")
def _():
    table = frame(
        "pattern latent published measured low high",
        ("f0", "0", 1.27, 1.2, 1.1, 1.25),
        ("f1", "1", 0.4, 0.5, 0.3, 0.55),
    ).assign(place=["f0, latent 0", "f1, latent 1"])
    panel = Panel("activation", "", order=["f0, latent 0", "f1, latent 1"])
    panel.series["published"] = points(table, "published", "place")
    panel.series["measured here (range over seeds)"] = points(
        table, "measured", "place", x_ends=("low", "high")
    )
    return toy.beside_published(table), [panel]


@shows("toy.surface")
def _():
    table = frame(
        "p_parent l1 absorbed predicted", (0.9, 0.01, 0.1, 0.2), (0.9, 0.04, 0.6, 0.7), (1.0, 0.01, 0.9, 0.95)
    )
    expected = []
    for column, title in (("absorbed", "trained"), ("predicted", "predicted")):
        panel = Panel("L1", "P(parent | child)", title=title)
        panel.cells = {(f"{r['p_parent']:g}", f"{r['l1']:g}"): r[column] for r in table.to_dict("records")}
        panel.cells["1", "0.04"] = np.nan
        expected.append(panel)
    return toy.surface(table, "l1", "L1"), expected


@shows("toy.agreement")
def _():
    table = frame(
        "p_parent l1 predicted absorbed", (0.9, 0.01, 0.2, 0.1), (0.9, 0.04, 0.7, 0.6), (1.0, 0.01, 0.9, 0.8)
    )
    panel = Panel("absorbed share, predicted", "absorbed share, trained")
    panel.series["equal"] = points(frame("x y", (0, 0), (1, 1)), "x", "y")
    for p, rows in table.groupby("p_parent"):
        panel.series[f"P = {p:g}"] = points(rows, "predicted", "absorbed")
    return toy.agreement(table), [panel]


@shows("toy.lines")
def _():
    table = frame(
        "p architecture absorbed predicted",
        (0.9, "standard", 0.3, 0.35),
        (1.0, "standard", 0.8, 0.85),
        (0.9, "tied", 0.1, 0.2),
    )
    panel = Panel("P(parent | child)", "absorbed share")
    for name, rows in table.groupby("architecture"):
        panel.series[str(name)] = points(rows, "p", "absorbed")
    panel.series["predicted"] = points(table, "p", "predicted")
    return toy.lines(table, "p", "P(parent | child)", by="architecture"), [panel]


@shows("toy.chain")
def _():
    table = frame(
        "ancestor descendant absorbed seed",
        ("f0", "f1", 0.2, 0),
        ("f0", "f1", 0.4, 1),
        ("f0", "f2", 0.7, 0),
        ("f1", "f2", 0.9, 0),
    )
    panel = Panel("ancestor whose direction is carried", "deepest feature that fires")
    panel.cells = {("f1", "f0"): 0.3, ("f1", "f1"): np.nan, ("f2", "f0"): 0.7, ("f2", "f1"): 0.9}
    return toy.chain(table), [panel]


@shows("toy.trade_off")
def _():
    table = frame(
        "world remedy strength seed absorbed explained_variance",
        ("trees", "L1", 0.1, 0, 0.5, 0.9), ("trees", "L1", 0.1, 1, 0.7, 0.8), ("trees", "L1", 0.2, 0, 0.1, 0.6),
        ("trees", "gated", 1.0, 0, 0.3, 0.95), ("chains", "L1", 0.1, 0, 0.05, 0.99),
    )  # fmt: skip
    panel = Panel("explained variance", "absorbed share, mean over pairs")
    panel.series["L1"] = points(frame("v a", (0.85, 0.6), (0.6, 0.1)), "v", "a")  # means over seeds
    panel.series["gated"] = points(frame("v a", (0.95, 0.3)), "v", "a")
    return toy.trade_off(table, "trees", "explained_variance", "explained variance"), [panel]


@shows("toy.remedies_side_by_side")
def _():
    names = [f"{name}{end}" for name in ("absorbed", "mcc") for end in ("", "_low", "_high")]
    table = frame(
        " ".join(["world remedy", *names]),
        ("trees", "L1", 0.5, 0.4, 0.7, 0.9, 0.85, 0.97), ("trees", "gated", 0.2, 0.1, 0.25, 0.8, 0.7, 0.82),
        ("chains", "L1", 0.3, 0.2, 0.45, 0.6, 0.5, 0.65),
    )  # fmt: skip
    expected = []
    for column, title in (("absorbed", "absorbed share"), ("mcc", "MCC")):
        panel = Panel("", "", title=title)
        for world, rows in table.groupby("world"):
            ends = (f"{column}_low", f"{column}_high")
            panel.series[str(world)] = points(rows, column, "remedy", x_ends=ends)
        expected.append(panel)
    return toy.remedies_side_by_side(table, {"absorbed": "absorbed share", "mcc": "MCC"}), expected

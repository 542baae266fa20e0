"""What the figures of chapter 6 must show."""

from __future__ import annotations

from tests.plots.reading import Panel, points
from tests.plots.tables import frame, shows, upper

from absorption.plots import mediation

ENDS = ("low", "high")
SHARE = "share of the whole state's effect"


@shows("mediation.shares")
def _():
    table = frame(
        "main_on part share low high",
        (True, "main latents", 0.8, 0.7, 0.95), (False, "main latents", 0.1, 0.05, 0.12),
        (False, "all latents", 0.9, 0.8, 0.97),
    )  # fmt: skip
    panel = Panel(SHARE, "", lines=[("x", 1)])
    panel.series["a main latent is on"] = points(table[table["main_on"]], "share", "part", x_ends=ENDS)
    panel.series["all main latents are off"] = points(table[~table["main_on"]], "share", "part", x_ends=ENDS)
    return mediation.shares(table), [panel]


@shows("mediation.letter_shares")
def _():
    table = frame(
        "letter part share low high",
        ("a", "main", 0.2, 0.1, 0.35), ("b", "main", 0.7, 0.6, 0.75), ("a", "all", 0.8, 0.7, 0.99),
        ("b", "all", 0.5, 0.45, 0.6), ("a", "not drawn", 0.1, 0.0, 0.3), ("b", "not drawn", 0.1, 0.0, 0.3),
    )  # fmt: skip
    panel = Panel("first letter", SHARE, lines=[("y", 1)], order=["B", "A"])
    for part in ("main", "all"):
        panel.series[part] = points(upper(table[table["part"] == part]), "letter", "share", y_ends=ENDS)
    return mediation.letter_shares(table, ["main", "all"]), [panel]


@shows("mediation.curve")
def _():
    table = frame(
        "order n_latents share low high",
        ("effect", 1, 0.5, 0.4, 0.65), ("effect", 8, 0.9, 0.85, 0.97), ("chance", 1, 0.1, 0.0, 0.2),
    )  # fmt: skip
    panel = Panel("number of latents removed", "share of the effect of removing all of them")
    panel.series["by effect"] = points(table.iloc[:2], "n_latents", "share")
    panel.series["by chance"] = points(table.iloc[2:], "n_latents", "share")
    panel.bands = list(table[["n_latents", "low", "high"]].itertuples(index=False, name=None))
    return mediation.curve(table), [panel]


@shows("mediation.estimates")
def _():
    table = frame(
        "word latent exact estimated", (" a", 1, -2.0, -1.5), (" b", 2, 0.5, 0.75), (" c", 3, 0.1, 0.2)
    )
    panel = Panel("exact effect (logits)", "integrated gradients (logits)")
    panel.series["latent on a word"] = points(table.iloc[:2], "exact", "estimated")  # the two largest
    panel.series["equal"] = points(frame("x y", (-2.0, -2.0), (0.75, 0.75)), "x", "y")
    return mediation.estimates(table, limit=2), [panel]


@shows("mediation.layers")
def _():
    table = frame(
        "kind depth share low high",
        ("mean", 8, 0.9, 0.8, 0.95), ("mean", 20, 0.3, 0.2, 0.45), ("other", 8, 0.7, 0.65, 0.72),
    )  # fmt: skip
    panel = Panel("depth (blocks applied)", "share of the metric lost", lines=[("x", 18)])
    for kind, rows in table.groupby("kind"):
        panel.series[str(kind)] = points(rows, "depth", "share")
    panel.bands = list(table[["depth", "low", "high"]].itertuples(index=False, name=None))
    return mediation.layers(table, 18), [panel]


@shows("mediation.set_edits")
def _():
    table = frame(
        "sae strength quantity value low high",
        ("x", 1.0, "p_own", -0.3, -0.4, -0.25), ("x", 3.0, "p_own", -0.6, -0.7, -0.55),
        ("y", 1.0, "p_own", -0.1, -0.2, -0.05), ("x", 1.0, "p_new", 0.2, 0.1, 0.22),
        ("y", 1.0, "edited", 0.5, 0.4, 0.8), ("y", 1.0, "not drawn", 0.9, 0.8, 1.0),
    )  # fmt: skip
    panel = Panel("change of the probability; share of answers edited", "", lines=[("x", 0)])
    for name, where in (
        ("P(own letter), 1 times the mean", [0, 2]), ("P(own letter), 3 times the mean", [1]),
        ("P(new letter), 1 times the mean", [3]), ("answers edited, 1 times the mean", [4]),
    ):  # fmt: skip
        panel.series[name] = points(table.iloc[where], "value", "sae", x_ends=ENDS)
    return mediation.set_edits(table), [panel]


@shows("mediation.edited_by_f1")
def _():
    table = frame(
        "sae new f1 edited words", ("x", "a", 0.3, 0.1, 9), ("x", "b", 0.6, 0.5, 9), ("y", "a", 0.4, 0.2, 9)
    )
    panel = Panel("F1 of the latent put in", "answers that become the new letter")
    for sae, rows in table.groupby("sae"):
        panel.series[str(sae)] = points(rows, "f1", "edited")
    return mediation.edited_by_f1(table), [panel]


@shows("mediation.edits")
def _():
    table = frame(
        "sae method value low high",
        ("x", "swap", 0.3, 0.2, 0.45), ("x", "add", 0.1, 0.05, 0.2), ("y", "swap", 0.6, 0.5, 0.65),
    )  # fmt: skip
    panel = Panel("answers that become the target letter", "")
    for sae, rows in table.groupby("sae"):
        panel.series[str(sae)] = points(rows, "value", "method", x_ends=ENDS)
    return mediation.edits(table), [panel]

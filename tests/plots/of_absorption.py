"""What the figures of chapters 5 and 12 and of the one-SAE page must show."""

from __future__ import annotations

import pandas as pd
from tests.plots.reading import Panel, points
from tests.plots.tables import frame, shows, upper

from absorption.plots import absorbed, case, filters, sae_family, side_by_side

ENDS, NULL_ENDS = ("low", "high"), ("null_low", "null_high")
NULL = "null null_low null_high"
PAPERS_BEST = [("x", 25 / 2304, 50 / 2304)]


def _rates() -> pd.DataFrame:
    return frame(
        f"sae letter definition rate low high {NULL}",
        ("one SAE", "a", "full", 0.1, 0.05, 0.2, 0.01, 0.0, 0.03),
        ("one SAE", "b", "full", 0.3, 0.2, 0.35, 0.02, 0.01, 0.04),
        ("one SAE", "mean", "full", 0.2, 0.15, 0.28, 0.015, 0.005, 0.035),
        ("another", "mean", "full", 0.22, 0.2, 0.23, 0.018, 0.006, 0.04),
        ("one SAE", "a", "ablation", 0.06, 0.02, 0.08, 0.011, 0.001, 0.02),
        ("one SAE", "b", "ablation", 0.04, 0.03, 0.09, 0.012, 0.002, 0.025),
        ("one SAE", "mean", "ablation", 0.05, 0.04, 0.07, 0.013, 0.003, 0.024),
    )


@shows("absorbed.ablation_bars")
def _():
    table = frame("name latent effect", ("short, Short", 4, -2.5), ("sea", 9, 0.3))
    panel = Panel("change of the metric (logits)", "", order=["short, Short", "sea"])
    panel.series[""] = points(table, "effect", "name")
    return absorbed.ablation_bars(table, 4), [panel]


@shows("absorbed.rates_by_letter")
def _():
    rates = _rates()
    mine = upper(rates[rates["letter"] != "mean"])
    panel = Panel("first letter", "absorbed, share of the words the probe gets", order=["B", "A"])
    for definition, rows in mine.groupby("definition"):
        panel.series[str(definition)] = points(rows, "letter", "rate", y_ends=ENDS)
    panel.series["null"] = points(mine, "letter", "null", y_ends=NULL_ENDS)
    return absorbed.rates_by_letter(rates), [panel]


@shows("absorbed.mean_rates")
def _():
    rates = _rates()
    mine = rates[rates["letter"] == "mean"]
    panel = Panel("absorbed, mean over letters", "SAE", order=["one SAE", "another"])
    for definition, rows in mine.groupby("definition"):
        panel.series[str(definition)] = points(rows, "rate", "sae", x_ends=ENDS)
    panel.series["null"] = points(mine, "null", "sae", x_ends=NULL_ENDS)
    return absorbed.mean_rates(rates, "sae", "SAE"), [panel]


@shows("absorbed.sensitivity")
def _():
    table = frame(
        f"threshold setting definition rate low high {NULL}",
        ("min_lead", 0.5, "ablation", 0.3, 0.2, 0.45, 0.02, 0.01, 0.05),
        ("min_lead", 1.0, "ablation", 0.1, 0.05, 0.17, 0.01, 0.0, 0.03),
        ("min_share", 0.4, "full", 0.2, 0.1, 0.25, 0.03, 0.01, 0.04),
        ("min_share", 0.6, "ablation", 0.12, 0.11, 0.18, 0.04, 0.02, 0.05),
    )
    lead, share = Panel("least lead", "mean rate"), Panel("least share", "mean rate")
    lead.series["ablation"] = points(table.iloc[:2], "setting", "rate", y_ends=ENDS)
    share.series["full"] = points(table.iloc[2:3], "setting", "rate", y_ends=ENDS)
    share.series["ablation"] = points(table.iloc[3:], "setting", "rate", y_ends=ENDS)
    lead.series["null"] = points(table.iloc[:2], "setting", "null", y_ends=NULL_ENDS)
    share.series["null"] = points(table.iloc[2:], "setting", "null", y_ends=NULL_ENDS)
    titles = {"min_share": "least share", "min_lead": "least lead", "min_cosine": "not in the table"}
    return absorbed.sensitivity(table, titles), [share, lead]


@shows("case.prompt_activations")
def _():
    table = frame(
        "place word role activation",
        (0, " tartan", "main", 3.0), (1, " sea", "main", 0.5), (0, " tartan", "absorbing", 0.2),
        (1, " sea", "absorbing", 4.0),
    )  # fmt: skip
    panel = Panel("words of one prompt, in order", "activation", ticks={0: "tartan", 1: "sea"})
    beside = table.assign(place=table["place"] + table["role"].map({"main": -0.2, "absorbing": 0.2}))
    for role, rows in beside.groupby("role"):
        panel.series[str(role)] = points(rows, "place", "activation")
    return case.prompt_activations(table, " sea"), [panel]


@shows("case.decoder_cosines")
def _():
    table = frame(
        "role letter cosine",
        ("main", "a", 0.7),
        ("main", "b", 0.1),
        ("absorbing", "a", 0.3),
        ("absorbing", "b", -0.1),
    )
    panel = Panel("probe of the letter", "decoder cosine")
    for role, rows in table.groupby("role"):
        panel.series[str(role)] = points(upper(rows), "letter", "cosine")
    return case.decoder_cosines(table, "a"), [panel]


@shows("case.all_cosines")
def _():
    table = frame(
        "latent encoder_cosine decoder_cosine role",
        (0, 0.1, 0.2, "other"), (1, -0.3, 0.05, "other"), (2, 0.6, 0.7, "main"),
    )  # fmt: skip
    panel = Panel("encoder cosine with the probe", "decoder cosine with the probe")
    for role, rows in table.groupby("role"):
        panel.series[str(role)] = points(rows, "encoder_cosine", "decoder_cosine")
    return case.all_cosines(table), [panel]


@shows("case.two_baselines")
def _():
    table = frame("latent mean_effect max_effect", (0, -2.0, -1.5), (1, 0.5, 0.25))
    panel = Panel("effect, right letter minus mean of the others", "effect, right letter minus best other")
    panel.series["a latent of a word"] = points(table, "mean_effect", "max_effect")
    panel.series["equal"] = points(frame("x y", (-2.0, -2.0), (0.5, 0.5)), "x", "y")
    return case.two_baselines(table), [panel]


@shows("filters.filter_and_pattern")
def _():
    dots = frame("x y kind", (1.0, 2.0, "with"), (2.0, 5.0, "with"), (3.0, 2.0, "without"))
    arrows = frame("name x y", ("filter", 0.6, 0.8), ("pattern", 1.0, 0.0))
    panel = Panel("x: along what the letter is written", "y: something that varies with x")
    for kind, rows in dots.groupby("kind"):
        panel.series[str(kind)] = points(rows, "x", "y")
    # From the points' mean, (2, 3), three times as long as given.
    panel.series["filter"] = points(frame("x y", (2.0, 3.0), (3.8, 5.4)), "x", "y")
    panel.series["pattern"] = points(frame("x y", (2.0, 3.0), (5.0, 3.0)), "x", "y")
    return filters.filter_and_pattern(dots, arrows), [panel]


def _numbers() -> pd.DataFrame:
    none = (None, None, None)
    return frame(
        f"sae report section l0_share quantity value low high {NULL}",
        ("x", "x", "gap", 0.06, "precision, a", 0.3, 0.2, 0.35, *none),
        ("x", "x", "gap", 0.06, "recall, a", 0.8, 0.7, 0.95, *none),
        ("y", "y", "gap", 0.14, "precision, a", 0.4, 0.35, 0.5, *none),
        ("y", "y", "gap", 0.14, "recall, a", 0.6, 0.5, 0.65, *none),
        ("x", "x", "rates", 0.06, "rate, full", 0.1, 0.05, 0.12, 0.02, 0.01, 0.04),
        ("y", "y", "rates", 0.14, "rate, full", 0.2, 0.15, 0.27, 0.03, 0.02, 0.06),
    ).astype(dict.fromkeys(NULL.split(), float))


@shows("sae_family.against_setting")
def _():
    table = _numbers()
    drawn = {"scores": {"first": "precision, a", "second": "recall, a"}, "rate": {"": "rate, full"}}
    ticks = {0.06: "6.0%", 0.14: "14.0%"}
    expected = []
    for title, lines in drawn.items():
        panel = Panel("L0", "", title=title, ticks=ticks)
        for name, quantity in lines.items():
            rows = table[table["quantity"] == quantity]
            panel.series[name] = points(rows, "l0_share", "value", y_ends=ENDS)
        expected.append(panel)
    expected[1].series["null"] = points(table.iloc[4:], "l0_share", "null", y_ends=NULL_ENDS)
    return sae_family.against_setting(table, "l0_share", drawn, "L0", percent=True), expected


@shows("sae_family.beside_published")
def _():
    published = frame(
        "panel series l0_share value",
        ("full", "another, old", 0.01, 0.36), ("full", "another, old", 0.3, 0.02), ("full", "a third", 0.05, 0.07),
        ("fraction", "another, new", 0.02, 0.12),
    )  # fmt: skip
    ours = frame(
        "panel series l0_share l0_share_low l0_share_high value value_low value_high",
        ("full", "ours", 0.06, 0.06, 0.14, 0.05, 0.03, 0.09),
        ("full", "ours", 0.03, 0.03, 0.065, 0.04, 0.02, 0.08),
        ("fraction", "ours", 0.055, 0.055, 0.13, 0.16, 0.15, 0.2),
    )
    expected = []
    for title, rows in published.groupby("panel", sort=False):
        panel = Panel("L0, share of d_model", "mean over letters", title=str(title), spans=PAPERS_BEST)
        for name, mine in rows.groupby("series"):
            panel.series[str(name)] = points(mine, "l0_share", "value")
        mine, x_ends = ours[ours["panel"] == title], ("l0_share_low", "l0_share_high")
        panel.series["ours"] = points(
            mine, "l0_share", "value", x_ends=x_ends, y_ends=("value_low", "value_high")
        )
        expected.append(panel)
    return sae_family.beside_published(published, ours), expected


@shows("side_by_side.dots")
def _():
    table = _numbers()
    drawn = {"scores": {"precision": "precision, a"}, "rate": {"": "rate, full"}}
    mine = table.assign(
        place=table["quantity"].map({"precision, a": "scores, precision", "rate, full": "rate"})
    )
    mine = mine.dropna(subset=["place"])
    panel = Panel("value", "", order=["scores, precision", "rate"])
    for sae, rows in mine.groupby("sae"):
        panel.series[str(sae)] = points(rows, "value", "place", x_ends=ENDS)
    nulls = mine.dropna(subset=["null"])
    panel.series["null"] = points(nulls, "null", "place", x_ends=NULL_ENDS)
    return side_by_side.dots(table, drawn, "sae", "value"), [panel]


@shows("side_by_side.one_section")
def _():
    table = _numbers()
    panel = Panel("gap", "", order=["precision, a", "recall, a"])
    for sae, rows in table.iloc[:4].groupby("sae"):
        panel.series[str(sae)] = points(rows, "value", "quantity", x_ends=ENDS)
    return side_by_side.one_section(table, "gap"), [panel]

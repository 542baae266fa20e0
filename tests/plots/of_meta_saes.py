"""What the figures of the chapter on meta-SAEs must show."""

from __future__ import annotations

import pandas as pd
from tests.plots.reading import Panel, Point, points
from tests.plots.tables import frame, shows

from absorption.plots import meta_saes

ENDS = ("low", "high")
COSINE = "largest decoder cosine with the smaller SAE, at least"


def beside(rows: pd.DataFrame, at: str, by: str) -> dict[str, list[Point]]:
    """Groups side by side at each category, values along x."""
    return {str(name): points(mine, "value", at, x_ends=ENDS) for name, mine in rows.groupby(by, sort=False)}


@shows("meta_saes.explained")
def _():
    table = frame(
        "meta_latents directions value low high",
        ("4 meta-latents", "meta-SAE", 0.5, 0.45, 0.52), ("4 meta-latents", "random", 0.1, 0.08, 0.15),
        ("8 meta-latents", "meta-SAE", 0.7, 0.66, 0.75),
    )  # fmt: skip
    order = ["meta-SAE", "random"]
    panel = Panel("share of the decoder's variance explained", "", order=order)
    panel.series = beside(table, "directions", "meta_latents")
    return meta_saes.explained(table), [panel]


@shows("meta_saes.matches")
def _():
    table = frame(
        "panel kind cosine share",
        ("4, SAE of 8", "meta-SAE", 0.1, 1.0), ("4, SAE of 8", "meta-SAE", 0.6, 0.3), ("4, SAE of 8", "null", 0.1, 0.9),
        ("4, SAE of 16", "meta-SAE", 0.2, 0.8),
    )  # fmt: skip
    expected = []
    for name, rows in table.groupby("panel", sort=False):
        panel = Panel(COSINE, "share of directions", title=str(name))
        panel.series = {str(kind): points(mine, "cosine", "share") for kind, mine in rows.groupby("kind")}
        expected.append(panel)
    return meta_saes.matches(table), expected


@shows("meta_saes.recovered")
def _():
    table = frame(
        "meta_latents judge group value low high",
        ("4", "its latents", "absorbing", 0.5, 0.4, 0.65), ("4", "its latents", "others", 0.3, 0.2, 0.35),
        ("4", "ablation", "absorbing", 0.2, 0.1, 0.25), ("8", "its latents", "others", 0.9, 0.85, 0.97),
    )  # fmt: skip
    order = ["its latents", "ablation"]
    title = "share of latents with a meta-latent of their letter"
    expected = []
    for name, rows in table.groupby("meta_latents", sort=False):
        panel = Panel(title, "", title=str(name), order=order)
        panel.series = beside(rows, "judge", "group")
        expected.append(panel)
    return meta_saes.recovered(table), expected


@shows("meta_saes.effect_parts")
def _():
    table = frame(
        "meta_latents group part value low high",
        ("4", "absorbing", "bias", 0.1, -0.1, 0.2), ("4", "absorbing", "left over", 0.8, 0.7, 1.1),
        ("4", "others", "bias", 0.0, -0.2, 0.1), ("8", "absorbing", "bias", 0.3, 0.2, 0.45),
    )  # fmt: skip
    order = ["bias", "left over"]
    expected = []
    for name, rows in table.groupby("meta_latents", sort=False):
        x = "effect of the part, over that of the whole latent"
        panel = Panel(x, "", title=str(name), order=order, lines=[("x", 0.0)])
        panel.series = beside(rows, "part", "group")
        expected.append(panel)
    return meta_saes.effect_parts(table), expected


@shows("meta_saes.rates")
def _():
    table = frame(
        "parts main definition value low high",
        ("as it is", "as before", "full", 0.09, 0.08, 0.12), ("4 meta-latents", "as before", "full", 0.05, 0.04, 0.07),
        ("4 meta-latents", "chosen anew", "full", 0.04, 0.02, 0.05), ("as it is", "as before", "part", 0.2, 0.1, 0.25),
    )  # fmt: skip
    order = ["as it is", "4 meta-latents"]
    expected = []
    for name, rows in table.groupby("definition", sort=False):
        panel = Panel("mean rate over letters" if name == "part" else "", "", title=str(name), order=order)
        found = beside(rows, "parts", "main")
        panel.series = {f"main latents {main}": marked for main, marked in found.items()}
        expected.append(panel)
    return meta_saes.rates(table), expected

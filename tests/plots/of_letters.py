"""What the figures of chapters 1 to 4 must show."""

from __future__ import annotations

import pandas as pd
from tests.plots.reading import Panel, points
from tests.plots.tables import frame, shows, upper

from absorption.plots import choices, latents, letters, probes, spelling, splitting

ENDS = ("low", "high")
CHANCE = [("y", 1 / 26)]
BEST = [("x", 25 / 2304, 50 / 2304)]
"""Where the paper finds the best F1."""
L0 = "L0 at the words, share of d_model"
TWO = frame("letter value low high", ("a", 0.3, 0.2, 0.5), ("b", 0.7, 0.6, 0.9))


@shows("spelling.accuracy_by_examples")
def _():
    table = frame("n_examples value low high", (0, 0.1, 0.05, 0.2), (10, 0.7, 0.6, 0.75))
    panel = Panel("in-context examples", "first-letter accuracy", lines=CHANCE)
    panel.series[""] = points(table, "n_examples", "value", y_ends=ENDS)
    return spelling.accuracy_by_examples(table), [panel]


@shows("spelling.accuracy_by_letter")
def _():
    panel = Panel("first letter", "accuracy", lines=CHANCE, order=["B", "A"])
    panel.series[""] = points(upper(TWO), "letter", "value", y_ends=ENDS)
    return spelling.accuracy_by_letter(TWO.assign(words=5)), [panel]


@shows("spelling.accuracy_by_group")
def _():
    table = frame(
        "length leading_space value low high words",
        (3, True, 0.5, 0.4, 0.7, 9), (4, True, 0.6, 0.5, 0.65, 9), (3, False, 0.2, 0.1, 0.35, 9),
    )  # fmt: skip
    panel = Panel("letters in the word", "accuracy", lines=CHANCE)
    for name, rows in (
        ("with leading space", table[table["leading_space"]]), ("without", table[~table["leading_space"]])
    ):  # fmt: skip
        panel.series[name] = points(rows, "length", "value", y_ends=ENDS)
    return spelling.accuracy_by_group(table, "length", "letters in the word"), [panel]


@shows("spelling.accuracy_by_task")
def _():
    table = frame(
        "task length value low high words",
        ("first", 3, 0.9, 0.8, 0.95, 9), ("first", 12, 0.8, 0.7, 0.93, 9), ("whole", 3, 0.4, 0.2, 0.5, 9),
    )  # fmt: skip
    panel = Panel("letters in the word (12 and more pooled)", "share of words right")
    for task, rows in table.groupby("task"):
        panel.series[str(task)] = points(rows, "length", "value", y_ends=ENDS)
    return spelling.accuracy_by_task(table), [panel]


@shows("spelling.patching")
def _():
    table = frame(
        "patch outcome depth value low high",
        ("mean", "right", 0, 0.1, 0.05, 0.2), ("mean", "right", 5, 0.6, 0.5, 0.8),
        ("other", "right", 5, 0.3, 0.2, 0.35), ("other", "donor", 0, 0.9, 0.8, 0.99),
    )  # fmt: skip
    panel = Panel("blocks applied before the replacement", "share of words", lines=[("x", 8)])
    for name, where in (
        ("mean: right", [0, 1]), ("other: right", [2]), ("other: donor", [3])
    ):  # fmt: skip
        panel.series[name] = points(table.iloc[where], "depth", "value", y_ends=ENDS)
    return spelling.patching(table, 8), [panel]


def _two_methods() -> pd.DataFrame:
    return frame(
        "method letter depth metric value low high",
        ("LR probe", "a", 0, "f1", 0.4, 0.3, 0.6), ("LR probe", "b", 3, "f1", 0.9, 0.8, 0.95),
        ("LR probe", "mean", 6, "f1", 0.65, 0.6, 0.72), ("LR probe", "a", 0, "auroc", 0.99, 0.98, 0.995),
        ("difference in means", "a", 0, "f1", 0.2, 0.1, 0.35),
        ("difference in means", "b", 3, "f1", 0.5, 0.45, 0.52),
        ("difference in means", "a", 0, "auroc", 0.8, 0.7, 0.85),
    )  # fmt: skip


@shows("probes.scores_by_letter")
def _():
    table = _two_methods()
    mine = table[(table["metric"] == "f1") & (table["letter"] != "mean")]
    panel = Panel("first letter", "F1", order=["B", "A"])
    for method, rows in mine.groupby("method"):
        panel.series[str(method)] = points(upper(rows), "letter", "value", y_ends=ENDS)
    return probes.scores_by_letter(table, "f1"), [panel]


@shows("probes.scores_by_depth")
def _():
    table = _two_methods()
    panel = Panel("blocks applied (0 is the embedding)", "mean over letters")
    for (method, metric), rows in table.groupby(["method", "metric"]):
        panel.series[f"{method}, {str(metric).upper()}"] = points(rows, "depth", "value", y_ends=ENDS)
    return probes.scores_by_depth(table), [panel]


@shows("probes.direction_cosines")
def _():
    pairs = [("b", "b", 1.0), ("b", "a", 0.25), ("a", "b", 0.25), ("a", "a", 1.0)]
    table = frame(
        "direction letter other cosine",
        *(("weights", *pair) for pair in pairs),
        *(("patterns", one, other, -value) for one, other, value in pairs),
    )
    expected = []
    for kind, rows in table.groupby("direction", sort=False):
        panel = Panel("", "", title=str(kind))
        panel.cells = {
            (r["letter"].upper(), r["other"].upper()): r["cosine"] for r in rows.to_dict("records")
        }
        expected.append(panel)
    return probes.direction_cosines(table), expected


@shows("latents.probe_against_latents")
def _():
    found = pd.concat([
        TWO.assign(selection="best F1", latent=4),
        frame("letter value low high", ("b", 0.1, 0.05, 0.2), ("a", 0.2, 0.15, 0.3)).assign(
            selection="lowest loss", latent=5
        ),
    ])  # fmt: skip
    probe = frame("letter value low high", ("a", 0.8, 0.7, 0.85), ("b", 0.95, 0.9, 0.99))
    panel = Panel("first letter", "F1 on test words", order=["B", "A"])
    panel.series["LR probe"] = points(upper(probe), "letter", "value", y_ends=ENDS)
    for selection, rows in found.groupby("selection"):
        panel.series[f"latent by {selection}"] = points(upper(rows), "letter", "value", y_ends=ENDS)
    return latents.probe_against_latents(probe, found), [panel]


@shows("latents.f1_by_split")
def _():
    by_stem = frame("letter value low high", ("a", 0.25, 0.1, 0.45), ("b", 0.65, 0.5, 0.7))
    table = pd.concat([TWO.assign(split="word"), by_stem.assign(split="stem")]).assign(latent=7)
    mean = table.iloc[:1].assign(letter="mean", value=0.5)
    panel = Panel("first letter", "F1 on test words", order=["B", "A"])
    panel.series["split by word"] = points(upper(TWO), "letter", "value", y_ends=ENDS)
    panel.series["split by stem"] = points(upper(by_stem), "letter", "value", y_ends=ENDS)
    return latents.f1_by_split(pd.concat([table, mean])), [panel]


@shows("latents.f1_by_level")
def _():
    best = frame("letter value low high", ("a", 0.75, 0.6, 0.8), ("b", 0.72, 0.62, 0.91))
    table = pd.concat([TWO.assign(rule="on above 0"), best.assign(rule="on above its best level")])
    panel = Panel("first letter", "F1 on test words", order=["B", "A"])
    panel.series["on above 0"] = points(upper(TWO), "letter", "value", y_ends=ENDS)
    panel.series["on above its best level"] = points(upper(best), "letter", "value", y_ends=ENDS)
    return latents.f1_by_level(table), [panel]


def _scored() -> pd.DataFrame:
    names = [f"{metric}{end}" for metric in ("precision", "recall", "f1") for end in ("", "_low", "_high")]
    return frame(
        " ".join(["sae selection l0_share d_sae", *names]),
        ("x", "s", 0.06, 4096, 0.3, 0.2, 0.45, 0.8, 0.7, 0.85, 0.5, 0.45, 0.6),
        ("y", "t", 0.14, 4096, 0.35, 0.3, 0.5, 0.6, 0.5, 0.75, 0.41, 0.4, 0.44),
        ("z", "s", 0.13, 16384, 0.2, 0.1, 0.25, 0.9, 0.88, 0.97, 0.33, 0.3, 0.37),
    )


@shows("latents.precision_recall")
def _():
    table = _scored()
    panel = Panel("recall, mean over letters", "precision, mean over letters")
    for sae, rows in table.groupby("sae"):
        panel.series[str(sae)] = points(
            rows, "recall", "precision",
            x_ends=("recall_low", "recall_high"), y_ends=("precision_low", "precision_high"),
        )  # fmt: skip
    return latents.precision_recall(table), [panel]


@shows("latents.scores_against_l0")
def _():
    table, expected = _scored(), []
    for metric, title in (("precision", "precision"), ("recall", "recall"), ("f1", "F1")):
        panel = Panel(L0, title, spans=BEST)
        for width, rows in table.groupby("d_sae"):
            ends = (f"{metric}_low", f"{metric}_high")
            panel.series[f"{width:,} latents"] = points(rows, "l0_share", metric, y_ends=ends)
        expected.append(panel)
    return latents.scores_against_l0(table), expected


@shows("latents.activation_shares")
def _():
    table = frame(
        "letter latent words share activation",
        ("s", 7, "own", 0.0, 0.1), ("s", 7, "own", 1.0, 3.0), ("s", 7, "others", 0.0, 0.0),
        ("s", 7, "others", 1.0, 0.5), ("c", 1200, "own", 0.5, 2.0), ("c", 1200, "others", 0.5, 0.25),
    )  # fmt: skip
    expected = []
    for name, rows in (("S, latent 7", table.iloc[:4]), ("C, latent 1,200", table.iloc[4:])):
        panel = Panel("activation", "share of words with at most this", title=name)
        for words, mine in rows.groupby("words"):
            panel.series[str(words)] = points(mine, "activation", "share")
        expected.append(panel)
    return latents.activation_shares(table), expected


@shows("letters.letters_against_l0")
def _():
    table = frame(
        "letter l0_share value low high null null_low null_high",
        ("a", 0.14, 0.4, 0.3, 0.6, 0.05, 0.01, 0.07), ("a", 0.06, 0.7, 0.6, 0.75, 0.06, 0.02, 0.08),
        ("b", 0.06, 0.2, 0.1, 0.35, 0.04, 0.0, 0.05), ("b", 0.14, 0.5, 0.4, 0.9, 0.03, 0.02, 0.09),
    )  # fmt: skip
    expected = []
    for letter, rows in upper(table).groupby("letter"):
        panel = Panel(L0, "absorption rate", title=str(letter))
        panel.series[""] = points(rows, "l0_share", "value", y_ends=ENDS)
        panel.series["null"] = points(rows, "l0_share", "null", y_ends=("null_low", "null_high"))
        expected.append(panel)
    return letters.letters_against_l0(table, "absorption rate"), expected


@shows("letters.cosines_by_letter")
def _():
    table = frame(
        "letter rank latent cosine", ("a", 1, 5, 0.6), ("a", 2, 9, 0.3), ("b", 1, 7, 0.5), ("b", 2, 5, 0.4)
    )
    panel = Panel("probe of the letter", "decoder cosine")
    panel.series["the largest"] = points(upper(table[table["rank"] == 1]), "letter", "cosine")
    panel.series["the next"] = points(upper(table[table["rank"] == 2]), "letter", "cosine")
    return letters.cosines_by_letter(table), [panel]


@shows("choices.choices_by_layer")
def _():
    table = frame(
        "depth what value low high",
        (4, "best F1", 0.4, 0.3, 0.45), (8, "best F1", 0.6, 0.5, 0.75), (4, "same latent", 0.9, 0.8, 0.95),
    )  # fmt: skip
    panel = Panel("blocks before the SAE", "mean F1, or share of letters")
    panel.series["F1, latent by best F1"] = points(table.iloc[:2], "depth", "value", y_ends=ENDS)
    panel.series["letters with the same latent"] = points(table.iloc[2:], "depth", "value", y_ends=ENDS)
    return choices.choices_by_layer(table), [panel]


@shows("splitting.f1_against_k")
def _():
    table = frame(
        "letter k f1",
        ("a", 1, 0.4),
        ("a", 2, 0.6),
        ("b", 1, 0.7),
        ("b", 2, 0.71),
        ("c", 1, 0.2),
        ("c", 2, 0.9),
    )
    panel = Panel("k, number of latents", "F1 on test words")
    panel.series["other letters"] = points(table.iloc[[2, 3]], "k", "f1")
    panel.series["C"] = points(table.iloc[[4, 5]], "k", "f1")
    panel.series["A"] = points(table.iloc[[0, 1]], "k", "f1")
    return splitting.f1_against_k(table, ["c", "a"]), [panel]


@shows("splitting.jump_at_two")
def _():
    table = frame("letter jump low high", ("a", 0.01, -0.01, 0.04), ("b", 0.2, 0.1, 0.25))
    panel = Panel("first letter", "F1 at k = 2 minus F1 at k = 1", lines=[("y", 0.03)], order=["B", "A"])
    panel.series[""] = points(upper(table), "letter", "jump", y_ends=ENDS)
    return splitting.jump_at_two(table, 0.03), [panel]


@shows("splitting.splits_against_l0")
def _():
    table = frame(
        "sae d_sae l0_share splits splits_low splits_high",
        ("x", 4096, 0.14, 1.2, 1.1, 1.4), ("y", 4096, 0.06, 1.5, 1.3, 1.6), ("z", 16384, 0.13, 2.0, 1.9, 2.2),
    )  # fmt: skip
    panel = Panel(L0, "splits of a letter, mean over letters", spans=BEST)
    for width, rows in table.groupby("d_sae"):
        ends = ("splits_low", "splits_high")
        panel.series[f"{width:,} latents"] = points(rows, "l0_share", "splits", y_ends=ends)
    return splitting.splits_against_l0(table), [panel]

"""The definitions as one threshold, or one property of the planted SAE, at a time moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from absorption.chapters.findings import OneTable
from absorption.chapters.is_the_metric_right.found import alphabet_of, apply_to_all
from absorption.chapters.settings import PlantedMetricSettings
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.latents.ksparse import F1_JUMP
from absorption.planted.cases import SILENCED
from absorption.planted.saes import Case, absorbing, split
from absorption.planted.study import DEFINITIONS, PlantedStudy, scores, study_case

VARIED: dict[str, tuple[str, tuple[float, ...]]] = {
    "min_cosine": ("least cosine", (0.0, 0.025, 0.1, 0.2, 0.4)),
    "min_lead": ("least lead", (0.1, 0.5, 1.0, 3.0, 5.0)),
    "min_share": ("least share", (0.1, 0.2, 0.4, 0.6, 0.9)),
    "fraction_cosine": ("least cosine (fraction)", (0.0, 0.05, 0.1, 0.2, 0.4)),
    "f1_jump": ("F1 jump", (0.01, 0.02, 0.03, 0.05, 0.1)),
}
CONCERNED = {
    "min_cosine": (ABLATION, FULL_ABSORPTION), "min_lead": (ABLATION,), "min_share": (FULL_ABSORPTION, FRACTION),
    "fraction_cosine": (FRACTION,), "f1_jump": DEFINITIONS,
}  # fmt: skip
"""Which definitions a threshold concerns."""


def sensitivity(studies: list[PlantedStudy], *, seed: int = 0) -> OneTable:
    """Precision and recall over all cases together, as one threshold at a time moves.

    Precision depends on the mix of cases, which here is one of each.

    Returns:
        ``threshold, setting`` and the columns of ``study.scores``.
    """
    tables = []
    for name, (label, settings) in VARIED.items():
        for setting in settings:
            jump = setting if name == "f1_jump" else F1_JUMP
            moved = Thresholds() if name == "f1_jump" else replace(Thresholds(), **{name: setting})
            judged = apply_to_all(studies, moved, jump, CONCERNED[name])
            table = scores(judged.assign(case="all"), seed=seed)
            tables.append(table.assign(threshold=label, setting=setting))
    return OneTable("metric-thresholds", pd.concat(tables, ignore_index=True))


PANELS = {
    "carried": ("recall", "recall against the share of the letter carried"),
    "family size": ("recall", "recall against the family's share of the letter's words"),
    "strength": ("recall", "recall against the strength of the family's feature"),
    "small half": ("false_rate", "false rate against the share of the smaller half of a split"),
}
"""Each factor of ``sweep``: the column that is drawn against it, and the panel's title."""


def sweep(settings: PlantedMetricSettings) -> OneTable:
    """One property of the planted SAE at a time: ``factor, setting`` and the columns of ``study.scores``.

    Factors: ``carried`` (share of the letter that families carry), ``family size`` (share of the letter's words in an
    absorbing family), ``strength`` (activation of the family's feature; the letter's is 1), ``small half`` (share of
    the words in the smaller half of a split letter: nothing absorbs, so only the false rate counts).
    """
    tables = []
    for factor, setting, case in _sweep_cases(settings):
        judged = study_case(case, seed=settings.seed).apply_definitions()
        if factor == "carried":  # any share counts as absorbed here, so that recall can be drawn against it
            judged["truth"] = judged["carried"] > 0
        tables.append(scores(judged, seed=settings.seed).assign(factor=factor, setting=setting))
    said = {"split_share": split_share(F1_JUMP)}
    return OneTable("metric-sweep", pd.concat(tables, ignore_index=True), said)


def split_share(jump: float) -> float:
    """Share of a letter's words from which on a latent raises F1 by the jump, by search.

    The main latent finds all words but these, the latent beside it finds these, and nothing else is found.
    """
    shares = np.linspace(0, 0.5, 50_001)
    without = 2 * (1 - shares) / (2 * (1 - shares) + shares)
    return float(shares[np.argmax(1 - without > jump)])


def _sweep_cases(settings: PlantedMetricSettings) -> Iterator[tuple[str, float, Case]]:
    plain = alphabet_of(settings)
    for d in settings.carried:
        yield "carried", d, absorbing(plain, d)
    for share in settings.family_shares:
        size = max(1, round(share * plain.n_words))
        families = replace(plain, families=(size, size, *plain.families[2:]))
        yield "family size", share, absorbing(families, 1.0, hole=SILENCED)
    for strength in settings.strengths:
        yield "strength", strength, absorbing(replace(plain, strength=strength), 1.0, hole=SILENCED)
    for share in settings.small_halves:
        yield "small half", share, split(replace(plain, upper_share=1 - share))

"""Scores of several SAEs against L0, over those of one width."""

from __future__ import annotations

import numpy as np
import pandas as pd

from absorption.base.quantities import METRICS
from absorption.base.statistics import Estimate, interval
from absorption.chapters.recall_gap.scored import ScoredSae
from absorption.latents.score import MeanSamples, slope_per_doubling
from absorption.several_saes.letter_trends import rows_of_one_width
from absorption.several_saes.one_width import share_width


def at_one_width(
    scored: list[ScoredSae], selection: str, axis: str = "l0_text"
) -> list[tuple[float, MeanSamples]]:
    """L0 and scores of the SAEs of the width that most of them share, for trends against L0.

    Args:
        scored: SAEs; those without a known L0 are left out.
        selection: how the letter's latent is chosen.
        axis: ``l0_text``, or ``l0_share`` (at the words, over d_model).
    """
    l0 = [getattr(item, axis) for item in scored]
    shared = share_width((item.sae.d_sae for item in scored), l0)
    if shared.sum() < 2:
        return []
    return [(x, item.samples[selection]) for x, item, mine in zip(l0, scored, shared, strict=True) if mine]


def best_l0(points: list[tuple[float, MeanSamples]], most: float) -> Estimate:
    """L0 of the SAE with the highest mean F1, and the range of best L0s over bootstrap resamples.

    The best of the L0s tried says nothing of those beyond: where it is the smallest, the interval goes down to 0,
    where it is the largest, up to ``most``.

    Args:
        points: L0 and scores of each SAE.
        most: the largest L0 there can be, all latents on, in the unit of the points.
    """
    if len(points) < 2:
        return Estimate(np.nan, np.nan, np.nan)
    l0 = np.array([x for x, _ in points])
    best = l0[np.argmax(np.stack([p.samples["f1"] for _, p in points]), axis=0)]
    value = float(l0[int(np.argmax([p.values["f1"] for _, p in points]))])
    low, _ = interval(np.where(best == l0.min(), 0.0, best))
    _, high = interval(np.where(best == l0.max(), most, best))
    if edge(points):
        low, high = (0.0, high) if value == l0.min() else (low, most)
    return Estimate(value, min(float(low), value), max(float(high), value))


NO_BEST = "not measured, since it takes at least two SAEs of one width"


def best_in_words(best: Estimate) -> str:
    """What a text says of ``best_l0``, in percent of d_model; with fewer than two SAEs, why there is nothing to say."""
    if np.isnan(best.value):
        return NO_BEST
    return f"{best.value:.1%} of d_model, interval {best.low:.1%} to {best.high:.1%}"


def edge(points: list[tuple[float, MeanSamples]]) -> str:
    """``smallest`` or ``largest`` if the best mean F1 is at that end of the L0s tried, else empty."""
    if len(points) < 2:
        return ""
    ordered = [p.values["f1"] for _, p in sorted(points, key=lambda point: point[0])]
    return {0: "smallest", len(ordered) - 1: "largest"}.get(int(np.argmax(ordered)), "")


NO_TREND = (
    "No trend: it takes at least two SAEs of one width whose L0 on running text is known (a card states it), reading "
    "the same place of the same model."
)
"""Why a table of slopes has no rows."""


def slope_table(scored: list[ScoredSae]) -> pd.DataFrame:
    """Change of precision, recall and F1 each time L0 doubles, for every selection, paired over SAEs.

    Columns ``selection, metric, value, low, high``; no rows with fewer than two SAEs of one width.
    """
    rows = []
    for selection in scored[0].samples:
        points = at_one_width(scored, selection)
        for metric in METRICS if points else ():
            slope = slope_per_doubling(points, metric)
            rows.append((selection, metric, slope.value, slope.low, slope.high))
    return pd.DataFrame(rows, columns=["selection", "metric", "value", "low", "high"])


def f1_by_letter(scored: list[ScoredSae], selection: str) -> pd.DataFrame:
    """F1 of each letter's latent for the SAEs of one width (paper, Figure 20).

    Args:
        scored: from ``score_saes``.
        selection: how the latent was chosen.

    Returns:
        ``letter, sae, d_sae, l0_text, l0_share, value, low, high``, by letter and L0; no rows without two SAEs of one
        width whose L0 on text is known.
    """
    tables = []
    for item in scored:
        mine = item.scores.query("metric == 'f1' and letter != 'mean'")
        mine = mine[mine["selection"] == selection]
        about = {"sae": item.sae.name, "d_sae": item.sae.d_sae}
        tables.append(mine.assign(**about, l0_text=item.l0_text, l0_share=item.l0_share))
    return rows_of_one_width(pd.concat(tables, ignore_index=True))

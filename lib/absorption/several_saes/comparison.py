"""Several SAEs on the same words: the table behind the curves against L0 and width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from absorption.base.statistics import Estimate, interval
from absorption.latents.score import MeanSamples, latent_samples, score_latents, slope_per_doubling
from absorption.latents.sparse import encode_words
from absorption.models.language_model import LanguageModel
from absorption.probes.words import ProbedWords
from absorption.saes.loader import LoadedSae, load_sae
from absorption.saes.shipped import shipped_ids

METRICS = ("precision", "recall", "f1")
COMPANIONS = (
    "batchtopk-4096-l0-16", "batchtopk-4096-l0-32", "batchtopk-4096-l0-64", "batchtopk-16384-l0-32",
)  # fmt: skip
"""The shipped SAEs that chapters set beside the one they are about: three L0s and two widths. The whole family
has a chapter of its own."""


@dataclass(frozen=True)
class ScoredSae:
    """One SAE's latents as first-letter classifiers on the test words."""

    sae: LoadedSae
    scores: pd.DataFrame
    """Rows as ``latents.score_latents`` gives them."""
    samples: dict[str, MeanSamples]
    """Means over letters with paired bootstrap resamples, by selection."""
    l0_words: float
    """Mean active latents at the words of the spelling prompts, measured now."""

    @property
    def l0_text(self) -> float:
        """Mean active latents on held-out text, from the card; NaN without one."""
        return float(self.sae.card.get("measured", {}).get("held_out_text", {}).get("l0", float("nan")))

    @property
    def l0_share(self) -> float:
        """L0 at the words over the width of the model's residual stream, so that models can be compared."""
        return self.l0_words / self.sae.W_dec.shape[1]


EDITED_WITH = (*COMPANIONS, "batchtopk-4096-l0-128")
"""Letters are edited with one more: the paper finds edits best at L0 75 to 150."""


def companions(sae: LoadedSae, model: LanguageModel, *, ids: tuple[str, ...] = ()) -> list[LoadedSae]:
    """Those of the shipped ``ids`` (default: ``COMPANIONS``) that read the same hook of the same model, without
    ``sae`` itself."""
    others = []
    for sae_id in shipped_ids():
        if sae_id == sae.name or sae_id not in (ids or COMPANIONS):
            continue
        try:
            other = load_sae("shipped", sae_id, model)
        except ValueError:
            continue  # made for a model of another width
        if other.site == sae.site and other.card.get("model_weights_hash") == model.weights_hash:
            others.append(other)
    return others


def score_saes(saes: list[LoadedSae], probed: ProbedWords, *, seed: int = 0) -> list[ScoredSae]:
    """Score each SAE; the bootstrap resamples are shared, so that differences between SAEs are paired."""
    scored = []
    for sae in tqdm(saes, desc="SAEs"):
        acts = encode_words(sae, probed.acts)
        scores = score_latents(sae, probed, acts, seed=seed)
        samples = latent_samples(sae, probed, acts, seed=seed)
        scored.append(ScoredSae(sae, scores, samples, float(acts.l0.mean())))
    return scored


def mean_table(scored: list[ScoredSae], probe: MeanSamples) -> pd.DataFrame:
    """One row an SAE and selection, and one for the probe.

    Columns ``sae, d_sae, l0_text, l0_words, l0_share, selection`` and each of precision, recall and F1 with ``_low``
    and ``_high``.
    """
    rows = [{"sae": "LR probe", "selection": "LR probe", **_values(probe)}]
    for item in scored:
        about = {
            "sae": item.sae.name,
            "d_sae": item.sae.d_sae,
            "l0_text": item.l0_text,
            "l0_words": item.l0_words,
            "l0_share": item.l0_share,
        }
        rows += [about | {"selection": name} | _values(samples) for name, samples in item.samples.items()]
    return pd.DataFrame(rows)


def _values(samples: MeanSamples) -> dict[str, float]:
    row = {}
    for metric in METRICS:
        low, high = interval(samples.samples[metric])
        row |= {metric: samples.values[metric], f"{metric}_low": float(low), f"{metric}_high": float(high)}
    return row


def smallest_gap(scored: list[ScoredSae], probe: MeanSamples) -> tuple[str, Estimate]:
    """The SAE and selection that come closest to the probe: its name and the paired F1 difference."""
    gaps = {
        f"{item.sae.name}, {selection}": probe.minus(samples, "f1")
        for item in scored
        for selection, samples in item.samples.items()
    }
    name = min(gaps, key=lambda key: gaps[key].value)
    return name, gaps[name]


def same_choice(scored: list[ScoredSae], selections: tuple[str, str]) -> pd.DataFrame:
    """Whether two selections choose the same latent: ``sae, letter, same``."""
    tables = []
    for item in scored:
        f1 = item.scores[(item.scores["metric"] == "f1") & (item.scores["letter"] != "mean")]
        wide = f1.pivot(index="letter", columns="selection", values="latent")
        same = wide[selections[0]] == wide[selections[1]]
        tables.append(pd.DataFrame({"sae": item.sae.name, "letter": same.index, "same": same.to_numpy()}))
    return pd.concat(tables, ignore_index=True)


def at_one_width(
    scored: list[ScoredSae], selection: str, axis: str = "l0_text"
) -> list[tuple[float, MeanSamples]]:
    """L0 and scores of the SAEs of the width that most of them share, for trends against L0.

    Args:
        scored: SAEs; those without a known L0 are left out.
        selection: how the letter's latent is chosen.
        axis: ``l0_text``, or ``l0_share`` (at the words, over d_model).
    """
    known = [item for item in scored if not np.isnan(getattr(item, axis))]
    widths = pd.Series([item.sae.d_sae for item in known])
    if widths.empty or widths.value_counts().iloc[0] < 2:
        return []
    width = widths.value_counts().index[0]
    return [(getattr(item, axis), item.samples[selection]) for item in known if item.sae.d_sae == width]


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

"""Several SAEs' latents as first-letter classifiers on the same test words."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from tqdm.auto import tqdm

from absorption.base.quantities import METRICS
from absorption.base.statistics import Estimate, interval
from absorption.latents.score import MeanSamples, latent_samples, score_latents
from absorption.latents.sparse import encode_words
from absorption.probes.words import ProbedWords
from absorption.saes.loaded import LoadedSae


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
        """Mean active latents on held-out text, from the SAE's card; NaN without one."""
        return self.sae.l0_text

    @property
    def l0_share(self) -> float:
        """L0 at the words over the width of the model's residual stream, so that models can be compared."""
        return self.l0_words / self.sae.W_dec.shape[1]


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

"""Means over letters, and each letter, against L0 and width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.recall_gap import trends
from absorption.chapters.recall_gap.choices import PAIR
from absorption.chapters.recall_gap.gap import Scored
from absorption.chapters.recall_gap.scored import mean_table
from absorption.chapters.settings import RecallGapSettings
from absorption.latents.score import slope_per_doubling
from absorption.plots.theme import PUBLISHED_BEST

SHOWN = ["sae", "selection", "d_sae", "l0_text", "l0_words", "l0_share", "precision", "recall", "f1"]
"""Columns of the means that a reader sees."""


@dataclass(frozen=True)
class AgainstL0(Findings):
    """Means over letters of every SAE and selection, and how they move with L0."""

    means: pd.DataFrame
    trends: pd.DataFrame
    """Change each time L0 doubles, by selection and metric."""
    slopes: Mapping[str, Estimate]
    """The same of precision and recall, for the chapter's selection."""
    best: Estimate
    """L0 with the best mean F1, over d_model."""
    edge: str
    """``smallest`` or ``largest`` if the best is at that end of the L0s tried."""
    selection: str
    n_compared: int

    @property
    def chosen(self) -> pd.DataFrame:
        """Rows of the chapter's selection with a known L0."""
        return self.means[(self.means["selection"] == self.selection) & self.means["l0_share"].notna()]

    @property
    def shown(self) -> pd.DataFrame:
        """The columns that a reader sees."""
        return self.means[SHOWN].fillna("")

    @property
    def at_edge(self) -> str:
        """What must be said of a best L0 at an end of the range; else empty."""
        return f"edge of the range: the {self.edge} L0 tried is the best" if self.edge else ""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Means by SAE, and trends."""
        return {"recall-gap": self.means, "trends-with-l0": self.trends}

    def claims(self) -> pd.DataFrame:
        """Precision and recall against L0, and the best L0."""
        note = f"{self.n_compared} SAEs of one width, {self.selection}"
        rows = [claim("pr-l0", slope, part=metric, note=note) for metric, slope in self.slopes.items()]
        best = claim("best-l0", self.best, note="; ".join(filter(None, (note, self.at_edge))))
        return pd.concat([*rows, best], ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """Slopes, and the best L0 beside the published range."""
        low, high = PUBLISHED_BEST
        best = {"best_l0": trends.best_in_words(self.best), "published_low": low, "published_high": high}
        slopes = {f"{metric}_slope": str(slope) for metric, slope in self.slopes.items()}
        return best | slopes | {"at_edge": f" ({self.at_edge})" if self.edge else ""}


def against_l0(scored: Scored, settings: RecallGapSettings) -> AgainstL0:
    """Set the means of all SAEs against their L0, on text for trends, at the words for the best."""
    sae, selection = scored.mine.sae, settings.selection
    points = trends.at_one_width(scored.saes, selection)
    shares = trends.at_one_width(scored.saes, selection, "l0_share")
    return AgainstL0(
        mean_table(scored.saes, scored.probe),
        trends.slope_table(scored.saes),
        {metric: slope_per_doubling(points, metric) for metric in ("precision", "recall")},
        trends.best_l0(shares, sae.d_sae / sae.W_dec.shape[1]),
        trends.edge(shares),
        selection,
        len(points),
    )


@dataclass(frozen=True)
class EachLetter(Findings):
    """F1 of each letter's latent against L0."""

    scores: pd.DataFrame

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """F1 by letter and SAE."""
        return {"f1-by-letter": self.scores}

    def numbers(self) -> Mapping[str, Any]:
        """How many letters peak at each SAE."""
        peaks = self.scores.loc[self.scores.groupby("letter")["value"].idxmax(), "sae"].value_counts()
        told = ", ".join(f"{n} at {sae}" for sae, n in peaks.items())
        return {"letter_peaks": told or "no trend with one SAE"}


def each_letter(scored: Scored) -> EachLetter:
    """Follow each letter over the SAEs of one width; latents chosen by k=1 probing, as in the paper."""
    return EachLetter(trends.f1_by_letter(scored.saes, PAIR[1]))

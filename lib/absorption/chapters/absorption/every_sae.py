"""Every SAE on the same words: rates beside their nulls, letters against L0, and trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from absorption.chapters.absorption.basis import Basis
from absorption.chapters.absorption.tables import mean_rows
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.rates import MEAN
from absorption.definitions.rules import ABLATION, FULL_ABSORPTION, RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.several_saes.above_null import share_above
from absorption.several_saes.l0_trends import BY_L0, BY_WIDTH, rate_trends
from absorption.several_saes.letter_trends import rates_by_letter
from absorption.several_saes.rates import LabelledSae, label_saes, rates_by_sae


@dataclass(frozen=True)
class EverySae(Findings):
    """Rates of every SAE, and how they change with L0 and width."""

    rates: pd.DataFrame
    """As ``several_saes.rates_by_sae`` gives it."""
    by_letter: pd.DataFrame
    """Rates of each letter against L0, SAEs of one width; may be empty."""
    trends: pd.DataFrame
    """As ``several_saes.rate_trends`` gives it."""
    judged: Sequence[LabelledSae] = ()
    """The SAEs with their words."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    """By which they were judged."""

    @property
    def means(self) -> pd.DataFrame:
        """Means over letters."""
        return mean_rows(self.rates, "sae", "d_sae", "l0_text", "l0_share")

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Rates by SAE and by letter, and trends."""
        return {
            "rates-by-sae": self.rates,
            "rates-by-letter-and-l0": self.by_letter,
            "rate-trends": self.trends,
        }

    def claims(self) -> pd.DataFrame:
        """Whether every SAE absorbs, and more so at lower L0 and in wider ones."""
        return rate_claims(self.rates, self.trends)


def apply_to_every_sae(basis: Basis, settings: AbsorptionSettings) -> EverySae:
    """Judge every SAE with fewer candidates a letter, each with its own gate and null."""
    few = replace(basis.thresholds, max_candidates=settings.max_candidates_others)
    judged = label_saes(
        basis.studies,
        few,
        mean_metric=basis.scale.value,
        selection=settings.selection,
        seed=settings.seed,
    )
    rates = rates_by_sae(judged, basis.letters, seed=settings.seed)
    trends = rate_trends(judged, basis.letters, seed=settings.seed)
    return EverySae(rates, rates_by_letter(rates, RELATIVE), trends, judged, few)


def rate_claims(by_sae: pd.DataFrame, trends: pd.DataFrame) -> pd.DataFrame:
    """What the rates say of the paper's claims: ``claim, part, value, low, high, note``, for the ledger.

    Args:
        by_sae: from ``rates_by_sae``.
        trends: from ``rate_trends``.
    """
    rows = []
    for part, definition in (("ablation", ABLATION), ("projection", FULL_ABSORPTION)):
        means = by_sae[(by_sae["letter"] == MEAN) & (by_sae["definition"] == definition)]
        share, note = share_above(means.set_index("sae")["p"])
        rows.append(("every-sae", part, share.value, share.low, share.high, note))
    mine = trends[trends["definition"] == RELATIVE].set_index("change")
    for part, change in (("l0", BY_L0), ("width", BY_WIDTH)):
        row = mine.loc[change]
        rows.append(("rate-l0-width", part, *row[["value", "low", "high"]], str(row["saes"])))
    return pd.DataFrame(rows, columns=["claim", "part", "value", "low", "high", "note"])

"""Chapter 17: what each arm pays: letters' F1, reconstruction, dead latents, and what the diagnostics say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.quantities import score
from absorption.chapters.findings import Findings
from absorption.chapters.remedies_compared.numbers import Numbers
from absorption.latents.select import SINGLE_LATENT_SELECTIONS
from absorption.remedies.arms import BASELINE
from absorption.remedies.measure import (
    ABSORBED,
    CANDIDATES,
    FULL,
    FULL_UNGATED,
    LETTERS_COUNTED,
    projection,
)
from absorption.remedies.projections import RANKS
from absorption.remedies.stored import Remedies


@dataclass(frozen=True)
class Costs(Findings):
    """One row an arm."""

    scores: pd.DataFrame
    """``arm, seeds``, F1 of the letters' latents by each choice, and the factors of full absorption; means over
    seeds."""
    projections: pd.DataFrame
    """``arm`` and the nth decoder projection at each n, means over seeds."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Both."""
        return {"remedies-costs": self.scores, "remedies-projections": self.projections}

    def numbers(self) -> Mapping[str, Any]:
        """What the smallest and largest projection at the largest n are."""
        last = f"n = {RANKS[-1]}"
        ordered = self.projections.sort_values(last)
        base = self.projections.loc[self.projections["arm"] == BASELINE, last]
        return {
            "projection_n": RANKS[-1], "projection_least": f"{ordered[last].iloc[0]:.3f} ({ordered['arm'].iloc[0]})",
            "projection_most": f"{ordered[last].iloc[-1]:.3f} ({ordered['arm'].iloc[-1]})",
            "projection_base": f"{base.iloc[0]:.3f}" if len(base) else "(not measured)",
        }  # fmt: skip


def count_costs(numbers: Numbers) -> Costs:
    """Means over the seeds of each arm."""
    stored = numbers.stored
    named = {f"F1, {name}": score("f1", name) for name in SINGLE_LATENT_SELECTIONS}
    named |= {name: name for name in (LETTERS_COUNTED, CANDIDATES, ABSORBED)}
    named |= {"full absorption": FULL, "over all letters": FULL_UNGATED}
    ranks = {f"n = {n}": projection(n) for n in RANKS}
    return Costs(_means(stored, named, seeds=True), _means(stored, ranks))


def _means(stored: Remedies, named: Mapping[str, str], *, seeds: bool = False) -> pd.DataFrame:
    rows = []
    for arm in stored.arms:
        saes = stored.of(arm)
        values = {
            title: pd.Series([stored.value(sae, quantity) for sae in saes]).mean()
            for title, quantity in named.items()
        }
        rows.append({"arm": arm, **({"seeds": len(saes)} if seeds else {}), **values})
    return pd.DataFrame(rows)

"""Chapter 17: rates of every arm beside their null, and each remedy minus its baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from absorption.base.quantities import score
from absorption.base.statistics import Estimate
from absorption.chapters.findings import Findings, claim
from absorption.chapters.remedies_compared.numbers import Numbers
from absorption.remedies.arms import (
    BALANCED,
    BASELINE,
    CONSISTENT,
    MASKED,
    MATRYOSHKA,
    MEMBERS,
    ORTHOGONAL,
    OTHER_BASELINE,
    TIED,
)
from absorption.remedies.differences import difference, differences, estimate, over_seeds
from absorption.remedies.measure import FULL, FULL_UNGATED, RELATIVE_LEAD
from absorption.remedies.stored import Remedies

BEST_F1 = score("f1", "best F1")
CHOSEN_BY = ("TopK", 0)
"""The arm and seed by whose rate the width was chosen: where that arm is the baseline, no arm's SAE of that seed counts
for a verdict, or every remedy would be flattered."""
LEAST_SEEDS = 2
"""Of a remedy and of its baseline, for a verdict."""
MEASURES = (FULL, FULL_UNGATED, RELATIVE_LEAD, BEST_F1)
ON_TOPK = list(OTHER_BASELINE)
CLAIMS = {
    ("remedy-matryoshka", "full"): (MATRYOSHKA, BASELINE, FULL),
    ("remedy-matryoshka", "relative-lead"): (MATRYOSHKA, BASELINE, RELATIVE_LEAD),
    ("remedy-balanced-matryoshka", "full"): (BALANCED, BASELINE, FULL),
    ("remedy-balanced-matryoshka", "f1"): (BALANCED, MATRYOSHKA, BEST_F1),
    ("remedy-ortsae", "full"): (ORTHOGONAL, BASELINE, FULL),
    ("remedy-ortsae", "relative-lead"): (ORTHOGONAL, BASELINE, RELATIVE_LEAD),
    ("remedy-c2r", "full"): (CONSISTENT, BASELINE, FULL),
    ("remedy-c2r", "relative-lead"): (CONSISTENT, BASELINE, RELATIVE_LEAD),
    ("remedy-ortsae", "on-topk"): (ON_TOPK[0], "TopK", FULL),
    ("remedy-c2r", "on-topk"): (ON_TOPK[1], "TopK", FULL),
    ("remedy-tied", "on-topk"): (ON_TOPK[2], "TopK", FULL),
    ("remedy-tied", "full"): (TIED, BASELINE, FULL),
    ("remedy-tied", "relative-lead"): (TIED, BASELINE, RELATIVE_LEAD),
    ("remedy-masked", "full"): (MASKED, BASELINE, FULL),
    ("remedy-masked", "relative-lead"): (MASKED, BASELINE, RELATIVE_LEAD),
    ("remedy-masked", "on-topk"): (ON_TOPK[3], "TopK", FULL),
}  # fmt: skip
"""By claim and part: which arm minus which, and of what."""
SHORT = {
    MATRYOSHKA: "matryoshka",
    BALANCED: "balanced",
    ORTHOGONAL: "ortsae",
    CONSISTENT: "c2r",
    TIED: "tied",
    MASKED: "masked",
}
SHORT |= dict(zip(ON_TOPK, ("ortsae_topk", "c2r_topk", "tied_topk", "masked_topk"), strict=True))
"""How the page's text names the numbers of a remedy."""


@dataclass(frozen=True)
class Compared(Findings):
    """Rates and differences."""

    stored: Remedies
    rates: pd.DataFrame
    """``arm, seed, sae, quantity, value, low, high, null, null_low, null_high, p``, one row an SAE and quantity."""
    differences: pd.DataFrame
    """Columns as in ``remedies.differences``."""

    def of(self, quantity: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """What a figure draws of one quantity."""
        return tuple(  # type: ignore[return-value]
            table[table["quantity"] == quantity].reset_index(drop=True)
            for table in (self.rates, self.differences)
        )

    @property
    def shown(self) -> pd.DataFrame:
        """Differences for a reader, those of all letters too."""
        columns = ["arm", "quantity", "seeds", "value", "low", "high", "seeds_half_width", "relative"]
        wanted = self.differences[self.differences["quantity"].isin([FULL, FULL_UNGATED, RELATIVE_LEAD])]
        return wanted[columns].reset_index(drop=True)

    @property
    def means(self) -> pd.DataFrame:
        """Full absorption of each arm over its seeds, columns as in ``remedies.differences.over_seeds``."""
        return over_seeds(self.stored, FULL)

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Both, and the means over seeds."""
        return {
            "remedies-rates": self.rates,
            "remedies-differences": self.differences,
            "remedies-means": self.means,
        }

    def claims(self) -> pd.DataFrame:
        """Each remedy's parts; an arm that is not measured leaves its own open."""
        rows = []
        for (name, part), (arm, baseline, quantity) in CLAIMS.items():
            chosen = baseline == CHOSEN_BY[0]
            row = difference(self._later if chosen else self.stored, arm, quantity, baseline)
            note = "" if row is None else f"{row['seeds']} seeds against {row['baseline_seeds']}"
            if note and chosen:
                note += ", the first left out"
            found = estimate(row)
            if row is not None and min(row["seeds"], row["baseline_seeds"]) < LEAST_SEEDS:
                found, note = estimate(None), f"not judged with one seed of either: {note}"
            rows.append(claim(name, found, part=part, note=note))
        return pd.concat(rows, ignore_index=True)

    def numbers(self) -> Mapping[str, Any]:
        """Each remedy's difference, and its size beside the baseline."""
        told: dict[str, Any] = {}
        for arm, name in SHORT.items():
            for quantity, of in zip(MEASURES, ("full", "all", "lead", "f1"), strict=True):
                row = difference(self.stored, arm, quantity)
                told[f"diff_{name}_{of}"] = str(estimate(row))
                told[f"rel_{name}_{of}"] = "(not measured)" if row is None else f"{row['relative']:+.0%}"
        f1 = difference(self.stored, BALANCED, BEST_F1, MATRYOSHKA)
        told["diff_balanced_plain_f1"] = str(estimate(f1))
        for arm, name in ((BASELINE, "base"), ("TopK", "topk")):
            mine = self.means[self.means["arm"] == arm].to_dict("records")
            told[f"{name}_full"] = _told(mine, lambda row: Estimate(row["value"], row["low"], row["high"]))
            told[f"{name}_null"] = _told(mine, lambda row: f"{row['null']:.3f}")
            told[f"{name}_range"] = _told(mine, lambda row: f"{row['lowest']:.3f} to {row['highest']:.3f}")
        told |= _sides(self.differences) | self._without_first_seeds()
        told["remedies_verdicts"] = int(self.claims()["value"].notna().sum())
        full = self.differences[self.differences["quantity"] == FULL]
        told["seeds_half_width"] = f"{full['seeds_half_width'].max():.3f}"
        told["lowest_arm"] = str(self.means.sort_values("value")["arm"].iloc[0])
        return told

    def _without_first_seeds(self) -> dict[str, str]:
        """Remedies on TopK minus TopK without the seed by whose rate the width was chosen."""
        return {
            f"later_{SHORT[arm]}_{of}": str(estimate(difference(self._later, arm, quantity)))
            for arm in ON_TOPK
            for quantity, of in ((FULL, "full"), (RELATIVE_LEAD, "lead"))
        }

    @property
    def _later(self) -> Remedies:
        """Without the seed of ``CHOSEN_BY``, in any arm."""
        first = CHOSEN_BY[1]
        later = {sae: stamp for sae, stamp in self.stored.stamps.items() if MEMBERS[sae].recipe.seed != first}
        return replace(self.stored, stamps=later)


def _told(rows: Sequence[Any], say: Callable[[Any], object]) -> str:
    return str(say(rows[0])) if rows else "(not measured)"


def _sides(differences: pd.DataFrame) -> dict[str, str]:
    """Which remedies lie wholly below their baseline, wholly above, or neither, by definition, and which have too few
    seeds."""
    told = {}
    for quantity, of in ((FULL, "full"), (RELATIVE_LEAD, "lead")):
        rows = differences[(differences["quantity"] == quantity) & differences["arm"].isin(list(SHORT))]
        few = rows[["seeds", "baseline_seeds"]].min(axis=1) < LEAST_SEEDS
        parts = {"below": ~few & (rows["high"] < 0), "above": ~few & (rows["low"] > 0), "few": few}
        parts["open"] = ~(parts["below"] | parts["above"] | few)
        told |= {f"{side}_{of}": ", ".join(rows.loc[mine, "arm"]) or "none" for side, mine in parts.items()}
    return told


def compare_arms(numbers: Numbers) -> Compared:
    """Rates of every SAE that kept its L0, and differences of arms from the baseline."""
    stored = numbers.stored
    wanted = stored.numbers[stored.numbers["quantity"].isin(MEASURES)]
    rates = stored.members[["sae", "arm", "seed"]].merge(wanted, on="sae").dropna(subset=["value"])
    quantities = [name for name in MEASURES if (rates["quantity"] == name).any()]
    return Compared(stored, rates, differences(stored, stored.arms, quantities))

"""Chapter 17: the stored numbers of the arms, and which SAEs are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.settings import ComparedRemediesSettings
from absorption.remedies.arms import LARGEST_L0_MISS, LIKE_BASELINE, MEMBERS
from absorption.remedies.measure import FIT, FULL
from absorption.remedies.stored import Remedies, read_remedies
from absorption.several_saes.stored_numbers import members, read_sae_family
from absorption.training.recipe import BASE, REMEDIES_ARMS, REMEDIES_SEEDS, REMEDIES_WIDTH


@dataclass(frozen=True)
class Numbers(Findings):
    """What is stored, and the part of it that is compared."""

    stored: Remedies
    """Without the SAEs that missed their L0."""
    refused: list[str]
    """One line for each of those."""
    everyone: pd.DataFrame
    """One row an SAE, refused ones too: columns as in ``Remedies.members``, and ``fit``."""
    missing: list[str]

    @property
    def arms(self) -> pd.DataFrame:
        """One row an arm: how many seeds, and means over them of what its cards say."""
        groups = self.everyone[self.everyone["matched"].astype(bool)].groupby("arm", sort=False)
        means = groups[
            ["l0_text", "l0_words", "explained_variance", "explained_variance_words", "recovered", "dead"]
        ]
        table = means.mean()
        table.insert(0, "seeds", groups.size())
        return table.assign(fit=groups["fit"].sum()).reset_index()

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """One row an SAE."""
        return {"remedies-saes": self.everyone}

    def numbers(self) -> Mapping[str, Any]:
        """How many there are, what is missing and what is refused."""
        first = next(iter(REMEDIES_ARMS.values()))
        counts = self.arms["seeds"]
        return {
            "remedies_n": len(self.stored.saes), "remedies_of": len(MEMBERS), "remedies_arms": len(self.arms),
            "remedies_seeds": _some_seeds(int(counts.min()), int(counts.max())),
            "remedies_seeds_of": len(REMEDIES_SEEDS), "remedies_width": f"{REMEDIES_WIDTH:,}",
            "remedies_k": f"{first.k:g}", "remedies_miss": f"{LARGEST_L0_MISS:.0%}",
            "remedies_missing": _by_arm(self.missing) or "none",
            "remedies_refused": " ".join(self.refused) or "none.",
            "remedies_fit": f"{int(self.everyone['fit'].sum())} of {len(self.everyone)}",
            "remedies_unfit_arms": ", ".join(self.arms.loc[self.arms["fit"] == 0, "arm"]) or "none",
            "remedies_l0_words": _least_and_most(self.arms, "l0_words"),
            "remedies_widths": _full_by_width(),
        }  # fmt: skip


def _least_and_most(arms: pd.DataFrame, column: str) -> str:
    """``BASELINE`` and its remedies, not other architectures: those with the smallest and the largest value."""
    family = [REMEDIES_ARMS[arm].architecture in LIKE_BASELINE for arm in arms["arm"]]
    rows = arms[family].sort_values(column)
    ends = [f"{row[column]:.1f} ({row['arm']})" for row in rows.to_dict("records")]
    return f"{ends[0]} to {ends[-1]}" if ends else "(not measured)"


def _some_seeds(least: int, most: int) -> str:
    return f"{least} to {most} seeds" if least < most else f"{most} seed{'s' if most > 1 else ''}"


def _by_arm(saes: list[str]) -> str:
    """Arms with the seeds of these SAEs."""
    seeds: dict[str, list[str]] = {}
    for sae in saes:
        seeds.setdefault(MEMBERS[sae].arm, []).append(str(MEMBERS[sae].recipe.seed))
    return "; ".join(f"{arm}: {', '.join(of)}" for arm, of in seeds.items())


def _full_by_width() -> str:
    """Full absorption of the family's TopK SAEs at the base's L0, by width."""
    family = read_sae_family()
    rows = members(family)
    same = rows[
        (rows["architecture"] == BASE.architecture) & (rows["k"] == BASE.k) & (rows["seed"] == BASE.seed)
    ]
    layer = int(BASE.hook_name.split(".")[1])
    found = same[same["layer"] == layer].sort_values("d_sae")
    return ", ".join(
        f"{family.value(row['sae'], FULL):.3f} at {row['d_sae']:,}" for row in found.to_dict("records")
    )


def read_numbers(settings: ComparedRemediesSettings) -> Numbers:
    """The stored numbers, checked against recipes and cards.

    Raises:
        StoredRemediesError: they are missing, or of other SAEs.
    """
    stored = read_remedies(settings.remedies_folder)
    fit = [stored.value(sae, FIT) > 0 for sae in stored.members["sae"]]
    return Numbers(stored.matched(), stored.refused, stored.members.assign(fit=fit), stored.missing)

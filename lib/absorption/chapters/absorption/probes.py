"""The same SAE under every kind of probe, and with what all words share left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.absorption.basis import Basis
from absorption.chapters.findings import Findings
from absorption.chapters.settings import AbsorptionSettings
from absorption.definitions.rules import FULL
from absorption.definitions.tables import mean_rows
from absorption.one_sae.by_probe import probe_table, rates_by_probe
from absorption.probes.words import CONVERGED, REFERENCE

IN_TEXT = (REFERENCE, CONVERGED)
"""Probes of which the text tells the numbers."""


@dataclass(frozen=True)
class ByProbe(Findings):
    """Rates and levels under every probe."""

    rates: pd.DataFrame
    """As ``one_sae.rates_by_probe`` gives it, and ``under``: probe and projection."""
    levels: pd.DataFrame
    """As ``one_sae.probe_table`` gives it."""

    @property
    def means(self) -> pd.DataFrame:
        """Means over letters."""
        return mean_rows(self.rates, "probe", "projection")

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Rates, and what tells the probes apart."""
        return {"rates-by-probe": self.rates, "probe-levels": self.levels}

    def numbers(self) -> Mapping[str, Any]:
        """Offset and total of two probes; full absorption and its null, raw and centred."""
        numbers = {
            f"{name}_{row['probe']}": float(row[name])
            for row in self.levels.to_dict("records")
            for name in ("offset", "total")
            if row["probe"] in IN_TEXT
        }
        full = self.means[self.means["definition"] == FULL]
        told = full[full["probe"].isin(IN_TEXT)]
        for row in told.to_dict("records"):
            under = f"{row['probe']}_{row['projection']}"
            numbers |= {f"full_{under}": float(row["rate"]), f"null_{under}": float(row["null"])}
        return numbers


def judge_by_every_probe(basis: Basis, settings: AbsorptionSettings) -> ByProbe:
    """Judge the chapter's own SAE under every probe, with the same letters and main latents."""
    rates = rates_by_probe(
        basis.engine,
        basis.mine,
        basis.thresholds,
        basis.letters,
        valid=basis.valid,
        mean_metric=basis.scale.value,
        selection=settings.selection,
        seed=settings.seed,
    )
    rates["under"] = rates["probe"] + ", " + rates["projection"]
    return ByProbe(rates, probe_table(basis.mine, basis.letters))

"""Chapter 12: full absorption of every SAE by when its main latents count as silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.definitions.silence import AT_ZERO, CALIBRATED
from absorption.explorer.address import of_saes
from absorption.several_saes.above_null import share_above
from absorption.several_saes.stored_numbers import SaeFamily

DRAWN = (AT_ZERO, CALIBRATED)


@dataclass(frozen=True)
class Silences(Findings):
    """One row an SAE and rule, and the SAEs of which nothing is kept."""

    table: pd.DataFrame
    """``sae`` and the columns of ``one_sae.by_silence.SILENCE_COLUMNS``."""
    without: list[str]

    @property
    def drawn(self) -> pd.DataFrame:
        """The rows of the published and the calibrated rule, one quantity an SAE."""
        rows = self.table[self.table["silence"].isin(DRAWN)]
        return rows.assign(quantity=rows["sae"], value=rows["rate"])

    @property
    def panels(self) -> dict[str, dict[str, str]]:
        """One row of the figure an SAE."""
        return {sae: {"": sae} for sae in dict.fromkeys(self.table["sae"])}

    @property
    def links(self) -> dict[str, Sequence[str]]:
        """The explorer's states of the SAEs that it shows, by full absorption."""
        return {"sae": of_saes(self.table["sae"], [FULL_ABSORPTION] * len(self.table))}

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The one table."""
        return {"family-silences": self.table}

    def numbers(self) -> Mapping[str, Any]:
        """Of how many SAEs it is known, and what calibration changes."""
        by_rule = {name: self.table[self.table["silence"] == name].set_index("sae") for name in DRAWN}
        shares = {name: rows["share_candidates"].mean() for name, rows in by_rule.items()}
        higher = (by_rule[CALIBRATED]["rate"] > by_rule[AT_ZERO]["rate"]).sum()
        return {
            "n_silences": len(by_rule[AT_ZERO]),
            "without_silences": ", ".join(self.without) or "none",
            "candidates_published": f"{shares[AT_ZERO]:.1%}",
            "candidates_calibrated": f"{shares[CALIBRATED]:.1%}",
            "n_higher": int(higher),
            "above_published": share_above(by_rule[AT_ZERO]["p"])[1],
            "above_calibrated": share_above(by_rule[CALIBRATED]["p"])[1],
        }


def by_silence(family: SaeFamily) -> Silences:
    """Take the stored rates, in the family's order."""
    order = {sae: at for at, sae in enumerate(family.saes)}
    table = family.silences.sort_values("sae", key=lambda names: names.map(order), kind="stable")
    known = set(table["sae"])
    return Silences(table.reset_index(drop=True), [sae for sae in family.saes if sae not in known])

"""Chapter 16: the positive control, first letters, and which choice of the chapter makes it fail or pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pandas as pd

from absorption.chapters.findings import Findings
from absorption.chapters.other_hierarchies.basis import Hierarchies
from absorption.chapters.settings import HierarchySettings
from absorption.concepts import concept as concepts
from absorption.concepts.control import CENTRED, COLUMNS, RAW, under_protocols
from absorption.probes.words import REFERENCE


@dataclass(frozen=True)
class Control(Findings):
    """First letters on the chapter's words, by its own protocol and by its neighbours."""

    table: pd.DataFrame
    """As ``concepts.control.under_protocols`` gives it."""
    own: str
    """The chapter's direction."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The table."""
        return {"concept-control": self.table}

    def numbers(self) -> Mapping[str, Any]:
        """By which protocols first letters are above their null, and what each choice changes on average."""
        names = self.table["direction"] + ", " + self.table["projections"]
        above = self.table["above_low"] > 0
        return {
            "control_above": "; ".join(names[above]) or "none",
            "control_not_above": "; ".join(names[~above]) or "none",
            "control_by_centring": self._change("projections", CENTRED, RAW),
            "control_by_direction": self._change("direction", self.own, REFERENCE),
        }

    def _change(self, column: str, before: str, after: str) -> str:
        """Change of the mean rate above its null where one choice gives way to another."""
        means = self.table.groupby(column)["above"].mean()
        known = before != after and {before, after} <= set(means.index)
        return f"{means[after] - means[before]:+.3f}" if known else "(not measured)"


def vary_control(found: Hierarchies, settings: HierarchySettings) -> Control:
    """The chapter's direction and the published one, centred and as they are; empty without first letters."""
    protocols = list(product(dict.fromkeys((settings.direction, REFERENCE)), (True, False)))
    mine = [one for one in found.measured if one.concept.name == concepts.FIRST]
    tables = [under_protocols(one, protocols, seed=settings.seed) for one in mine]
    return Control(tables[0] if tables else pd.DataFrame(columns=COLUMNS), settings.direction)

"""Chapter 13: every latent of a larger SAE, inserted alone into the smaller one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from absorption.base.statistics import Estimate, interval
from absorption.chapters.findings import Findings, claim
from absorption.chapters.stitching.measured import Measured
from absorption.stitching import shapes
from absorption.stitching.effects import Resampled, areas, insertions, roc_curves, shares_by_threshold
from absorption.stitching.measure import Plan
from absorption.stitching.pairs import THRESHOLD

NOVEL, LOWER, RAISE = "novel", "novel that lower the error", "similar that raise the error"
SHOWN = 5
"""Latents that a reader sees of either end of each pair."""


@dataclass(frozen=True)
class OneByOne(Findings):
    """One row an insertion, and what they say of the cosine."""

    plan: Plan
    table: pd.DataFrame
    resampled: Mapping[str, Resampled]

    @property
    def histogram(self) -> pd.DataFrame:
        """How often each change occurs."""
        return shapes.histogram(self.table)

    @property
    def by_cosine(self) -> pd.DataFrame:
        """Median change by cosine."""
        return shapes.against_cosine(self.table)

    @property
    def predicted(self) -> pd.DataFrame:
        """The change that one feature and one latent would have."""
        return shapes.predicted_curve()

    @property
    def curves(self) -> pd.DataFrame:
        """ROC curves of the cosine."""
        return roc_curves(self.table)

    @cached_property
    def shares(self) -> pd.DataFrame:
        """Shares by threshold and pair."""
        return shares_by_threshold(dict(self.resampled))

    @cached_property
    def areas(self) -> pd.DataFrame:
        """Area under each ROC curve."""
        return areas(dict(self.resampled))

    @cached_property
    def at_threshold(self) -> pd.DataFrame:
        """The shares at the published threshold."""
        return self.shares[self.shares["threshold"] == THRESHOLD].drop(columns="threshold")

    @property
    def strongest(self) -> pd.DataFrame:
        """The latents that lower and raise the error of the smaller SAE most."""
        ordered = self.table.sort_values("change")
        ends = [
            part
            for _, rows in ordered.groupby("pair", sort=False)
            for part in (rows.head(SHOWN), rows.tail(SHOWN))
        ]
        return pd.concat(ends).sort_values(
            ["pair", "change"], key=_in_order(self.table["pair"]), ignore_index=True
        )

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Every insertion, the shares, the areas."""
        return {
            "stitching-insertions": self.table,
            "stitching-shares": self.shares,
            "stitching-areas": self.areas,
        }

    def claims(self) -> pd.DataFrame:
        """What the neighbouring pairs say; a second seed is no part of the claim."""
        names = [pair.name for pair in self.plan.neighbours]
        mine = self.at_threshold[self.at_threshold["pair"].isin(names)]
        area = self.areas[self.areas["pair"].isin(names)]
        parts = [
            _lowest("novel-lower", mine[mine["quantity"] == LOWER]),
            _lowest("similar-raise", mine[mine["quantity"] == RAISE]),
            _lowest("cosine-roc", area),
            claim("stitching", self.mean_novel(), part="share-novel", note=f"{len(names)} pairs"),
        ]
        return pd.concat(parts, ignore_index=True)

    def mean_novel(self) -> Estimate:
        """Share of novel latents, mean over neighbouring pairs, with its interval over latents."""
        drawn = [self.resampled[pair.name].novel(THRESHOLD) for pair in self.plan.neighbours]
        values = np.mean(drawn, axis=0)
        return Estimate(float(values[0]), *map(float, interval(values[1:])))

    def numbers(self) -> Mapping[str, Any]:
        """Shares of the neighbours, as a range, and of the control."""
        control = [pair.name for pair in self.plan.pairs if pair.control]
        areas_found = self.areas.rename(columns={"pair": "name"}).assign(
            quantity="area", pair=self.areas["pair"]
        )
        rows = pd.concat([self.at_threshold, areas_found[["pair", "quantity", "value", "low", "high"]]])
        told: dict[str, Any] = {"mean_novel": _percent(self.mean_novel())}
        for name, quantity in (("novel", NOVEL), ("lower", LOWER), ("raise", RAISE), ("area", "area")):
            write = "{:.2f}".format if name == "area" else "{:.0%}".format
            mine = rows[rows["quantity"] == quantity]
            near = mine.loc[~mine["pair"].isin(control), "value"]
            told[f"{name}_pairs"] = _range(near, write)
            told[f"{name}_control"] = _range(mine.loc[mine["pair"].isin(control), "value"], write)
        never = self.table.groupby("pair", sort=False)["sign"].agg(lambda signs: (signs == "never on").mean())
        return told | {"never_on": _range(never, "{:.0%}".format)}


def _lowest(part: str, rows: pd.DataFrame) -> pd.DataFrame:
    """A part of the claim at the pair where it is lowest."""
    row: Any = rows.sort_values("value", kind="stable").iloc[0]
    estimate = Estimate(row["value"], row["low"], row["high"])
    return claim("stitching", estimate, part=part, note=f"{row['pair']}, the lowest of {len(rows)} pairs")


def _range(values: pd.Series, write: Any) -> str:
    if values.empty:
        return "not measured"
    low, high = write(values.min()), write(values.max())
    return low if low == high else f"{low} to {high}"


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:.0%} [{estimate.low:.0%}, {estimate.high:.0%}]"


def _in_order(names: pd.Series) -> Any:
    order = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return lambda column: column.map(order) if column.name == "pair" else column


def insert_one_by_one(measured: Measured) -> OneByOne:
    """Tables of all insertions, from the sums."""
    plan, sums = measured.plan, measured.sums
    couples = list(zip(plan.pairs, sums.pairs, strict=True))
    table = pd.concat([insertions(pair, one, sums.tokens) for pair, one in couples], ignore_index=True)
    return OneByOne(plan, table, {pair.name: Resampled(pair, one) for pair, one in couples})

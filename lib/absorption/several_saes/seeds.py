"""What training seeds alone change, and which changes of a setting are larger than that.

A seed decides the initial weights and the order of the training rows. SAEs of the same width with the same seed may
share something of both, so differences between them may vary less than this module takes them to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from absorption.base.statistics import interval
from absorption.latents.score import doubling_weights
from absorption.several_saes.contrasts import (
    ARCHITECTURE,
    L0,
    LAYER,
    SEED,
    WIDTH,
    base_setting,
    having,
    position,
    steps,
)
from absorption.several_saes.stored_numbers import SaeFamily, members

LEVEL = 0.95
SETTING = [ARCHITECTURE, WIDTH, L0, LAYER]
"""What two SAEs share that differ in the seed alone."""

BESIDE = ["quantity", "change", "value", "low", "high", "base", "chance", "larger"]
PER_L0, PER_WIDTH = "each doubling of L0", "each doubling of the width"

ALSO = (("matryoshka", "batchtopk"),)
"""Architectures of which one is a change of the other, compared whatever the base is."""

Weights = Mapping[str, float]
"""A change as a weighted sum over SAEs: the weight of each, by name; they sum to 0."""


def repeated(family: SaeFamily) -> pd.DataFrame:
    """Rows of ``members`` whose setting was trained with several seeds, sorted by setting and seed."""
    rows = members(family)
    several = rows.groupby(SETTING, sort=False)[SEED].transform("size") > 1
    return rows[several].sort_values([*SETTING, SEED])


def statistics_over_seeds(family: SaeFamily, wanted: Sequence[str]) -> pd.DataFrame:
    """Every quantity over the seeds of each setting that has several.

    Returns:
        ``quantity``, the setting, ``seeds`` (how many), ``mean, lowest, highest``, ``sd`` (with n - 1; NaN for two
        seeds, which say next to nothing about it) and ``null``, the mean of the SAEs' nulls (NaN for what is no rate).
    """
    mine = repeated(family)
    names = [quantity for quantity in family.numbers["quantity"].unique() if quantity in set(wanted)]
    rows = family.numbers[family.numbers["quantity"].isin(names)]
    joined = mine.merge(rows[["sae", "quantity", "value", "null"]], on="sae")
    order = joined["quantity"].map(names.index)
    grouped = joined.assign(order=order).groupby(["order", "quantity", *SETTING])
    table = grouped["value"].agg(seeds="count", mean="mean", lowest="min", highest="max", sd="std")
    table["null"] = grouped["null"].mean()
    table["sd"] = table["sd"].where(table["seeds"] > 2)
    return table.reset_index().drop(columns="order")


def beside_seeds(family: SaeFamily, wanted: Sequence[str]) -> pd.DataFrame:
    """Changes with L0, width, architecture and layer, each SAE's number being the mean over its setting's seeds.

    Beside each stands what seeds alone would make of it: half the width of the 95% interval of such a change if the
    setting changed nothing and every setting's seeds spread normally, independently and as widely as the base's do
    (Student's t, as that spread is itself estimated). A setting whose rates are higher probably spreads more widely,
    and then exceeds it more often than in one case of twenty.

    Returns:
        ``quantity, change, value, low, high`` (over words), ``base`` (the base setting's mean), ``chance``
        and ``larger``: whether the change exceeds that in size (``yes``, ``no``, or empty where the base
        setting's seeds show no spread, or are fewer than two).
    """
    base = seeds_of(family, base_setting(family))
    rows = []
    for quantity in wanted:
        values = [family.value(sae, quantity) for sae in base]
        for change, weights in changes(family, quantity).items():
            sizes = np.array(list(weights.values()))
            value = float(sizes @ [family.value(sae, quantity) for sae in weights])
            low, high = interval(sizes @ np.stack([family.samples(sae, quantity) for sae in weights]))
            chance = by_chance(values, sizes)
            verdict = "" if np.isnan([value, chance]).any() else "yes" if abs(value) > chance else "no"
            rows.append((quantity, change, value, low, high, float(np.mean(values)), chance, verdict))
    return pd.DataFrame(rows, columns=BESIDE)


def interval_with_seeds(row: pd.Series) -> tuple[float, float]:
    """The interval of a row of ``beside_seeds`` over words and seeds: both distances added in squares.

    Over words alone where seeds are not known.
    """
    chance = 0.0 if np.isnan(row["chance"]) else row["chance"]
    below, above = (float(np.hypot(row["value"] - row[end], chance)) for end in ("low", "high"))
    return row["value"] - below, row["value"] + above


def changes(family: SaeFamily, quantity: str) -> dict[str, Weights]:
    """Slopes per doubling of L0 and of width, and each architecture and layer minus the base's, over seed means; and
    those of ``ALSO``.

    An SAE without the quantity (a rate, where no letter's main latents pass the gate) has no part in a slope.
    """
    found: dict[str, Weights] = {}
    for setting, name in ((L0, PER_L0), (WIDTH, PER_WIDTH)):
        rows = having(family, steps(family, setting), quantity)
        if len(rows) > 1:
            found[name] = _over_seeds(family, rows, doubling_weights(position(rows, setting)))
    base = base_setting(family)
    for setting, label in ((ARCHITECTURE, "{}"), (LAYER, "layer {}")):
        rows = steps(family, setting)
        present = rows[setting].tolist()
        pairs = [(value, base[setting]) for value in present if value != base[setting]]
        pairs += [pair for pair in ALSO if {*pair} <= {*present} and pair not in pairs]
        for value, other in pairs:
            pair = rows[rows[setting].isin([value, other])]
            signs = np.where(pair[setting] == value, 1.0, -1.0)
            found[f"{label.format(value)} minus {label.format(other)}"] = _over_seeds(family, pair, signs)
    return found


def by_chance(base: ArrayLike, weights: ArrayLike) -> float:
    """How far a weighted sum of single SAEs' numbers reaches in 95% of cases if their seeds alone make them differ.

    Exact if each number is normal with the spread of ``base``, and the numbers in ``base`` are outside the sum or
    have one weight together (their mean is independent of their spread). NaN without any spread.
    """
    values = np.asarray(base, dtype=np.float64)
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if not sd > 0:
        return np.nan
    return float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * sd * np.linalg.norm(np.asarray(weights)))


def _over_seeds(family: SaeFamily, rows: pd.DataFrame, weights: np.ndarray) -> Weights:
    """Spread each row's weight evenly over all seeds of its setting."""
    found = {}
    for row, weight in zip(rows.to_dict("records"), weights, strict=True):
        saes = seeds_of(family, {name: row[name] for name in SETTING})
        found |= dict.fromkeys(saes, float(weight) / len(saes))
    return found


def seeds_of(family: SaeFamily, setting: Mapping[str, object]) -> list[str]:
    """Names of the SAEs of one setting, whatever their seed."""
    rows = members(family)
    same = np.logical_and.reduce([rows[name] == setting[name] for name in SETTING])
    return rows.loc[same, "sae"].tolist()

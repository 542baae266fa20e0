"""Insertions as curves: how often each change occurs, and the change against the cosine, beside what theory says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from absorption.stitching.effects import NOVEL, SIMILAR

LEAST = 10
"""Latents of a bin of which a median is shown."""
ENDS = (-3.0, 2.0)
"""Relative changes beyond are counted in the last bins."""


def predicted_change(cosine: float | np.ndarray) -> float | np.ndarray:
    """Change over what the latent writes, squared, for one feature that one latent of the smaller SAE carries.

    The feature is ``f d``, and the smaller SAE writes its projection on ``u``, whose cosine with ``d`` is ``c``. The
    error is ``f (d - c u)``, of which ``f (1 - c^2)`` lies along ``d``; so inserting ``f d`` changes the squared error
    by ``f^2 (2 c^2 - 1)``. The sign turns where ``c^2`` is one half.
    """
    return 2 * np.square(cosine) - 1


def histogram(table: pd.DataFrame, n_bins: int = 30) -> pd.DataFrame:
    """``pair, kind, change`` (middle of a bin of the relative change), ``share`` of the pair's latents that are on."""
    edges = np.linspace(*ENDS, n_bins + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    parts = []
    for name, rows in _on(table).groupby("pair", sort=False):
        for kind in (NOVEL, SIMILAR):
            values = rows.loc[rows["kind"] == kind, "relative"].clip(edges[0], edges[-1])
            counts, _ = np.histogram(values, edges)
            parts.append(
                pd.DataFrame({"pair": name, "kind": kind, "change": middle, "share": counts / len(rows)})
            )
    return pd.concat(parts, ignore_index=True)


def against_cosine(table: pd.DataFrame, width: float = 0.1) -> pd.DataFrame:
    """``pair, cosine`` (a bin's middle), ``value, low, high`` (median, quartiles of the change), ``latents``."""
    rows = _on(table)
    middle = (np.floor(rows["cosine"] / width - 1e-9) + 0.5) * width
    rows = rows.assign(cosine=middle.clip(upper=1 - width / 2).round(6))
    found = rows.groupby(["pair", "cosine"], sort=False)["relative"].describe()
    found = found[found["count"] >= LEAST].reset_index()
    names = {"50%": "value", "25%": "low", "75%": "high", "count": "latents"}
    order = {name: place for place, name in enumerate(dict.fromkeys(table["pair"]))}
    found = found.rename(columns=names).astype({"latents": int})[
        ["pair", "cosine", "value", "low", "high", "latents"]
    ]
    return found.sort_values(
        ["pair", "cosine"], key=lambda c: c.map(order) if c.name == "pair" else c, ignore_index=True
    )


def predicted_curve(n_points: int = 41) -> pd.DataFrame:
    """``cosine, value``: what ``predicted_change`` says."""
    cosine = np.linspace(0, 1, n_points)
    return pd.DataFrame({"cosine": cosine, "value": predicted_change(cosine)})


def _on(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["sign"] != "never on"]

"""Chapter 12: the family's rates beside those that others published, over L0 in units of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.quantities import rate
from absorption.base.statistics import Estimate, mean_interval
from absorption.chapters.findings import Findings, claim
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION
from absorption.definitions.versions import FRACTION_UNTHRESHOLDED
from absorption.latents.score import doubling_weights
from absorption.models.before_loading import model_size
from absorption.several_saes.published import TARGETS, mean_published
from absorption.several_saes.stored_numbers import SaeFamily, along, members

PANELS = {
    FULL_ABSORPTION: "full absorption",
    FRACTION: "absorption fraction",
    FRACTION_UNTHRESHOLDED: "absorption fraction",
    ABLATION: "ablation, published lead",
}
"""Panel of each definition; the fraction has had two."""
OURS = "this book's family"
LARGE = 0.1
"""Full absorption from which the text calls it large."""
NEAR = (0.018, 0.03)
"""Shares of d_model, by L0 on text, where most of the family and published SAEs of several architectures lie."""
LINE = ["model", "architecture", "target", "definition", "measured_with"]
"""What published SAEs that differ in L0 alone have in common."""


@dataclass(frozen=True)
class BesidePublished(Findings):
    """Published and measured rates, one row an SAE and definition."""

    published: pd.DataFrame
    """``panel, series``, then columns as in ``several_saes.published.mean_published``."""
    ours: pd.DataFrame
    """``panel, series, sae``; ``l0_share`` and ``value`` with ``_low`` and ``_high``: the share is that of L0 on text,
    and reaches up to that at the words; the value's ends are of its interval over words."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Both."""
        return {"published-rates": self.published, "family-beside-published": self.ours}

    def claims(self) -> pd.DataFrame:
        """Whether published rates fall with L0; no null is published, so that "every SAE" cannot be judged."""
        note = f"{len(slopes(self.published))} series of published SAEs, interval over series; first letters only"
        return claim("rate-l0-width", self._slope, part="published-l0", note=note)

    @property
    def _slope(self) -> Estimate:
        return mean_interval(slopes(self.published)["slope"].to_numpy())

    def numbers(self) -> Mapping[str, Any]:
        """Where published absorption is large, whether it falls with L0, and where ours lies."""
        full = self.published[self.published["panel"] == PANELS[FULL_ABSORPTION]]
        mine = self.ours[self.ours["panel"] == PANELS[FULL_ABSORPTION]]
        large = full.loc[full["value"] >= LARGE, "l0_share"].max()
        near = [rows[rows["l0_share"].between(*NEAR)] for rows in (full, mine)]
        return {
            **_falling(self.published, FULL_ABSORPTION, "full"),
            **_falling(self.published, ABLATION, "ablation"),
            **_falling(self.published, FRACTION_UNTHRESHOLDED, "fraction"),
            "published_slope": str(self._slope),
            "n_series": len(slopes(self.published)),
            "large": LARGE,
            "large_up_to": _percent(large),
            "n_with_rate": len(mine),
            "n_right_on_text": int((mine["l0_share"] > large).sum()),
            "n_right_at_words": int((mine["l0_share_high"] > large).sum()),
            "near": _range(pd.Series(NEAR), _percent),
            "near_published": _range(near[0]["value"]),
            "near_ours": _range(near[1]["value"]),
            **_fractions(self.published),
        }


def set_beside_published(family: SaeFamily) -> BesidePublished:
    """Take the published rates, and the family's under the same definitions."""
    means = mean_published()
    last = means["target"].map({"last letter": ", last letters"}).fillna("")
    series = means["model"] + ", " + means["measured_with"] + last
    means.insert(0, "panel", means["definition"].map(PANELS))
    means.insert(1, "series", series)
    order = means["panel"].map(list(dict.fromkeys(PANELS.values())).index)
    published = means.loc[order.sort_values(kind="stable").index].reset_index(drop=True)
    return BesidePublished(published, _ours(family))


def _ours(family: SaeFamily) -> pd.DataFrame:
    """The family's rates; an SAE in which no letter passes the gate has none."""
    panels = {rate(definition): PANELS[definition] for definition in (FULL_ABSORPTION, FRACTION, ABLATION)}
    rows = along(family, members(family), panels).dropna(subset=["value"])
    on_text = rows["l0_text"] / model_size(family.parameters["model"]).d_model
    return pd.DataFrame(
        {
            "panel": rows["quantity"].map(panels), "series": OURS, "sae": rows["sae"], "l0_share": on_text,
            "l0_share_low": on_text, "l0_share_high": rows["l0_share"],
            "value": rows["value"], "value_low": rows["low"], "value_high": rows["high"],
        }
    )  # fmt: skip


def slopes(published: pd.DataFrame) -> pd.DataFrame:
    """Each published series by full absorption or by ablation, of first letters: change of the rate by L0.

    Returns:
        Columns as in ``LINE`` and ``slope``: least-squares change each time L0 doubles.
    """
    mine = published["definition"].isin([FULL_ABSORPTION, ABLATION]) & (published["target"] == TARGETS[0])
    rows = [
        (*key, float(doubling_weights(list(rows["l0"])) @ rows["value"]))
        for key, rows in published[mine].groupby(LINE, sort=False)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=[*LINE, "slope"])


def _falling(published: pd.DataFrame, definition: str, name: str) -> dict[str, Any]:
    """Of the series of SAEs that differ in L0 alone, how many absorb less at their highest L0 than at their lowest."""
    lines = [
        rows.sort_values("l0") for _, rows in published[published["definition"] == definition].groupby(LINE)
    ]
    falling = sum(rows["value"].iloc[-1] < rows["value"].iloc[0] for rows in lines)
    return {f"n_lines_{name}": len(lines), f"n_falling_{name}": int(falling)}


def _fractions(published: pd.DataFrame) -> dict[str, str]:
    """Mean fraction of the published BatchTopK SAEs under either definition."""
    mine = published[published["architecture"] == "batchtopk"].groupby("definition")["value"].mean()
    return {"fraction_old": f"{mine[FRACTION_UNTHRESHOLDED]:.3f}", "fraction_new": f"{mine[FRACTION]:.3f}"}


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _range(values: pd.Series, write: Any = "{:.3f}".format) -> str:
    return f"{write(values.min())} to {write(values.max())}" if len(values) else "none"

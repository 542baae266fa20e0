"""Chapter 12: the family's rates beside those that others published, over L0 in units of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from absorption.base.quantities import rate
from absorption.chapters.findings import Findings
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION
from absorption.definitions.versions import FRACTION_UNTHRESHOLDED
from absorption.models.before_loading import model_size
from absorption.several_saes.published import mean_published
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
NEAR = (0.05, 0.065)
"""Shares of d_model, by L0 on text, where most of the family and a published SAE of each architecture lie."""
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


def _falling(published: pd.DataFrame, definition: str, name: str) -> dict[str, Any]:
    """Of the series of SAEs that differ in L0 alone, how many absorb less at their highest L0 than at their lowest."""
    lines = [
        rows.sort_values("l0") for _, rows in published[published["definition"] == definition].groupby(LINE)
    ]
    falls = sum(rows["value"].iloc[-1] < rows["value"].iloc[0] for rows in lines)
    return {f"n_lines_{name}": len(lines), f"n_falling_{name}": int(falls)}


def _fractions(published: pd.DataFrame) -> dict[str, str]:
    """Mean fraction of the published BatchTopK SAEs under either definition."""
    mine = published[published["architecture"] == "batchtopk"].groupby("definition")["value"].mean()
    return {"fraction_old": f"{mine[FRACTION_UNTHRESHOLDED]:.3f}", "fraction_new": f"{mine[FRACTION]:.3f}"}


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _range(values: pd.Series, write: Any = "{:.3f}".format) -> str:
    return f"{write(values.min())} to {write(values.max())}" if len(values) else "none"
